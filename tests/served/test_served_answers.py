"""The contract's successful answers, from real servers."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from tests.served.samples import as_base64, line, page
from tests.served.server import Served

INVOICE = as_base64(page(["Invoice 2024", "Total 318.50"]))
BLANK = as_base64(Image.new("RGB", (200, 100), "white"))
HELLO = as_base64(page(["Hello World"]))
HELLO_LINE = as_base64(line("Hello World"))


def texts(items: list[dict[str, Any]]) -> list[str]:
    """Return the texts of lines without spaces: whether the model sees one is not tested here."""
    return [item["text"].replace(" ", "") for item in items]


def assert_region(region: Any, width: int, height: int) -> None:
    """Check for four corners of whole pixels inside the picture, clockwise on the screen from the text's top left."""
    assert len(region) == 4
    for corner in region:
        assert [type(value) for value in corner] == [int, int]
        assert 0 <= corner[0] <= width
        assert 0 <= corner[1] <= height
    assert region[0] == min(region, key=sum)
    twice_area = sum(x * v - u * y for (x, y), (u, v) in zip(region, region[1:] + region[:1], strict=True))
    assert twice_area > 0  # with y pointing down, this is clockwise


def test_system_answers_one_list_per_picture_in_order(served: Served) -> None:
    answer = served.post("ocr_system", [INVOICE, BLANK, HELLO])

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"msg", "results", "status"}
    assert (body["msg"], body["status"]) == ("", "000")
    invoice, blank, hello = body["results"]
    assert texts(invoice) == ["Invoice2024", "Total318.50"]
    assert blank == []
    assert texts(hello) == ["HelloWorld"]
    for item, height in [(invoice[0], 200), (invoice[1], 200), (hello[0], 120)]:
        assert item.keys() == {"text", "confidence", "text_region"}
        assert 0.5 <= item["confidence"] <= 1
        assert_region(item["text_region"], 640, height)
    assert invoice[0]["text_region"][2][1] < invoice[1]["text_region"][0][1]


def test_detection_answers_one_list_per_picture_in_order(served: Served) -> None:
    blank, invoice, hello = served.results("ocr_det", [BLANK, INVOICE, HELLO])

    assert blank == []
    assert [len(invoice), len(hello)] == [2, 1]
    for item, height in [(invoice[0], 200), (invoice[1], 200), (hello[0], 120)]:
        assert item.keys() == {"text_region"}
        assert_region(item["text_region"], 640, height)


def test_classification_answers_one_list_for_all_pictures(served: Served) -> None:
    upside_down = as_base64(line("Hello World").rotate(180))

    results = served.results("ocr_cls", [HELLO_LINE, upside_down, HELLO_LINE])

    assert len(results) == 1
    assert [item["angle"] for item in results[0]] == ["0", "180", "0"]
    for item in results[0]:
        assert item.keys() == {"angle", "confidence"}
        assert 0.9 < item["confidence"] <= 1


def test_recognition_answers_one_list_for_all_pictures(served: Served) -> None:
    # Different widths, so that the recogniser's sorting by width would show if it were not undone.
    wanted = ["A long line of 4711 words", "Hello World", "No", "Order 4711"]

    results = served.results("ocr_rec", [as_base64(line(text)) for text in wanted])

    assert len(results) == 1
    assert texts(results[0]) == [text.replace(" ", "") for text in wanted]
    for item in results[0]:
        assert item.keys() == {"text", "confidence"}
        assert 0 < item["confidence"] <= 1


def test_recognition_drops_nothing(served: Served) -> None:
    ((item,),) = served.results("ocr_rec", [BLANK])

    assert item.keys() == {"text", "confidence"}
    assert math.isfinite(item["confidence"])


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_every_format_is_read(served: Served, file_format: str) -> None:
    ((item,),) = served.results("ocr_rec", [as_base64(line("Hello World"), file_format)])

    assert texts([item]) == ["HelloWorld"]


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: f"data:image/png;base64,{text}",
        lambda text: f"\n  DATA:image/x-png;base64,{text}\n",
        lambda text: "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76)) + "\r\n",
        lambda text: f" \t{text[:7]} {text[7:]}",
    ],
    ids=["data-url", "data-url-in-capitals", "lines-of-76", "whitespace"],
)
def test_prefixes_and_whitespace_are_tolerated(served: Served, disguise: Any) -> None:
    assert served.results("ocr_rec", [disguise(HELLO_LINE)]) == served.results("ocr_rec", [HELLO_LINE])


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"]
)
def test_variants_of_the_content_type_are_accepted(served: Served, content_type: str) -> None:
    answer = served.post("ocr_rec", [HELLO_LINE], **{"Content-Type": content_type})

    assert (answer.status_code, answer.json()["status"]) == (200, "000")


