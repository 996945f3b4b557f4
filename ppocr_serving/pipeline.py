"""Pictures in, lines of text out: detection, cropping, classification and recognition in one go."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_serving.classification import TextClassifier
from ppocr_serving.detection import TextDetector
from ppocr_serving.geometry import BoxArray, crop_quadrangle
from ppocr_serving.pictures import BgrImage
from ppocr_serving.recognition import Text, TextRecognizer
from ppocr_serving.timing import Stopwatch

__all__ = ["Line", "TextSystem"]

_CERTAIN = 0.9  # confidence from which a line is taken to stand upright; docs/accuracy.md has the measurement


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
        lines: list[BgrImage] = []
        boxes_of_image: list[BoxArray] = []
        for image in images:
            boxes = self._detector(image, watch)
            boxes_of_image.append(boxes)
            with watch("crop"):
                # Only lines of the recogniser's small height are kept: crops of full size may overlap.
                lines += [self._recognizer.line(crop_quadrangle(image, box)) for box in boxes]
        texts = self._recognizer(lines, watch)
        if self._classifier is not None:
            self._read_upright(lines, texts, [len(boxes) for boxes in boxes_of_image], self._classifier, watch)
        rest = iter(texts)
        return [
            [
                Line(text.text, text.confidence, box)
                for box, text in zip(boxes, islice(rest, len(boxes)), strict=True)
                if text.confidence >= self._drop_score
            ]
            for boxes in boxes_of_image
        ]

    def _read_upright(
        self,
        lines: list[BgrImage],
        texts: list[Text],
        counts: Sequence[int],
        classifier: TextClassifier,
        watch: Stopwatch,
    ) -> None:
        """Replaces, in `texts`, what was read from lines that stand on their head.

        Such lines read badly, so only lines that read badly are looked at, and turned if they read better then. Where
        one of them was, other lines of the picture may stand on their head as well, and some of those read well (a
        number, a word like "pod"): there the classifier alone decides.
        """
        doubtful = [index for index, text in enumerate(texts) if text.confidence < _CERTAIN]
        turned = set()
        for index, text in self._turned(doubtful, lines, classifier, watch):
            if text.confidence > texts[index].confidence:
                texts[index] = text
                turned.add(index)
        affected = [picture for picture in _ranges(counts) if not turned.isdisjoint(picture)]
        rest = sorted({index for picture in affected for index in picture}.difference(doubtful))
        for index, text in self._turned(rest, lines, classifier, watch):
            texts[index] = text

    def _turned(
        self, indices: Sequence[int], lines: Sequence[BgrImage], classifier: TextClassifier, watch: Stopwatch
    ) -> Iterator[tuple[int, Text]]:
        """What those lines say turned by 180° of which the classifier holds that they stand on their head."""
        angles = classifier((lines[index] for index in indices), watch)
        chosen = [index for index, angle in zip(indices, angles, strict=True) if classifier.must_turn(angle)]
        upright = [np.ascontiguousarray(lines[index][::-1, ::-1]) for index in chosen]
        return zip(chosen, self._recognizer(upright, watch), strict=True)


def _ranges(counts: Iterable[int]) -> Iterator[range]:
    """Neighbouring ranges of the given lengths, from 0."""
    start = 0
    for count in counts:
        yield range(start, start + count)
        start += count
