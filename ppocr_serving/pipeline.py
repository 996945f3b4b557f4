"""Pictures in, lines of text out: detection, cropping, classification and recognition in one go."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_serving.classification import TextClassifier
from ppocr_serving.detection import TextDetector
from ppocr_serving.geometry import BoxArray, crop_quadrangle
from ppocr_serving.pictures import BgrImage
from ppocr_serving.recognition import TextRecognizer
from ppocr_serving.timing import Stopwatch

__all__ = ["Line", "TextSystem"]


class Line(NamedTuple):
    """One line of text in a picture.

    Attributes:
        text: What it says.
        confidence: The mean probability of its characters in [0, 1].
        box: (4, 2) float32 whole pixels of the picture, clockwise from the text's top left.
    """

    text: str
    confidence: float
    box: npt.NDArray[np.float32]


class TextSystem:
    """The whole way from pictures to lines of text.

    Args:
        detector: Finds the lines.
        classifier: Finds those that stand on their head; None leaves every line as it is.
        recognizer: Reads the lines.
        drop_score: Lines with less confidence than this, in [0, 1], are left out.
    """

    def __init__(
        self, detector: TextDetector, classifier: TextClassifier | None, recognizer: TextRecognizer, drop_score: float
    ) -> None:
        self._detector = detector
        self._classifier = classifier
        self._recognizer = recognizer
        self._drop_score = drop_score

    def __call__(self, images: Iterable[BgrImage], watch: Stopwatch) -> list[list[Line]]:
        """Reads pictures.

        All lines of all pictures share the recogniser's batches, so that many small pictures cost little more than
        one large one.

        Args:
            images: (H, W, 3) uint8 BGR each. Consumed one by one: when they are decoded as they are asked for, only
                one of them is in memory at a time.
            watch: Receives the time of every stage.

        Returns:
            One list a picture, in their order, of its lines in reading order; empty where no text was found.

        Raises:
            EngineError: A network failed.
        """
        boxes_of_image: list[BoxArray] = []
        texts = self._recognizer(self._upright_crops(images, boxes_of_image, watch), watch)
        lines = []
        start = 0
        for boxes in boxes_of_image:
            texts_of_image = texts[start : start + len(boxes)]
            start += len(boxes)
            lines.append(
                [
                    Line(text.text, text.confidence, box)
                    for box, text in zip(boxes, texts_of_image, strict=True)
                    if text.confidence >= self._drop_score
                ]
            )
        return lines

    def _upright_crops(
        self, images: Iterable[BgrImage], boxes_of_image: list[BoxArray], watch: Stopwatch
    ) -> Iterator[BgrImage]:
        # A generator: the recogniser keeps lines of its own small height, so that full-size crops, which may overlap,
        # are there for one picture at a time.
        for image in images:
            boxes = self._detector(image, watch)
            boxes_of_image.append(boxes)
            with watch("crop"):
                crops = [crop_quadrangle(image, box) for box in boxes]
            self._turn(crops, watch)
            yield from crops

    def _turn(self, crops: list[BgrImage], watch: Stopwatch) -> None:
        if self._classifier is None or not crops:
            return
        for index, angle in enumerate(self._classifier(crops, watch)):
            if self._classifier.must_turn(angle):
                crops[index] = np.ascontiguousarray(crops[index][::-1, ::-1])
