"""The drawn page: frames on the picture, and the text beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from ppocr_serving import Reader
from ppocr_serving.errors import EngineError, ImageDecodeError, InvalidRequest, OcrError, RequestCancelled
from ppocr_serving.outputs import Item, write
from ppocr_serving.results import Document, Line, Page
from ppocr_serving.vision.pictures import BgrImage, decode_picture
from tests.outputs import samples
from tests.outputs.samples import Attach

GREEN, RED = (60, 150, 30), (40, 40, 220)


def halves(item: Item) -> tuple[BgrImage, BgrImage]:
    """Return what is drawn: the picture with frames, and the texts."""
    image = decode_picture(write([item], "png"), 10**8)
    middle = image.shape[1] // 2
    return image[:, :middle], image[:, middle:]


@pytest.fixture
def shown(attach: Attach, example: Document) -> tuple[BgrImage, BgrImage]:
    return halves(attach(example))


def test_the_picture_is_kept_but_for_the_frames(shown: tuple[BgrImage, BgrImage], example: Document) -> None:
    original = decode_picture(Path(example.name).read_bytes(), 10**6)
    changed = (shown[0] != original).any(axis=2)

    assert shown[0].shape == original.shape
    assert changed[example.lines[1].box[0][1], 100]  # on the upper side of the second line
    assert changed.mean() < 0.2


def test_the_text_beside_it_reads_as_the_picture_does(
    shown: tuple[BgrImage, BgrImage], example: Document, reader: Reader
) -> None:
    read = reader.read(shown[1].copy())

    assert [line.text.replace(" ", "") for line in read.lines] == [line.text.replace(" ", "") for line in example.lines]


def test_a_turned_page_is_shown_upright(attach: Attach, turned: Document, reader: Reader) -> None:
    picture, text = halves(attach(turned))

    assert picture.shape[:2] == (300, 420)
    read = reader.read(text.copy())
    assert read.pages[0].angle == 0
    assert all(text in read.text for text in ("Corner Bakery", "4.40", "Total"))


def test_columns_are_drawn_downwards(attach: Attach, columns: Document, reader: Reader) -> None:
    _, text = halves(attach(columns))
    read = reader.read(text.copy())

    assert len(read.lines) == 4
    assert all(line.box[2][1] - line.box[0][1] > 3 * (line.box[2][0] - line.box[0][0]) for line in read.lines)


def test_tilted_text_is_drawn_along_its_line() -> None:
    line = Line("tilted text", 1, ((50, 50), (250, 150), (240, 170), (40, 70)))
    item = samples.with_blank(Item(Document((Page(300, 220, (line,)),))))
    _, text = halves(item)
    rows, columns = np.nonzero(text.min(axis=2) < 128)

    assert len(rows) > 100
    assert np.polyfit(columns, rows, 1)[0] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(("confidence", "colour"), [(0.95, GREEN), (0.3, RED)])
def test_the_frame_says_how_sure_the_text_is(confidence: float, colour: tuple[int, int, int]) -> None:
    line = Line("x", confidence, samples.box_at(50, 50, 100, 40))
    frames, _ = halves(samples.with_blank(Item(Document((Page(200, 200, (line,)),)))))

    assert frames[50, 100].tolist() == pytest.approx(colour, abs=40)


def test_several_pages_are_refused_with_the_way_out() -> None:
    document = Document((samples.page_of(["a"]), samples.page_of(["b"], number=2)))
    for items in ([], [Item(document)], [Item(Document(document.pages[:1]))] * 3):
        with pytest.raises(InvalidRequest, match=r"png shows one page, and there are \d; choose one page"):
            write([samples.with_blank(item) for item in items], "png")


def test_the_error_of_a_page_or_a_document_is_raised() -> None:
    error = ImageDecodeError("is damaged")
    for document in (Document((), "a", error), Document((Page(0, 0, error=error),))):
        with pytest.raises(ImageDecodeError, match="is damaged"):
            write([samples.with_blank(Item(document))], "png")


def test_what_another_program_says_of_a_page_is_not_an_error_of_the_server() -> None:
    for error in (OcrError("of another program"), RequestCancelled("has left"), EngineError("has failed")):
        for document in (Document((), "a", error), Document((Page(0, 0, error=error),))):
            with pytest.raises(InvalidRequest, match=str(error)):
                write([samples.with_blank(Item(document))], "png")


def test_a_large_page_is_drawn_small() -> None:
    line = Line("large", 1, samples.box_at(1000, 1000, 3000, 800))
    frames, text = halves(samples.with_blank(Item(Document((Page(6000, 4000, (line,)),)))))
    rows, columns = np.nonzero(text.min(axis=2) < 128)

    assert frames.shape[0] * frames.shape[1] <= 4_010_000
    scale = frames.shape[1] / 6000
    assert 1000 * scale <= columns.min() <= columns.max() <= 4000 * scale
    assert 1000 * scale <= rows.min() <= rows.max() <= 1800 * scale


@pytest.mark.parametrize(("width", "height"), [(1, 1), (20_000, 3), (3, 20_000)])
def test_pages_of_any_form_are_drawn(width: int, height: int) -> None:
    line = Line("text", 1, samples.box_at(0, 0, width, height))
    frames, _ = halves(samples.with_blank(Item(Document((Page(width, height, (line,)),)))))

    assert max(frames.shape) <= 8000


def test_hostile_texts_are_drawn() -> None:
    document = Document((samples.page_of(samples.HOSTILE),))
    _, text = halves(samples.with_blank(Item(document)))

    assert (text.min(axis=2) < 128).sum() > 5000


@given(samples.documents)
@settings(max_examples=30)
def test_any_page_is_drawn(document: Document) -> None:
    for page in document.pages:
        if page.error is None:
            item = samples.with_blank(Item(Document((page,))))
            first: Any = write([item], "png")
            assert first == write([item], "png")
