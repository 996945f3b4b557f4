"""The answer of `/v1/capabilities`, made from the types and settings that the service works with."""

import inspect
import re
from http import HTTPStatus
from typing import Any, Final, get_args

import msgspec

from ppocr_serving import __version__
from ppocr_serving.outputs import FORMATS
from ppocr_serving.outputs.origins import effective_options
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader
from ppocr_serving.web.adapters.refusals import enabled_adapters
from ppocr_serving.web.allowances import LIMITED_SIDES, MAX_SIDE_LENGTH
from ppocr_serving.web.call import Call
from ppocr_serving.web.contract import MODULE_NAMES
from ppocr_serving.web.doors import CAPABILITIES, DOORS, EVENT, PREDICT_PREFIX
from ppocr_serving.web.responses import Response, json_response
from ppocr_serving.web.v1.choices import AnswerOptions, option_hints
from ppocr_serving.web.v1.negotiation import essence
from ppocr_serving.web.v1.refusals import RAW_TYPES

__all__ = ["capabilities", "option_schemas"]

_KINDS: Final = ("jpeg", "png", "bmp", "webp", "tiff", "gif", "pdf")


def capabilities(call: Call) -> Response:
    """Answer what can be read, and how.

    Raises:
        ModuleNotServed: Entire pages are not read here.
    """
    reader = call.reader(CAPABILITIES.module)
    profile = reader.settings.models.profile
    defaults = {**effective_options(reader, ReadOptions()), "format": "json", "partial": False, "page_images": False}
    stated = {
        "version": __version__,
        "profiles": [
            {
                "name": profile.name,
                "summary": profile.summary,
                "languages": profile.languages,
                "files": reader.model_hashes,
            }
        ],
        "languages": profile.languages,
        "inputs": {"kinds": _KINDS, "media_types": RAW_TYPES},
        "formats": [
            {"name": form.name, "media_type": essence(form), "extension": form.extension} for form in FORMATS.values()
        ],
        "options": {name: {**schema, "default": defaults.get(name)} for name, schema in option_schemas().items()},
        "limits": _limits(reader, call),
        "adapters": {
            "hubserving": [f"{PREDICT_PREFIX}{name}" for name in MODULE_NAMES if name in call.readers],
            "events": [path for path, door in DOORS.items() if door is EVENT],
            **_adapters(call),
        },
    }
    return json_response(msgspec.json.encode(stated), HTTPStatus.OK)


def option_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each option of `/v1/read`, made from its type, with its description."""
    descriptions = {**_descriptions(ReadOptions), **_descriptions(AnswerOptions)}
    schemas = {}
    for name, hint in option_hints().items():
        schema = _schema(hint)
        if name in LIMITED_SIDES:
            schema["maximum"] = MAX_SIDE_LENGTH
        if name == "format":
            schema["enum"] = list(FORMATS)
        schemas[name] = {"description": descriptions[name], **schema}
    return schemas


def _limits(reader: Reader, call: Call) -> dict[str, int | float]:
    reading, server = reader.settings.reading, call.settings
    return {
        "max_body_mb": server.max_body_mb,
        "max_files": server.max_images,
        "max_pages": reading.max_pages,
        "max_pixels": reading.max_pixels,
        "max_request_pixels": server.max_request_pixels,
        "max_lines": reading.max_lines,
        "request_timeout": server.request_timeout,
        "document_timeout": server.document_timeout,
    }


def _schema(hint: Any) -> dict[str, Any]:
    """Return the schema of an optional value, without null, which stands for the default."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    # One by one: the library takes no union of several kinds of lists.
    schemas = [msgspec.json.schema(kind) for kind in kinds]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _descriptions(kind: type) -> dict[str, str]:
    """Return what the documentation of a class says of each attribute."""
    text = inspect.getdoc(kind) or ""
    section = re.search(r"^Attributes:\n(.*?)(?:^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", section[1] if section else "", re.MULTILINE | re.DOTALL)
    return {name: " ".join(body.split()) for name, body in found}


def _adapters(call: Call) -> dict[str, list[str]]:
    """Return the paths of each adapter that is switched on."""
    return {
        name: [path for path, door in DOORS.items() if name in door.adapters]
        for name in sorted(enabled_adapters(call.settings.adapters))
    }
