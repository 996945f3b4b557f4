"""Both engines give the same answers, end to end and stage by stage."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ppocr_serving.engines import Runtime
from ppocr_serving.models import ModelFiles
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage, decode_picture
from ppocr_serving.web.hubserving import MODULES
from tests.conftest import V4, settings_for
from tests.drawing import Placed, draw_line, draw_page, rotate
from tests.matching import edit_similarity, without_spaces
from tests.services import Service, create_service

SHARED = [
    *(f"images/{name}" for name in ("00006737.jpg", "00018069.jpg", "00111002.jpg", "11.jpg", "img_12.png")),
    *(f"receipts/{number}.jpg" for number in ("000", "032", "152")),
]

# Paddle pads a line to the widest of its six, so the confidence of a doubtful one may lie on either side of a limit.
EVERY_LINE = ReadOptions(drop_score=0.0)


@pytest.fixture(scope="module")
def both(v4_models: dict[str, ModelFiles]) -> dict[Runtime, dict[str, Service]]:
    assert v4_models
    return {
        runtime: {name: create_service(name, settings_for(runtime, V4)) for name in MODULES}
        for runtime in (Runtime.OPENVINO, Runtime.PADDLE)
    }


class Agreement(NamedTuple):
    """Agreement of the engines on the lines of pictures.

    Attributes:
        lines: Number of lines.
        distance: The largest distance of two corners of the same line in x or y, in pixels.
        same: The share of lines with equal texts, spaces ignored.
        similarity: The mean edit similarity of the texts.
    """

    lines: int
    distance: int
    same: float
    similarity: float


def compare(both: dict[Runtime, dict[str, Service]], images: list[BgrImage]) -> Agreement:
    pairs = []
    for image in images:
        (one,), (other,) = (services["ocr_system"].run([image], Stopwatch(), EVERY_LINE) for services in both.values())
        pairs += list(zip(one, other, strict=True))
    distances = [np.abs(np.array(one["text_region"]) - np.array(other["text_region"])).max() for one, other in pairs]
    same = [without_spaces(one["text"]) == without_spaces(other["text"]) for one, other in pairs]
    similarities = [edit_similarity(one["text"], other["text"]) for one, other in pairs]
    return Agreement(len(pairs), int(max(distances)), float(np.mean(same)), float(np.mean(similarities)))


def test_drawn_pages_are_read_alike(both: dict[Runtime, dict[str, Service]]) -> None:
    placed = [
        Placed("Monday 15 March", 60, 50, 36),
        Placed("星期一", 620, 52, 36),
        Placed("Open from nine to five, except on holidays", 60, 160, 20),
        Placed("请保持安静", 60, 260, 48),
        Placed("No smoking", 520, 264, 12),
    ]
    page = draw_page(placed, 900, 400)
    agreement = compare(both, [page, rotate(page, 180), rotate(page, 7)])
    assert agreement.lines == 15
    assert agreement.distance <= 1
    assert agreement.same == 1


@pytest.mark.parametrize(("step", "least"), [(4, 40), pytest.param(1, 200, marks=pytest.mark.thorough)])
def test_real_pictures_are_read_alike(
    both: dict[Runtime, dict[str, Service]], shared_data: Path, step: int, least: int
) -> None:
    images = [decode_picture((shared_data / name).read_bytes(), 100_000_000) for name in SHARED[::step]]
    agreement = compare(both, images)
    assert agreement.lines > least
    assert agreement.distance <= 1
    # Paddle reads six lines per call, padded to the widest; OpenVINO reads one.
    assert agreement.same >= 0.97
    assert agreement.similarity >= 0.99


def test_lines_are_read_and_classified_alike(both: dict[Runtime, dict[str, Service]]) -> None:
    crops = [draw_line(text, margin=4) for text in ("Departures", "欢迎光临", "Total 12.50", "A longer line of 2026")]
    crops += [rotate(crop, 180) for crop in crops]
    for name, word in (("ocr_rec", "text"), ("ocr_cls", "angle")):
        (one,), (other,) = (services[name].run(crops, Stopwatch()) for services in both.values())
        upright = slice(4) if name == "ocr_rec" else slice(None)  # garbled text may depend on the padding
        assert [answer[word] for answer in one[upright]] == [answer[word] for answer in other[upright]]
        for answer, theirs in zip(one[upright], other[upright], strict=True):
            assert answer["confidence"] == pytest.approx(theirs["confidence"], abs=0.02)
