"""What clients of Umi-OCR send and read."""

import json
from typing import Any

import pytest

from ppocr_serving.settings import ServerSettings
from tests.asgi import Answer
from tests.served.samples import file_of, page
from tests.web.adapters.conftest import Served
from tests.web.adapters.pictures import BLANK, HELLO, INVOICE, INVOICE_LINES, base64_of, columns, table


def ask_umi(served: Served, file: bytes, **options: Any) -> Answer:
    named = {name.replace("__", "."): value for name, value in options.items()}
    return served.post_json("/api/ocr", {"base64": base64_of(file), "options": named})


def test_the_documented_request_is_answered(served: Served) -> None:
    answer = ask_umi(
        served,
        INVOICE,
        **{
            "ocr.language": "models/config_chinese.txt",
            "ocr.cls": True,
            "ocr.limit_side_len": 4320,
            "tbpu.parser": "multi_none",
            "data.format": "text",
        },
    )
    assert answer.status == 200
    assert answer.json["code"] == 100
    assert answer.json["data"] == " ".join(INVOICE_LINES)
    assert answer.json["time"] > 0
    assert answer.json["timestamp"] > 1.7e9


def test_lines_have_text_score_box_and_end(served: Served) -> None:
    answer = served.post_json("/api/ocr", {"base64": f"data:image/png;base64,{base64_of(INVOICE)}"}).json
    assert [row["text"] for row in answer["data"]] == INVOICE_LINES
    for row in answer["data"]:
        assert row.keys() == {"text", "score", "box", "end"}
        assert [len(corner) for corner in row["box"]] == [2] * 4
    assert answer["data"][-1]["end"] == "\n"
    assert answer["score"] == pytest.approx(sum(row["score"] for row in answer["data"]) / 2)


def test_a_body_without_a_content_type_is_read(served: Served) -> None:
    body = json.dumps({"base64": base64_of(HELLO), "options": {"data.format": "text"}}).encode()
    answer = served.post("/api/ocr", body, "")
    assert answer.json["data"] == "Hello World\n"


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        ("single_line", "Apples\n3.20\nPears\n4.50\n"),
        ("none", "Apples\n3.20\nPears\n4.50\n"),
        ("single_none", "Apples 3.20 Pears 4.50"),
    ],
)
def test_parsers_order_and_end_lines(served: Served, parser: str, text: str) -> None:
    picture = table([("Apples", "3.20"), ("Pears", "4.50")])
    assert ask_umi(served, picture, tbpu__parser=parser, data__format="text").json["data"] == text


def test_columns_are_read_one_after_the_other_where_that_is_asked_for(served: Served) -> None:
    left = [
        "The river winds through",
        "a valley of green hills",
        "and passes three small",
        "villages on its way to",
        "the sea. Boats carry the",
    ]
    right = [
        "harvest to the market in",
        "autumn, when the nights",
        "grow longer and the road",
        "along the bank is muddy",
        "after days of steady rain.",
    ]
    picture = columns(left, right)
    found = ask_umi(served, picture, tbpu__parser="multi_line", data__format="text").json["data"]
    assert found.splitlines() == [*left, *right]
    found = ask_umi(served, picture, tbpu__parser="single_line", data__format="text").json["data"]
    assert found.splitlines()[:4] == [left[0], right[0], left[1], right[1]]


def test_a_paragraph_is_running_text(served: Served) -> None:
    paragraph = file_of(
        page(["The quick brown fox jumps", "over the lazy dog and then", "it sleeps under the tree."], 30)
    )
    found = ask_umi(served, paragraph, tbpu__parser="multi_para", data__format="text").json["data"]
    assert found == "The quick brown fox jumps over the lazy dog and then it sleeps under the tree.\n"


def test_areas_are_ignored_with_the_lines_entirely_in_them(served: Served) -> None:
    upper = [[0, 0], [640, 90]]
    found = ask_umi(served, INVOICE, tbpu__ignoreArea=[upper], data__format="text").json
    assert found["data"] == f"{INVOICE_LINES[1]}\n"
    half = [[0, 0], [100, 90]]
    assert len(ask_umi(served, INVOICE, tbpu__ignoreArea=[half]).json["data"]) == 2
    assert ask_umi(served, INVOICE, tbpu__ignoreArea=[[[0, 0], [640, 640]]]).json["code"] == 101


def test_nothing_found_is_code_101(served: Served) -> None:
    answer = ask_umi(served, BLANK)
    assert answer.status == 200
    assert answer.json["code"] == 101
    assert isinstance(answer.json["data"], str)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "models/config_en.txt"}, "'language' is not a field of this request; did you mean ocr.language?"),
        ({"limit_side_len": 960}, "'limit_side_len' is not a field of this request; did you mean ocr.limit_side_len?"),
        ({"data.format": "xml"}, "data.format is 'xml': must be one of dict, text"),
        ({"tbpu.parser": "single_code"}, "tbpu.parser is 'single_code': "),
        ({"ocr.cls": "true"}, "ocr.cls is 'true': must be true or false"),
        (
            {"ocr.language": "models/config_korean.txt"},
            "ocr.language is 'models/config_korean.txt', which the models do",
        ),
        ({"tbpu.ignoreArea": [[1, 2]]}, "tbpu.ignoreArea is [[1, 2]]: "),
    ],
)
def test_options_that_would_have_no_effect_are_refused(served: Served, options: dict[str, Any], message: str) -> None:
    answer = served.post_json("/api/ocr", {"base64": base64_of(HELLO), "options": options})
    assert answer.status == 400
    assert answer.json["code"] == 400
    assert answer.json["data"].startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "base64: the key is missing"),
        ({"base64": 5}, "base64: is a number; send the base64 of a file as a string"),
        ({"base64": "%"}, "base64: is not valid base64"),
        ({"base64": base64_of(b"text")}, ""),
        ([], "the body: is a list; send an object"),
        ({"base64": "", "options": []}, "options: is not an object"),
        ({"base64": "", "option": {}}, "'option' is not a field of this request; did you mean options?"),
    ],
)
def test_wrong_bodies_are_refused(served: Served, body: Any, message: str) -> None:
    answer = served.post_json("/api/ocr", body)
    assert (answer.status, answer.json["code"]) == (400, 400)
    assert answer.json["data"].startswith(message)


def test_options_can_be_asked_for(served: Served) -> None:
    options = served.get("/api/ocr/get_options")
    assert options.status == 200
    assert options.json["tbpu.parser"]["default"] == "multi_para"
    assert options.json["ocr.language"]["optionsList"][0] == ["models/config_chinese.txt", "zh-Hans"]
    defaults = {name: option["default"] for name, option in options.json.items()}
    assert ask_umi(served, INVOICE, **defaults).json["code"] == 100
    for name, option in options.json.items():
        for value, _ in option.get("optionsList", []):
            assert ask_umi(served, HELLO, **{name: value}).json["code"] == 100
    assert served.with_settings(ServerSettings(adapters=("none",))).get("/api/ocr/get_options").status == 404
