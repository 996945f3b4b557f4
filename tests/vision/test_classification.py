"""Classification of text as upright or upside down."""

from collections.abc import Callable

import numpy as np
import pytest

from ppocr_serving.engines import Float32Array
from ppocr_serving.engines.base import T
from ppocr_serving.errors import EngineError
from ppocr_serving.settings import Settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.classification import Angle, ClassificationOptions, TextClassifier
from ppocr_serving.vision.pictures import BgrImage
from tests.drawing import draw_downwards, draw_line, rotate
from tests.services import Service

WORDS = [
    "Departures",
    "Arrivals 42",
    "Gate closes at nine",
    "火车站",
    "欢迎光临图书馆阅览室",
    "Total 12.50",
    "请保持安静",
]


@pytest.fixture(scope="module")
def classifier(services: dict[str, Service], settings: Settings) -> TextClassifier:
    options = ClassificationOptions(settings.models.cls_image_shape, settings.models.label_list)
    return TextClassifier(services["ocr_cls"].engines[0], options)


def upside_down(crop: BgrImage) -> BgrImage:
    return np.ascontiguousarray(crop[::-1, ::-1])


@pytest.mark.parametrize("word", WORDS)
def test_upright_and_upside_down_text_are_distinguished(classifier: TextClassifier, word: str) -> None:
    crop = draw_line(word, margin=4)
    upright, turned = classifier([crop, upside_down(crop)], Stopwatch())
    assert (upright.label, turned.label) == ("0", "180")
    assert not upright.is_upside_down(0.9)
    assert turned.is_upside_down(0.9)


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


def test_no_crops_give_no_answers(classifier: TextClassifier) -> None:
    watch = Stopwatch()
    assert classifier([], watch) == []
    assert watch.seconds == {}


def test_a_blank_crop_gets_an_answer(classifier: TextClassifier) -> None:
    (angle,) = classifier([np.full((48, 192, 3), 255, dtype=np.uint8)], Stopwatch())
    assert angle.label in ("0", "180")
    assert 0.5 <= angle.confidence <= 1


@pytest.mark.parametrize(
    ("angle", "turn"),
    [(Angle("180", 0.91), True), (Angle("180", 0.9), False), (Angle("180", 0.5), False), (Angle("0", 1.0), False)],
)
def test_only_confident_answers_turn_a_crop(angle: Angle, turn: bool) -> None:
    assert angle.is_upside_down(thresh=0.9) is turn


def test_labels_come_from_the_options(services: dict[str, Service]) -> None:
    options = ClassificationOptions(labels=("up", "180 down"))
    crop = draw_line("Departures", margin=4)
    angles = TextClassifier(services["ocr_cls"].engines[0], options)([crop, upside_down(crop)], Stopwatch())
    assert [angle.label for angle in angles] == ["up", "180 down"]


def test_a_model_with_other_classes_is_a_clear_error() -> None:
    class ThreeClasses:
        def __call__(self, inputs: Float32Array) -> Float32Array:
            return np.full((len(inputs), 3), 1 / 3, dtype=np.float32)

        def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
            return read(self(inputs))

        def release_memory(self) -> None:
            pass

        def load(self) -> None:
            pass

    with pytest.raises(EngineError, match=r"shape \(1, 3\) for a batch of 1; use a model with the 2 classes"):
        TextClassifier(ThreeClasses(), ClassificationOptions())([draw_line("Exit")], Stopwatch())


def test_vertical_and_slanted_text_get_an_answer(classifier: TextClassifier) -> None:
    assert len(classifier([draw_downwards("山重水复"), rotate(draw_line("Slanted"), 30)], Stopwatch())) == 2
