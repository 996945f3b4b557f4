"""Agreement of the description of the HTTP API with the service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import ppocr_serving.web
from ppocr_serving import errors
from ppocr_serving.outputs import FORMATS
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.web.contract import MODULE_NAMES
from ppocr_serving.web.doors import DOORS
from ppocr_serving.web.v1.capabilities import option_schemas
from ppocr_serving.web.v1.choices import RENDER_OPTIONS
from ppocr_serving.web.v1.negotiation import essence
from tests.pdf_files import show, text_page
from tests.served.samples import file_of, line
from tests.web.v1.service import Native, native

WEB = Path(ppocr_serving.web.__file__).parent
API = json.loads((WEB / "openapi.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def service() -> Iterator[Native]:
    with native() as served:
        yield served


def resolved(value: Any) -> Any:
    """Return a part of the description without references."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        found: Any = API
        for key in value["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return resolved(found)
    return {key: resolved(item) for key, item in value.items()}


def operation(path: str, method: str = "post") -> dict[str, Any]:
    found: dict[str, Any] = resolved(API["paths"][path])[method]
    return found


def without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_descriptions(item) for key, item in value.items() if key != "description"}
    return [without_descriptions(item) for item in value] if isinstance(value, list) else value


def require_valid(answer: Any, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": API["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)


def test_what_is_served_is_what_people_edit() -> None:
    assert yaml.safe_load((WEB / "openapi.yaml").read_text(encoding="utf-8")) == API, "run scripts/openapi.py"


def test_every_path_and_method_is_described(service: Native) -> None:
    methods = {
        **{f"/predict/{name}": ("POST",) for name in MODULE_NAMES},
        **{path: door.methods for path, door in DOORS.items()},
        **service.application.paths,
    }
    described = {path: set(resolved(item)) for path, item in API["paths"].items()}
    assert described == {path: {name.lower() for name in names if name != "HEAD"} for path, names in methods.items()}


def test_every_option_is_described_as_the_service_understands_it() -> None:
    schemas = {name: without_descriptions(schema) for name, schema in option_schemas().items()}
    described = resolved(API["components"]["schemas"]["Options"]["properties"])
    assert without_descriptions(described) == schemas
    assert {name: one["description"] for name, one in described.items()} == {
        name: schema["description"] for name, schema in option_schemas().items()
    }
    in_query = {one["name"]: one["schema"] for one in operation("/v1/read")["parameters"] if one["in"] == "query"}
    assert in_query.keys() == schemas.keys()
    assert {name: without_descriptions(schema) for name, schema in in_query.items() if name != "region"} == {
        name: schema for name, schema in schemas.items() if name != "region"
    }
    regions = "0,0,300,48;10,50,999999,1"
    jsonschema.validate(regions, in_query["region"])
    assert len(ReadOptions.from_text({"region": regions}).regions) == 2
    rendering = [one["name"] for one in operation("/v1/render")["parameters"] if one["in"] == "query"]
    assert tuple(rendering) == RENDER_OPTIONS


def test_every_format_is_described() -> None:
    for path in ("/v1/read", "/v1/render"):
        content = operation(path)["responses"]["200"]["content"]
        assert list(content) == [essence(form) for form in FORMATS.values()]


def test_every_code_of_an_error_is_described() -> None:
    codes = {getattr(errors, name).code for name in errors.__all__}
    assert set(API["components"]["schemas"]["Code"]["enum"]) == codes | {"internal_error"}


def test_real_answers_have_the_described_form(service: Native) -> None:
    typed = text_page(show("Some text", 40, 100, 40))
    for answer in (
        service.read(file_of(line("Hello")), words="true", page_images="true"),
        service.read(typed, pdf_text="prefer"),
        service.read_form([("file", "a.png", b"none")], partial="true"),
    ):
        assert answer.status == 200
        require_valid(answer.json, "Answer")
        require_valid({"documents": answer.json}, "RenderRequest")
    require_valid(service.read(b"none").json, "ErrorAnswer")
    require_valid(service.get("/v1/capabilities").json, "Capabilities")


def test_capabilities_say_what_is_understood(service: Native) -> None:
    first, second = service.get("/v1/capabilities"), service.get("/v1/capabilities")
    assert "Server-Timing" not in second.headers, "nothing was computed for it"
    assert first.body == second.body
    stated = first.json
    assert stated["profiles"][0]["name"] == "ppocr-v6"
    assert "en" in stated["languages"]
    assert [form["name"] for form in stated["formats"]] == list(FORMATS)
    assert stated["limits"]["max_files"] == 4
    assert stated["adapters"]["hubserving"] == ["/predict/ocr_system"]
    options = stated["options"]
    assert options["det_limit_side_len"]["maximum"] == 2000
    for name, option in options.items():
        default = option["default"]
        assert option["description"], name
        if default is not None:
            jsonschema.validate(default, option)


def test_the_description_and_the_version_are_served(service: Native) -> None:
    assert service.get("/openapi.json").json == API
    assert service.get("/version").json == {"name": "ppocr-serving", "version": ppocr_serving.__version__}


def test_no_comma_of_a_sentence_has_begun_another_key() -> None:
    def keys_without_value(value: Any) -> list[str]:
        if isinstance(value, list):
            return [key for item in value for key in keys_without_value(item)]
        if not isinstance(value, dict):
            return []
        empty = [key for key, item in value.items() if item is None]
        return empty + [key for item in value.values() for key in keys_without_value(item)]

    assert keys_without_value(API) == []