def test_a_body_without_a_declared_length_is_read(served: Served) -> None:
    body = json.dumps({"images": [HELLO_LINE]}).encode()

    answer = requests.post(
        f"{served.url}/predict/ocr_rec",
        data=iter([body[:10], body[10:]]),
        headers={"Content-Type": "application/json"},
        timeout=60,
    )

    assert answer.status_code == 200, answer.text
    assert texts(answer.json()["results"][0]) == ["HelloWorld"]


def test_expect_100_continue_is_answered(served: Served) -> None:
    body = json.dumps({"images": [HELLO_LINE]}).encode()
    head = (
        "POST /predict/ocr_rec HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    answer = served.raw(head.encode() + body)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_the_picture_of_the_readme_is_read_and_its_text_is_not_escaped(served: Served) -> None:
    picture = Path(__file__).parents[3] / "shared" / "data" / "images" / "curl_example.png"
    if not picture.is_file():
        pytest.skip(f"the picture of the contract's curl command is not at {picture}")

    answer = served.post("ocr_system", [base64.b64encode(picture.read_bytes()).decode()])

    ((item,),) = answer.json()["results"]
    assert item["text"] == "其他工具相关"
    assert item["confidence"] > 0.9
    assert '"其他工具相关"'.encode() in answer.content


def test_the_page_is_one_answer_that_browsers_keep(served: Served) -> None:
    answer = requests.get(served.url, timeout=60)  # accepts gzip
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.text.startswith("<!doctype html>")
    assert '<script type="module">' in answer.text

    plain = requests.get(served.url, headers={"Accept-Encoding": "identity"}, timeout=60)
    assert (plain.text, plain.headers.get("Content-Encoding")) == (answer.text, None)
    assert len(plain.content) == int(plain.headers["Content-Length"]) < 120_000
    head = requests.head(served.url, headers={"Accept-Encoding": "identity"}, timeout=60)
    assert (head.content, head.headers["Content-Length"]) == (b"", plain.headers["Content-Length"])
    with requests.Session() as session:  # on one connection, so that a body of the first answer would spoil the second
        for _ in range(2):
            kept = session.get(served.url, headers={"If-None-Match": answer.headers["ETag"]}, timeout=60)
            assert (kept.status_code, kept.content) == (304, b"")


def is_inside(corner: list[int], region: list[list[int]]) -> bool:
    """Return whether a corner is in the rectangle around a region, or on its edge."""
    return all(min(sides) <= side <= max(sides) for side, sides in zip(corner, zip(*region, strict=True), strict=True))


def test_a_page_on_its_side_is_read_in_natural_order_with_its_words(served: Served) -> None:
    lines = ["Departures today", "Platform twelve", "Tickets from the machine"]
    picture = page(lines).rotate(90, expand=True)  # counter-clockwise
    body = {"images": [as_base64(picture)], "options": {"words": True, "reading_order": "natural"}}

    answer = requests.post(f"{served.url}/predict/ocr_system", json=body, timeout=60)

    assert answer.status_code == 200, answer.text
    (read,) = answer.json()["results"]
    assert texts(read) == [text.replace(" ", "") for text in lines]
    for item, drawn in zip(read, lines, strict=True):
        assert [word["text"] for word in item["words"]] == drawn.split()
        tops = [min(y for _, y in word["text_region"]) for word in item["words"]]
        assert tops == sorted(tops, reverse=True)  # the text runs upwards
        assert all(is_inside(corner, item["text_region"]) for word in item["words"] for corner in word["text_region"])
