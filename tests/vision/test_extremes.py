"""Pictures of extreme shapes and contents."""

import numpy as np
import pytest

from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from tests.drawing import Placed, draw_page
from tests.matching import edit_similarity, match_quadrangles, without_spaces
from tests.services import Service

COLUMNS = 5


def read(services: dict[str, Service], image: BgrImage) -> list[str]:
    return [line["text"] for line in services["ocr_system"].run([image], Stopwatch())[0]]


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("height", [1, 2, 31, 33])
@pytest.mark.parametrize("width", [1, 2, 31, 33])
@pytest.mark.parametrize("name", ["ocr_system", "ocr_det"])
def test_a_few_pixels_contain_no_text(services: dict[str, Service], name: str, height: int, width: int) -> None:
    for grey in (0, 255):
        image = np.full((height, width, 3), grey, dtype=np.uint8)
        assert services[name].run([image], Stopwatch()) == [[]]


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 500), (500, 1), (1, 20_000), pytest.param((1, 1_000_000), marks=pytest.mark.thorough)],
)
def test_line_models_accept_crops_of_any_shape(services: dict[str, Service], shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 255, dtype=np.uint8)
    assert len(services["ocr_rec"].run([image], Stopwatch())[0]) == 1
    assert len(services["ocr_cls"].run([image], Stopwatch())[0]) == 1


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("shape", [(30, 8000), (8000, 30), (200, 6000), (1200, 900)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_blank_pictures_contain_no_text(services: dict[str, Service], shape: tuple[int, int], grey: int) -> None:
    assert read(services, np.full((*shape, 3), grey, dtype=np.uint8)) == []


@pytest.mark.thorough_with_paddle
def test_a_strip_is_read(services: dict[str, Service]) -> None:
    first, last = "a long strip of text that goes on and on", "and ends here"
    strip = draw_page([Placed(first, 100, 3, 22), Placed(last, 5000, 3, 22)], 8000, 30)
    lines = read(services, strip)
    assert edit_similarity(without_spaces("".join(lines)), without_spaces(first + last)) >= 0.95


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("turns", [1, 3])
def test_a_vertical_strip_is_read(services: dict[str, Service], turns: int) -> None:
    # Letters of 22 pixels in a strip of 30 reach the detector at a quarter of their height, and it may split the line.
    words = ["strip", "text", "that", "goes", "ends", "here"]
    strip = draw_page([Placed("strip text that goes", 100, 3, 22), Placed("ends here", 5000, 3, 22)], 8000, 30)
    lines = read(services, np.ascontiguousarray(np.rot90(strip, turns)))
    found = "".join(lines)
    assert sum(word in found for word in words) >= 5


@pytest.mark.thorough_with_paddle
def test_a_banner_is_read(services: dict[str, Service]) -> None:
    texts = ["GRAND OPENING OF THE NEW LIBRARY", "欢迎各位读者光临"]
    banner = draw_page([Placed(texts[0], 300, 40, 120), Placed(texts[1], 4000, 40, 120)], 6000, 200)
    lines = read(services, banner)
    assert [without_spaces(line) for line in lines] == [without_spaces(text) for text in texts]


@pytest.mark.thorough_with_paddle
def test_small_print_in_a_banner_is_read(services: dict[str, Service]) -> None:
    lines = read(services, draw_page([Placed("small print in a long banner", 300, 70, 40)], 6000, 200))
    assert without_spaces("".join(lines)) == "smallprintinalongbanner"


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("count", [100, pytest.param(500, marks=pytest.mark.thorough)])
def test_a_page_of_many_small_lines_is_found_and_read(services: dict[str, Service], count: int) -> None:
    placed = [
        Placed(f"line {number + 100} of words", 40 + number % COLUMNS * 470, 20 + number // COLUMNS * 31, 22)
        for number in range(count)
    ]
    page = draw_page(placed, 2400, 3200)
    (lines,) = services["ocr_system"].run([page], Stopwatch())
    assert len(lines) == count
    drawn = [
        [(line.x, line.y), (line.x + 205, line.y), (line.x + 205, line.y + 20), (line.x, line.y + 20)]
        for line in placed
    ]
    pairs = match_quadrangles(drawn, [line["text_region"] for line in lines], min_iou=0.3)  # boxes are grown
    assert len(pairs) == count
    # Letters of 22 pixels are shrunk to 6 before detection: a box may lose part of an outer letter.
    exact = sum(
        without_spaces(lines[pair.found]["text"]) == without_spaces(placed[pair.expected].text) for pair in pairs
    )
    assert exact >= 0.95 * count
    similarity = [edit_similarity(lines[pair.found]["text"], placed[pair.expected].text) for pair in pairs]
    assert np.mean(similarity) >= 0.98
