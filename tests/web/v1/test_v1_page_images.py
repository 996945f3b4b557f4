"""Pages as they were read, as pictures in answers."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ppocr_serving.errors import LimitExceeded
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.v1.page_images import PageImages
from tests.asgi import Answer
from tests.pdf_files import show, text_page
from tests.served.samples import file_of, page
from tests.web.v1.service import Native, native

ONE, TWO = page(["Page one"]), page(["Page two"])
TYPED = text_page(show("First page", 40, 100, 40), show("Second page", 40, 100, 40))


@pytest.fixture(scope="module")
def service() -> Iterator[Native]:
    with native() as served:
        yield served


def tiff_of(*pictures: Image.Image) -> bytes:
    first, *others = (picture.copy() for picture in pictures)
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others)
    return file.getvalue()


def streamed(answer: Answer) -> list[dict[str, Any]]:
    """Return the records of JSON lines, without the last one."""
    assert answer.status == 200, answer.body
    records = [json.loads(line) for line in answer.body.splitlines()]
    assert records.pop()["type"] == "end"
    return records


def picture_of(image: dict[str, str]) -> Image.Image:
    assert image["media_type"] == "image/jpeg"
    picture = Image.open(io.BytesIO(base64.b64decode(image["data"], validate=True)))
    assert picture.format == "JPEG"
    return picture


def text_in(page: dict[str, Any]) -> str:
    return " ".join(line["text"] for paragraph in page["paragraphs"] for line in paragraph["lines"])


@pytest.mark.parametrize(
    ("file", "options"),
    [
        (file_of(ONE), {}),
        (tiff_of(ONE, TWO.rotate(90, expand=True)), {}),
        (TYPED, {"dpi": "144"}),
        (TYPED, {"pdf_text": "prefer"}),
        (TYPED, {"pages": "2", "dpi": "72", "region": "10,40,380,90"}),
    ],
    ids=["picture", "tiff", "pdf", "pdf-text", "region"],
)
def test_each_page_of_json_lines_brings_its_picture(service: Native, file: bytes, options: dict[str, str]) -> None:
    records = streamed(service.read(file, format="jsonl", page_images="true", **options))
    assert records
    for record in records:
        found = record["page"]
        picture = picture_of(record["image"])
        assert picture.size == (found["width"], found["height"])
        again = service.read(base64.b64decode(record["image"]["data"]), "image/jpeg").json
        (same,) = again["documents"][0]["pages"]
        assert (text_in(same), same["angle"]) == (text_in(found), found["angle"])
        for line in (line for paragraph in found["paragraphs"] for line in paragraph["lines"]):
            xs, ys = zip(*line["box"], strict=True)
            ink = np.asarray(picture.convert("L").crop((min(xs), min(ys), max(xs), max(ys))))
            assert ink.min() < 100, "there is no text in the box"

    plain = streamed(service.read(file, format="jsonl", **options))
    assert [record["page"] for record in plain] == [record["page"] for record in records]
    assert not any("image" in record for record in plain)


def test_json_and_json_lines_bring_the_same_pictures(service: Native) -> None:
    file = tiff_of(ONE, TWO)
    gathered = service.read(file, page_images="true").json["page_images"]
    records = streamed(service.read(file, format="jsonl", page_images="true"))
    assert [image["data"] for image in gathered] == [record["image"]["data"] for record in records]
    assert [(image["document"], image["page"]) for image in gathered] == [(0, 1), (0, 2)]


def test_a_page_that_cannot_be_read_has_no_picture() -> None:
    with native(max_pixels=1_000_000) as small:
        large = tiff_of(ONE, Image.new("RGB", (1100, 1000)), TWO)
        records = streamed(small.read(large, format="jsonl", page_images="true"))
    assert [(record["type"], "image" in record) for record in records] == [
        ("page", True),
        ("error", False),
        ("page", True),
    ]
    assert picture_of(records[2]["image"]).size == TWO.size


def test_a_page_too_long_for_a_jpeg_file_is_an_error_of_its_own(service: Native) -> None:
    long = Image.new("RGB", (65_501, 8), "white")
    records = streamed(service.read(tiff_of(ONE, long, TWO), format="jsonl", page_images="true"))
    assert [record["type"] for record in records] == ["page", "error", "page"]
    error = records[1]["error"]
    assert (error["code"], records[1]["number"]) == ("limit_exceeded", 2)
    assert "page_images: 65501x8 pixels; JPEG has at most 65500 on a side" in error["message"]
    answer = service.read(file_of(long), page_images="true")
    assert (answer.status, answer.json["error"]["code"]) == (413, "limit_exceeded")


def test_pictures_go_through_a_gateway(service: Native) -> None:
    event = {
        "path": "/v1/read",
        "queryString": {"format": "jsonl", "page_images": "true"},
        "body": base64.b64encode(file_of(ONE)).decode(),
        "isBase64Encoded": True,
    }
    answer = service.post("/invoke", json.dumps(event).encode()).json
    first = json.loads(answer["body"].splitlines()[0])
    assert picture_of(first["image"]).size == ONE.size


def test_pictures_that_are_gathered_have_a_limit_together() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    file = PageImages(Stopwatch()).encode(image)
    images = PageImages(Stopwatch(), 2 * len(file))
    assert images.encode(image) == images.encode(image) == file
    with pytest.raises(LimitExceeded, match=rf"^page_images: the pages have more than {2 * len(file)} bytes as JPEG; "):
        images.encode(image)
    images = PageImages(Stopwatch())
    assert {images.encode(image) for _ in range(100)} == {file}


def test_a_picture_is_let_go_of_when_it_is_taken() -> None:
    images = PageImages(Stopwatch())
    images.keep(np.zeros((8, 8, 3), np.uint8))
    assert (images.take() or b"").startswith(b"\xff\xd8")
    assert images.take() is None
