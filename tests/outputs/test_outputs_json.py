"""JSON: all that is known of documents, and the way back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded
from ppocr_serving.outputs import Item, Origin, as_json, write
from ppocr_serving.results import Document, Line, Page
from tests.outputs import samples


def shown(item: Item) -> Any:
    (document,) = json.loads(write([item], "json"))["documents"]
    return document


def test_a_document_has_all_that_is_known_of_it(example: Document) -> None:
    origin = Origin("ppocr-v6", {"rec/model.onnx": "abc"}, {"words": True, "drop_score": 0.5}, "1.2.3")
    document = shown(Item(example, origin, {"decode": 0.00125}))

    assert document["name"] == example.name
    assert (document["error"], document["partial"], document["times"]) == (None, False, {"decode": 1.25})
    assert document["origin"] == {
        "profile": "ppocr-v6",
        "files": {"rec/model.onnx": "abc"},
        "options": {"words": True, "drop_score": 0.5},
        "version": "1.2.3",
    }
    (page,) = document["pages"]
    size = (page["number"], page["width"], page["height"], page["angle"], page["dpi"], page["text_source"])
    assert size == (1, 300, 96, 0, None, "ocr")
    (paragraph,) = page["paragraphs"]
    first, second = paragraph["lines"]
    assert (first["text"], second["text"]) == ("图中的文字2026", "Text in pictures")
    assert [word["text"] for word in first["words"]] == ["图", "中", "的", "文", "字", "2026"]
    assert tuple(map(tuple, second["box"])) == example.lines[1].box
    assert second["size"]["width"] == pytest.approx(210, abs=3)
    assert second["size"]["height"] == pytest.approx(34, abs=3)
    assert abs(second["angle"]) < 1
    assert 0.9 < second["confidence"] <= 1


def test_lines_of_a_turned_page_say_how_they_are_turned(turned: Document) -> None:
    (page,) = shown(Item(turned))["pages"]
    lines = [line for paragraph in page["paragraphs"] for line in paragraph["lines"] if len(line["text"]) > 3]

    assert page["angle"] == 90
    assert len(lines) >= 5
    assert all(abs(line["angle"] + 90) < 3 for line in lines)
    assert all(line["size"]["width"] > line["size"]["height"] for line in lines)


def test_the_way_back_restores_what_was_read(documents: tuple[Document, ...]) -> None:
    items = [Item(document) for document in documents]
    read = as_json.read(write(items, "json"))

    for before, after in zip(documents, read, strict=True):
        assert after.text == before.text
        assert [line.box for line in after.lines] == [line.box for line in before.lines]
        assert [line.paragraph for line in after.lines] == [line.paragraph for line in before.lines]
        assert [len(line.words) for line in after.lines] == [len(line.words) for line in before.lines]
    assert write([Item(document) for document in read], "json") == write(items, "json")


@given(samples.documents)
@settings(max_examples=50)
def test_every_document_can_be_written_and_read_back(document: Document) -> None:
    written = write([Item(document)], "json")
    (read,) = as_json.read(written)

    assert write([Item(read)], "json") == written
    assert len(read.lines) == len(document.lines)


def test_lines_that_go_across_the_page_keep_their_order() -> None:
    lines = [Line(text, 0.5, samples.box_at(0, 0, 9, 9), (), index % 2) for index, text in enumerate("abcd")]
    (read,) = as_json.read(write([Item(Document((Page(9, 9, tuple(lines)),)))], "json"))

    assert read.lines == tuple(lines)


def test_a_corrected_document_needs_only_texts_and_boxes() -> None:
    data = b"""{"documents": [{"pages": [{"width": 90, "height": 30, "paragraphs": [
        {"lines": [{"text": "corrected", "box": [[1, 2], [80, 2], [80, 20], [1, 20]]}]}]}]}]}"""
    (document,) = as_json.read(data)

    assert document.text == "corrected"
    assert document.lines[0].confidence == 1.0


def test_errors_come_back_as_errors_of_their_kind() -> None:
    failed = Document((Page(0, 0, error=ImageDecodeError("is damaged")), Page(5, 5, number=2)), "a.tif")
    assert shown(Item(failed))["partial"] is True
    (read,) = as_json.read(write([Item(failed)], "json"))

    assert isinstance(read.pages[0].error, ImageDecodeError)
    assert str(read.pages[0].error) == "is damaged"


def test_a_document_of_which_nothing_was_read_is_not_partial() -> None:
    error = ImageDecodeError("is damaged")
    assert shown(Item(Document((), "a", error)))["partial"] is False
    assert shown(Item(Document((Page(0, 0, error=error),), "a")))["partial"] is False


LINE = {"text": "x", "box": [[0, 0], [1, 0], [1, 1], [0, 1]]}


def file_with(**changes: object) -> bytes:
    page = {"width": 5, "height": 5, "paragraphs": [{"lines": [{**LINE, **changes}]}]}
    return json.dumps({"documents": [{"pages": [page]}]}).encode()


PLACE = "documents[0].pages[0].paragraphs[0].lines[0]"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (file_with(box=[[0, 0], [1, 0], [1, 1]]), f"{PLACE}.box: must be a list of 4 items"),
        (file_with(box=[[0, 0], [1, 0], [1, 1], [0, "1"]]), f"{PLACE}.box[3][1]: must be a whole number, and is text"),
        (
            file_with(box=[[0, 0], [1, 0], [1, 1], [0, 10**9]]),
            f"{PLACE}.box[3][1]: must be a whole number up to 2000000",
        ),
        (file_with(confidence=1.5), f"{PLACE}.confidence: must be a number up to 1.0"),
        (file_with(txt="x"), f"{PLACE}: object contains unknown field `txt`"),
        (file_with(**{"a\x1b[31m\n": 1}), f"{PLACE}: object contains unknown field `a\\x1b[31m\\n`"),
        (file_with(text=5), f"{PLACE}.text: must be text, and is a whole number"),
        (file_with(words=[LINE] * 3 + [{}]), f"{PLACE}.words[3]: object missing required field `text`"),
        (
            b'{"documents": [{"pages": [{"width": 1, "height": -1}]}]}',
            "documents[0].pages[0].height: must be a whole number from 0",
        ),
        (b'{"documents": [{"pages": [{"width": 1, "height": 1, "angle": 45}]}]}', "documents[0].pages[0].angle: "),
        (b"[]", "the documents: must be an object, and is a list"),
        (b"{", "the documents are not valid JSON"),
        (b"\xff\xfe", "the documents are not valid JSON"),
        (b'{"documents": ["\xed\xa0\x80"]}', "documents[0]: must be an object, and is text"),
        (b'{"documents": [{"pages": [], "name": "\xed\xa0\x80"}]}', "the documents are not valid JSON"),
        (b'{"documents": [{"pages": [], "origin": ' + b"[" * 100_000, "the documents are not valid JSON"),
        (b'{"documents": ' + b"[" * 100_000, "documents[0]: must be an object, and is a list"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        as_json.read(data)

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def lines_of(count: int) -> bytes:
    page = {"width": 5, "height": 5, "paragraphs": [{"lines": [{**LINE, "words": [LINE]}] * count}]}
    return json.dumps({"documents": [{"pages": [page]}]}).encode()


@pytest.mark.parametrize(
    ("data", "limits", "what"),
    [
        (lines_of(1), as_json.Limits(max_bytes=20), "bytes; the limit is 20"),
        (b'{"documents": [{"pages": []}, {"pages": []}]}', as_json.Limits(max_documents=1), "2 documents"),
        (lines_of(1), as_json.Limits(max_pages=0), "1 pages; the limit is 0"),
        (lines_of(3), as_json.Limits(max_lines=2), "3 lines; the limit is 2"),
        (lines_of(3), as_json.Limits(max_words=2), "3 words; the limit is 2"),
    ],
)
def test_more_than_the_limits_allow_is_refused(data: bytes, limits: as_json.Limits, what: str) -> None:
    with pytest.raises(LimitExceeded, match=what):
        as_json.read(data, limits)


def test_a_long_text_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="length <= 100000"):
        as_json.read(file_with(text="x" * 100_001))


def test_documents_with_names_of_any_bytes_are_written() -> None:
    item = samples.hostile_item()
    (document,) = json.loads(write([item], "json"))["documents"]

    assert document["name"].startswith('a";<b>')
    assert document["pages"][1]["error"]["message"] == "is <b>damaged</b> =1+1"
