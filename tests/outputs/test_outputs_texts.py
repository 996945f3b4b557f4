"""Text, Markdown, CSV and JSON lines."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ppocr_serving.errors import ImageDecodeError
from ppocr_serving.outputs import Item, jsonl, write
from ppocr_serving.outputs.as_csv import COLUMNS, guarded
from ppocr_serving.outputs.as_markdown import escaped
from ppocr_serving.outputs.texts import plain
from ppocr_serving.results import Document, Line, Page
from tests.outputs import samples

HARMLESS = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "text_special"}


def text_of(*items: Item) -> str:
    return write(items, "text").decode()


def test_text_has_a_row_per_line_and_an_empty_one_between_paragraphs() -> None:
    lines = [Line(text, 1, samples.box_at(0, 0, 9, 9), (), number) for text, number in [("a", 0), ("b", 0), ("c", 1)]]

    assert text_of(Item(Document((Page(9, 9, tuple(lines)),)))) == "a\nb\n\nc\n"


def test_text_of_lines_across_the_page_has_no_gaps() -> None:
    lines = [Line(text, 1, samples.box_at(0, 0, 9, 9), (), number) for text, number in [("a", 0), ("b", 1), ("c", 0)]]

    assert text_of(Item(Document((Page(9, 9, tuple(lines)),)))) == "a\nb\nc\n"


def test_text_has_a_form_feed_between_pages_of_all_documents() -> None:
    pages = (samples.page_of(["one"]), Page(0, 0, number=2, error=ImageDecodeError("is damaged")))

    assert text_of(Item(Document(pages)), Item(Document((samples.page_of(["three"]),)))) == "one\n\f\fthree\n"


def test_text_of_real_documents_is_their_text(documents: tuple[Document, ...]) -> None:
    for document in documents:
        shown = text_of(Item(document))
        assert [row for row in shown.split("\n") if row] == document.text.split("\n")


def test_no_text_adds_rows_or_pages() -> None:
    item = samples.hostile_item()

    assert text_of(item).count("\n") == len(samples.HOSTILE)
    assert text_of(item).count("\f") == 1
    assert re.search("[\x00-\x09\x0b\x0d-\x1f\x7f-\x9f\u2028\u2029]", text_of(item)) is None


def parsed(text: str) -> list[Token]:
    return MarkdownIt("gfm-like").parse(text)


def flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def read_back(text: str) -> list[str]:
    """Return the rows of each paragraph as a reader of Markdown shows them."""
    rows = []
    for token in parsed(text):
        if token.type == "inline":
            shown = "".join("\n" if child.type == "softbreak" else child.content for child in token.children or [])
            rows += shown.split("\n")
    return rows


@pytest.mark.parametrize("text", samples.HOSTILE)
@pytest.mark.parametrize("before", ["", "words before "])
def test_no_text_is_markup_in_markdown(before: str, text: str) -> None:
    shown = write([Item(Document((samples.page_of([before + text, text]),)))], "markdown").decode()

    assert {token.type for token in flat(parsed(shown))} <= HARMLESS
    expected = [" ".join(plain(line).split()) for line in (before + text, text)]
    assert read_back(shown) == [row for row in expected if row]


@given(st.lists(st.one_of(st.text("ab1 .-+#*_`<>[]()!|~&:/\\=\"'$@^{}wwwhttp"), st.text()), min_size=1, max_size=4))
def test_markdown_shows_every_text_as_it_is(texts: list[str]) -> None:
    shown = "\n".join(filter(None, map(escaped, texts)))

    assert {token.type for token in flat(parsed(shown))} <= HARMLESS
    assert read_back(shown) == [row for row in (" ".join(plain(text).split()) for text in texts) if row]


def test_markdown_has_rules_between_pages_and_headings_for_several_documents() -> None:
    first = Document((samples.page_of(["a", "b"], paragraphs=True), samples.page_of(["c"], number=2)), "x_1.png")
    second = Document((), "", ImageDecodeError("is not a *picture*"))

    assert write([Item(first)], "markdown").decode() == "a\n\nb\n\n---\n\nc\n"
    shown = write([Item(first), Item(second)], "markdown").decode()
    assert shown == "# x\\_1.png\n\na\n\nb\n\n---\n\nc\n\n# Document 2\n\n*not read: is not a \\*picture\\**\n"
    assert [token.tag for token in parsed(shown) if token.type == "heading_open"] == ["h1", "h1"]


def test_markdown_leaves_ordinary_texts_alone() -> None:
    for text in ("Total: 15.40, paid (in cash).", "图中的文字，2026年。", 'He said "no" - 50% off; a/b? Yes!', "12:30"):
        assert escaped(text) == text


def rows_of(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def test_csv_has_a_row_per_line_with_its_place(example: Document) -> None:
    rows = rows_of(write([Item(example)], "csv"))

    assert tuple(rows[0]) == COLUMNS
    for number, (row, line) in enumerate(zip(rows, example.lines, strict=True), 1):
        assert row["text"] == line.text
        assert (row["document"], row["page"], row["line"]) == (example.name, "1", str(number))
        assert row["paragraph"] == str(line.paragraph + 1)
        corners = tuple((int(row[f"x{corner}"]), int(row[f"y{corner}"])) for corner in range(1, 5))
        assert corners == line.box
        assert float(row["confidence"]) == pytest.approx(line.confidence, abs=1e-4)


def test_csv_rows_end_as_the_standard_says() -> None:
    data = write([samples.hostile_item()], "csv").decode("utf-8-sig")

    assert data.count("\r\n") == len(samples.HOSTILE) + 1
    assert data.count("\n") == data.count("\r\n") == data.count("\r")


def test_no_cell_of_a_csv_is_a_formula() -> None:
    for row in rows_of(write([samples.hostile_item()], "csv")):
        for cell in row.values():
            assert cell.strip()[:1] not in {*"=+-@＝＋－＠"} or re.fullmatch(r"-?\d+", cell)


@given(st.one_of(st.text(), st.text("'=+-@1 a", max_size=6), st.sampled_from(samples.HOSTILE)))
def test_taking_one_apostrophe_away_restores_every_guarded_text(text: str) -> None:
    shown = guarded(text)

    assert shown in {plain(text), f"'{plain(text)}"}
    restored = shown[1:] if re.match(r"'\s*'*\s*[=+\-@＝＋－＠]", shown) else shown
    assert restored == plain(text)


@pytest.mark.parametrize("text", ["-12.50", "+86", "-1,000.00", "plain", "a=b", "50%"])
def test_csv_leaves_numbers_and_ordinary_texts_alone(text: str) -> None:
    assert guarded(text) == text


def records_of(data: bytes) -> list[Any]:
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.decode().split("\n")[:-1]]


def test_json_lines_have_a_record_per_page_and_an_end(documents: tuple[Document, ...]) -> None:
    records = records_of(write([Item(document, None, {"decode": 0.5}) for document in documents], "jsonl"))

    assert [record["type"] for record in records] == ["page", "page", "page", "end"]
    assert [record["document"] for record in records[:-1]] == [0, 1, 2]
    for record, document in zip(records, documents, strict=False):
        whole = json.loads(write([Item(document)], "json"))["documents"][0]
        assert record["page"] == whole["pages"][0]
        assert record["name"] == document.name
    assert records[-1] == {"type": "end", "documents": 3, "pages": 3, "errors": 0, "times": {"decode": 1500.0}}


def test_json_lines_have_a_record_for_every_error() -> None:
    failed = Document((), "b", ImageDecodeError("is not a picture"))
    records = records_of(write([samples.hostile_item(), Item(failed)], "jsonl"))

    assert [record["type"] for record in records] == ["page", "error", "error", "end"]
    assert (records[1]["document"], records[1]["number"]) == (0, 2)
    assert records[2] == {
        "type": "error",
        "document": 1,
        "name": "b",
        "number": None,
        "error": {"code": "image_decode_error", "message": "is not a picture"},
    }
    assert (records[3]["pages"], records[3]["errors"]) == (1, 2)


@given(samples.documents)
def test_a_record_is_one_row_whatever_is_in_it(document: Document) -> None:
    for page in document.pages:
        record = jsonl.page_record(document.name, 3, page)
        assert record.count(b"\n") == 1
        assert json.loads(record)["type"] == ("page" if page.error is None else "error")
