"""Requests to every door of the service, and a client for them."""

import json
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from time import perf_counter
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlencode

__all__ = ["BOUNDARY", "JSON", "RECIPES", "Answer", "Asked", "Client", "Lost", "Options", "Recipe", "form"]

JSON: Final = "application/json"
BOUNDARY: Final = "part-of-a-form"

Options = Mapping[str, bool | float | str | tuple[int, ...]]
"""Options of one request, by name."""


class Asked(NamedTuple):
    """A request.

    Attributes:
        door: Name of the door that answers, whose form the answer must have.
        path: Path and query.
        content_type: The header; empty leaves it out.
        body: The body.
        format: Name of the form of a good answer, where the door has several.
        method: HTTP method.
    """

    door: str
    path: str
    content_type: str
    body: bytes
    format: str = "json"
    method: str = "POST"


class Answer(NamedTuple):
    """An answer.

    Attributes:
        status: HTTP status.
        content_type: The header; empty if it is missing.
        body: The body.
        seconds: From the first byte of the request to the last byte of the answer.
    """

    status: int
    content_type: str
    body: bytes
    seconds: float = 0.0


class Lost(Exception):
    """A request without an answer; the message is one line."""


class Client:
    """One kept connection.

    Args:
        port: The server's.
        seconds: How long an answer may take.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(self, asked: Asked, headers: Mapping[str, str] = MappingProxyType({})) -> Answer:
        """Send a request and wait for its answer.

        Args:
            asked: The request.
            headers: Further headers.

        Raises:
            Lost: There is no answer, or it takes too long.
        """
        content = {"Content-Type": asked.content_type} if asked.content_type else {}
        start = perf_counter()
        try:
            self._connection.request(asked.method, asked.path, asked.body, {**content, **headers})
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise Lost(f"no answer ({type(error).__name__}: {' '.join(str(error).split())[:200]})") from error
        return Answer(answer.status, answer.getheader("Content-Type", ""), body, perf_counter() - start)


class Recipe(NamedTuple):
    """A way to have a file read.

    Attributes:
        name: Unique; begins with the door's name.
        door: The door.
        build: Returns the request for a file with options; those that the door does not have are left out.
        takes_pdf: Whether the file may also be a PDF.
    """

    name: str
    door: str
    build: Callable[[bytes, Options], Asked]
    takes_pdf: bool = False


def form(fields: Mapping[str, str], files: Mapping[str, bytes] = MappingProxyType({})) -> bytes:
    """Encode a form as multipart/form-data with the boundary `BOUNDARY`."""
    parts = []
    for name, text in fields.items():
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode())
    for name, data in files.items():
        head = (
            f'Content-Disposition: form-data; name="{name}"; filename="file"\r\nContent-Type: application/octet-stream'
        )
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


_FORM: Final = f"multipart/form-data; boundary={BOUNDARY}"


def _base64(file: bytes) -> str:
    return b64encode(file).decode("ascii")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _words(options: Options) -> dict[str, str]:
    """Return options as they are written in a query or a form."""
    return {name: _word(value) for name, value in options.items()}


def _word(value: bool | float | str | tuple[int, ...]) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _predict(module: str) -> Recipe:
    def build(file: bytes, options: Options) -> Asked:
        body = {"images": [_base64(file)], **({"options": dict(options)} if options else {})}
        return Asked("predict", f"/predict/{module}", JSON, _json(body))

    return Recipe(f"predict {module}", "predict", build)


def _raw(name: str) -> Recipe:
    def build(file: bytes, options: Options) -> Asked:
        query = urlencode({"format": name, **_words(options)})
        return Asked("v1/read", f"/v1/read?{query}", "application/octet-stream", file, name)

    return Recipe(f"v1/read raw {name}", "v1/read", build, takes_pdf=True)


def _multipart(name: str) -> Recipe:
    def build(file: bytes, options: Options) -> Asked:
        body = form({"format": name, **_words(options)}, {"file": file})
        return Asked("v1/read", "/v1/read", _FORM, body, name)

    return Recipe(f"v1/read form {name}", "v1/read", build, takes_pdf=True)


def _in_json(name: str) -> Recipe:
    def build(file: bytes, options: Options) -> Asked:
        body = {"files": [{"data": _base64(file)}], "options": {"format": name, **options}}
        return Asked("v1/read", "/v1/read", JSON, _json(body), name)

    return Recipe(f"v1/read json {name}", "v1/read", build, takes_pdf=True)


_BOX: Final = ((9, 9), (60, 9), (60, 30), (9, 30))
_LINE: Final = {
    "text": "No. <2026> & 图",
    "box": _BOX,
    "confidence": 0.9,
    "words": [{"text": "No.", "box": _BOX, "confidence": 0.8}],
}


def _document(file: bytes) -> dict[str, Any]:
    """Return what a reading of a picture could have been: a page of its size, if it is a PNG."""
    width, height = struct.unpack(">II", file[16:24].ljust(8)) if file.startswith(b"\x89PNG") else (122, 48)
    return {"name": "made by hand", "pages": [{"width": width, "height": height, "paragraphs": [{"lines": [_LINE]}]}]}


def _render(name: str) -> Recipe:
    def build(file: bytes, _: Options) -> Asked:
        body = {"documents": [_document(file)], "files": [{"data": _base64(file)}], "options": {"format": name}}
        return Asked("v1/render", "/v1/render", JSON, _json(body), name)

    return Recipe(f"v1/render {name}", "v1/render", build)


def _event(recipe: Recipe) -> Recipe:
    """Wrap the requests of a recipe as an API gateway does."""

    def build(file: bytes, options: Options) -> Asked:
        asked = recipe.build(file, options)
        event = {
            "path": asked.path,
            "httpMethod": asked.method,
            "headers": {"Content-Type": asked.content_type},
            "body": _base64(asked.body),
            "isBase64Encoded": True,
        }
        return Asked(f"event {recipe.door}", "/invoke", JSON, _json(event), asked.format)

    return recipe._replace(name=f"event {recipe.name}", door=f"event {recipe.door}", build=build)


def _paddlex(file: bytes, _: Options) -> Asked:
    body = {"file": _base64(file), "fileType": int(not file.startswith(b"%PDF")), "visualize": False}
    return Asked("ocr json", "/ocr", JSON, _json(body))


def _rapidocr(file: bytes, _: Options) -> Asked:
    return Asked("ocr form", "/ocr", _FORM, form({}, {"image_file": file}))


def _liteparse(file: bytes, _: Options) -> Asked:
    return Asked("ocr file", "/ocr", _FORM, form({"language": "en"}, {"file": file}))


def _umi(file: bytes, _: Options) -> Asked:
    return Asked("api/ocr", "/api/ocr", JSON, _json({"base64": _base64(file), "options": {"data.format": "dict"}}))


def _ocr_space(file: bytes, _: Options) -> Asked:
    return Asked("parse/image", "/parse/image", _FORM, form({"isOverlayRequired": "true"}, {"file": file}))


_PREDICT: Final = tuple(_predict(module) for module in ("ocr_system", "ocr_det", "ocr_cls", "ocr_rec"))
_FORMATS: Final = ("json", "text", "markdown", "hocr", "alto", "csv", "jsonl", "pdf", "png")
_READ: Final = tuple(make(name) for make in (_raw, _multipart, _in_json) for name in _FORMATS)

RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            *_PREDICT,
            *_READ,
            *map(_render, _FORMATS),
            _event(_PREDICT[0]),
            _event(_READ[0]),
            Recipe("ocr json", "ocr json", _paddlex, takes_pdf=True),
            Recipe("ocr form", "ocr form", _rapidocr),
            Recipe("ocr file", "ocr file", _liteparse),
            Recipe("api/ocr", "api/ocr", _umi),
            Recipe("parse/image", "parse/image", _ocr_space, takes_pdf=True),
        )
    }
)
"""All recipes by name."""
