"""What holds for all formats."""

import subprocess
import sys
import time

import pytest

from ppocr_serving.errors import DeadlineExceeded, InvalidRequest
from ppocr_serving.outputs import FORMATS, Item, write
from ppocr_serving.results import Document, Page
from tests.outputs import samples

NAMES = ("json", "text", "markdown", "hocr", "alto", "csv", "jsonl", "pdf", "png")
MANY_PAGES = tuple(name for name in NAMES if name != "png")


def item_of(pages: int) -> Item:
    texts = [text for text in samples.HOSTILE if "surrogate" not in text]
    document = Document(tuple(samples.page_of(texts, number=number) for number in range(1, pages + 1)), "a.pdf")
    return samples.with_blank(Item(document, None, {"decode": 0.1}))


def test_the_formats_are_these_in_this_order() -> None:
    assert tuple(FORMATS) == NAMES
    assert all(form.name == name for name, form in FORMATS.items())
    assert [name for name, form in FORMATS.items() if form.needs_image] == ["pdf", "png"]
    assert len({form.extension for form in FORMATS.values()}) == len(FORMATS)
    assert all("/" in form.media_type for form in FORMATS.values())


def test_an_unknown_format_is_refused_with_a_suggestion() -> None:
    with pytest.raises(InvalidRequest, match="unknown format 'jsno'; did you mean json"):
        write([], "jsno")
    with pytest.raises(InvalidRequest, match="known formats: json, text, markdown, hocr"):
        write([], "docx" * 100)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_items_give_the_same_bytes(name: str) -> None:
    items = [item_of(1)]

    assert write(items, name) == write(items, name)


@pytest.mark.parametrize("name", MANY_PAGES)
def test_the_check_is_called_for_every_page(name: str) -> None:
    calls = []
    write([item_of(5), item_of(3)], name, check=lambda: calls.append(0))

    assert len(calls) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_what_the_check_raises_ends_the_writing(name: str) -> None:
    def check() -> None:
        raise DeadlineExceeded("is over")

    with pytest.raises(DeadlineExceeded):
        write([item_of(1)], name, check=check)


@pytest.mark.parametrize("name", ["pdf", "png"])
def test_pictures_that_are_missing_are_asked_for(name: str) -> None:
    with pytest.raises(
        InvalidRequest, match=f"the format {name} shows the pictures, and a.png comes without its file; "
    ):
        write([Item(Document((Page(9, 9),), "a.png"))], name)


@pytest.mark.parametrize("name", MANY_PAGES)
def test_what_is_written_grows_with_what_was_read(name: str) -> None:
    one, ten = (len(write([item_of(pages)], name)) for pages in (1, 10))

    assert ten < 11 * one + 1000


@pytest.mark.parametrize("name", MANY_PAGES)
@pytest.mark.parametrize("text", [" ", "'", "' ", "a \u05d0 ", "1.", "::", ":a", "www."])
def test_the_time_for_a_line_grows_with_its_length_and_not_with_the_square_of_it(name: str, text: str) -> None:
    def seconds(characters: int) -> float:
        page = samples.page_of([text * (characters // len(text))])
        items = [samples.with_blank(Item(Document((page,))))]
        times = []
        for _ in range(3):
            start = time.process_time()
            write(items, name)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(24_000) < 64 * max(0.001, seconds(1_500))  # 16 times the length; 256 would be the square


@pytest.mark.parametrize("name", MANY_PAGES)
def test_nothing_can_be_written(name: str) -> None:
    assert isinstance(write([], name), bytes)


def test_the_formats_can_be_named_without_what_writes_them() -> None:
    program = "import sys, ppocr_serving.outputs.formats, ppocr_serving.outputs; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {*result.stdout.split()}

    assert "ppocr_serving.outputs.writing" in loaded
    assert not loaded & {"numpy", "cv2", "PIL", "pypdfium2", "pypdfium2_raw", "csv"}
