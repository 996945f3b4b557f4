"""Which way up text is."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.classification import Angle, ClassificationOptions, TextClassifier, prepare
from ppocr_serving.pictures import BgrImage
from ppocr_serving.settings import Settings
from ppocr_serving.tasks import Task
from ppocr_serving.timing import Stopwatch
from tests.drawing import draw_downwards, draw_line, rotate

WORDS = [
    "Departures",
    "Arrivals 42",
    "Gate closes at nine",
    "火车站",
    "欢迎光临图书馆阅览室",
    "Total 12.50",
    "请保持安静",
]


@pytest.fixture(scope="session")
def classifier(tasks: dict[str, Task], settings: Settings) -> TextClassifier:
    options = ClassificationOptions(settings.cls_image_shape, settings.label_list, settings.cls_thresh)
    return TextClassifier(tasks["ocr_cls"].engines[0], options)


def upside_down(crop: BgrImage) -> BgrImage:
    return np.ascontiguousarray(crop[::-1, ::-1])


@pytest.mark.parametrize("word", WORDS)
def test_upright_and_upside_down_text_are_told_apart(classifier: TextClassifier, word: str) -> None:
    crop = draw_line(word, margin=4)
    upright, turned = classifier([crop, upside_down(crop)], Stopwatch())
    assert (upright.label, turned.label) == ("0", "180")
    assert not classifier.must_turn(upright)
    assert classifier.must_turn(turned)


def test_more_crops_than_a_batch_keep_their_order(classifier: TextClassifier) -> None:
    pattern = [bool((index * 5) % 3) for index in range(13)]
    crops = [draw_line(WORDS[index % len(WORDS)], margin=4) for index in range(len(pattern))]
    crops = [upside_down(crop) if turned else crop for crop, turned in zip(crops, pattern, strict=True)]
    together = classifier(crops, Stopwatch())
    assert [angle.label == "180" for angle in together] == pattern
    for crop, angle in zip(crops, together, strict=True):
        (alone,) = classifier([crop], Stopwatch())
        assert alone.label == angle.label
        assert alone.confidence == pytest.approx(angle.confidence, abs=1e-4)


def test_no_crops_no_answers(classifier: TextClassifier) -> None:
    watch = Stopwatch()
    assert classifier([], watch) == []
    assert watch.seconds == {}


def test_a_blank_crop_has_an_answer(classifier: TextClassifier) -> None:
    (angle,) = classifier([np.full((48, 192, 3), 255, dtype=np.uint8)], Stopwatch())
    assert angle.label in ("0", "180")
    assert 0.5 <= angle.confidence <= 1


@pytest.mark.parametrize(
    ("angle", "turn"),
    [(Angle("180", 0.91), True), (Angle("180", 0.9), False), (Angle("180", 0.5), False), (Angle("0", 1.0), False)],
)
def test_only_confident_answers_turn_a_crop(tasks: dict[str, Task], angle: Angle, turn: bool) -> None:
    assert TextClassifier(tasks["ocr_cls"].engines[0], ClassificationOptions(thresh=0.9)).must_turn(angle) is turn


def test_labels_are_the_callers(tasks: dict[str, Task]) -> None:
    options = ClassificationOptions(labels=("up", "180 down"))
    crop = draw_line("Departures", margin=4)
    angles = TextClassifier(tasks["ocr_cls"].engines[0], options)([crop, upside_down(crop)], Stopwatch())
    assert [angle.label for angle in angles] == ["up", "180 down"]


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 600)), min_size=1, max_size=4))
def test_prepared_crops_fill_their_share_of_the_width(sizes: Sequence[tuple[int, int]]) -> None:
    tensor = prepare([np.full((height, width, 3), 255, dtype=np.uint8) for height, width in sizes], (3, 48, 192))
    assert tensor.shape == (len(sizes), 3, 48, 192)
    assert tensor.dtype == np.float32
    for line, (height, width) in zip(tensor, sizes, strict=True):
        filled = min(192, -(-48 * width // height))
        np.testing.assert_allclose(line[:, :, :filled], 1, atol=1e-6)
        assert (line[:, :, filled:] == 0).all()


def test_prepared_values_run_from_minus_one_to_one_in_bgr() -> None:
    crop = np.zeros((48, 48, 3), dtype=np.uint8)
    crop[:] = (0, 51, 255)
    line = prepare([crop], (3, 48, 192))[0]
    np.testing.assert_allclose(line[:, 24, 24], [-1, -0.6, 1], atol=1e-6)


def test_vertical_text_is_no_reason_to_fail(classifier: TextClassifier) -> None:
    assert len(classifier([draw_downwards("山重水复"), rotate(draw_line("Slanted"), 30)], Stopwatch())) == 2
