"""Agreement of the compatible mode with the answers that PaddleOCR 2.10 gave with the same models, in float32."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage, decode_picture
from ppocr_serving.web.hubserving import MODULES
from tests.conftest import RUNTIMES
from tests.matching import edit_similarity, match_quadrangles, without_spaces
from tests.reading.profiles import Prepare, prepare
from tests.services import Service, create_service

__all__ = ["prepare"]  # a fixture

ORACLE = "oracle/paddleocr_2.10_ppocrv4.json"


class Agreement(NamedTuple):
    """Agreement of two sets of lines.

    Attributes:
        expected: Lines of the oracle.
        found: Intersection over union of each line that was found.
        same: Number of those with the same text, spaces ignored.
        similarities: Edit similarity of each line that was found, spaces counted.
        in_order: Number of those that come after the line that comes before them in the oracle, if any.
    """

    expected: int
    found: list[float]
    same: int
    similarities: list[float]
    in_order: int


@pytest.fixture(scope="session")
def oracle(shared_data: Path) -> dict[str, Any]:
    path = shared_data / ORACLE
    if not path.is_file():
        pytest.skip(f"no answers of PaddleOCR at {path}")
    answers: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answers


def picture(shared_data: Path, name: str) -> BgrImage:
    return decode_picture((shared_data / name).read_bytes(), 100_000_000)


@pytest.fixture(scope="module", params=RUNTIMES, ids=str)
def services(request: pytest.FixtureRequest, prepare: Prepare) -> dict[str, Service]:
    """The four services in the compatible mode, on each engine."""
    settings = prepare("ppocr-v4-mobile", engine=request.param, compatible="true")
    return {name: create_service(name, settings) for name in MODULES}


@pytest.fixture(scope="module", params=[4, pytest.param(1, marks=pytest.mark.thorough)], ids=["some", "all"])
def agreement(
    request: pytest.FixtureRequest, oracle: dict[str, Any], shared_data: Path, services: dict[str, Service]
) -> Agreement:
    """Agreement on every fourth picture, or on all of them."""
    total, same, in_order = 0, 0, 0
    found, similarities = [], []
    for name, expected in list(oracle["system"].items())[:: request.param]:
        (lines,) = services["ocr_system"].run([picture(shared_data, name)], Stopwatch())
        total += len(expected)
        regions = [line["text_region"] for line in expected], [line["text_region"] for line in lines]
        pairs = match_quadrangles(*regions, min_iou=0.5)
        places = [pair.found for pair in sorted(pairs, key=lambda pair: pair.expected)]
        in_order += sum(before < place for before, place in pairwise([-1, *places]))
        for pair in pairs:
            ours, theirs = lines[pair.found]["text"], expected[pair.expected]["text"]
            found.append(pair.iou)
            same += without_spaces(ours) == without_spaces(theirs)
            similarities.append(edit_similarity(ours, theirs))
    return Agreement(total, found, same, similarities, in_order)


@pytest.mark.thorough_with_paddle
def test_lines_are_found(agreement: Agreement) -> None:
    assert len(agreement.found) >= 0.99 * agreement.expected
    assert np.mean(agreement.found) >= 0.97


@pytest.mark.thorough_with_paddle
def test_lines_are_read_alike(agreement: Agreement) -> None:
    assert agreement.same >= 0.95 * len(agreement.found)
    assert np.mean(agreement.similarities) >= 0.985


@pytest.mark.thorough_with_paddle
def test_lines_come_in_the_same_order(agreement: Agreement) -> None:
    assert agreement.in_order >= 0.99 * len(agreement.found)


@pytest.mark.thorough_with_paddle
def test_detection_alone_finds_the_same_boxes(
    oracle: dict[str, Any], shared_data: Path, services: dict[str, Service]
) -> None:
    names = list(oracle["det"])[:13:2]  # with all pictures the test would repeat what the pipeline's test measures
    found, total = [], 0
    for name in names:
        (boxes,) = services["ocr_det"].run([picture(shared_data, name)], Stopwatch())
        pairs = match_quadrangles(oracle["det"][name], [box["text_region"] for box in boxes], min_iou=0.5)
        found += [pair.iou for pair in pairs]
        total += len(oracle["det"][name])
    assert len(found) >= 0.99 * total
    assert np.mean(found) >= 0.97


def test_words_are_read_the_same(oracle: dict[str, Any], shared_data: Path, services: dict[str, Service]) -> None:
    compared = 0
    for name, expected in oracle["words"].items():
        image = picture(shared_data, name)
        ((text,),) = services["ocr_rec"].run([image], Stopwatch())
        ((angle,),) = services["ocr_cls"].run([image], Stopwatch())
        if expected["rec"]["confidence"] > 0.5:
            compared += 1
            assert text["text"] == expected["rec"]["text"]
            assert text["confidence"] == pytest.approx(expected["rec"]["confidence"], abs=0.05)
        if expected["cls"]["confidence"] > 0.5:
            compared += 1
            assert angle["angle"] == expected["cls"]["angle"]
            assert angle["confidence"] == pytest.approx(expected["cls"]["confidence"], abs=0.05)
    assert compared > len(oracle["words"])
