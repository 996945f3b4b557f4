"""Pictures in, lines of text out: detection, cropping, classification and recognition in one go."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from ppocr_serving.errors import LimitExceeded
from ppocr_serving.results import Box, Line, Page
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.classification import TextClassifier
from ppocr_serving.vision.detection import DetectionOptions, TextDetector
from ppocr_serving.vision.geometry import BoxArray
from ppocr_serving.vision.layout import find_layout
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.recognition import Text
from ppocr_serving.vision.rereading import CroppedLine, LineReader, ranges

__all__ = ["PipelineOptions", "TextSystem", "require_lines", "to_box"]

_PORTION_LINES = 256  # read together: batches fill well, and a request of many pages does not keep all of its lines
_CERTAIN = 0.9  # minimum confidence at which a line is assumed to be upright; docs/accuracy.md has the measurement


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Options of one call.

    Attributes:
        detection: How lines are found.
        use_angle_cls: Look for lines that are upside down.
        cls_thresh: Confidence in [0, 1] above which a line counts as upside down.
        drop_score: Lines with less confidence than this, in [0, 1], are dropped.
        reread_score: Lines with less confidence than this, in [0, 1], are read again by the second recogniser.
        natural_order: Order lines as a person reads them; otherwise they stay in the detector's order.
        max_lines: Maximum number of lines of all pictures together.
    """

    detection: DetectionOptions
    use_angle_cls: bool = True
    cls_thresh: float = 0.9
    drop_score: float = 0.5
    reread_score: float = 0.0
    natural_order: bool = True
    max_lines: int = 10_000


class TextSystem:
    """The complete pipeline from pictures to lines of text.

    Args:
        detector: Finds the lines.
        classifier: Finds those that are upside down; None if no call needs that.
        reader: Reads the lines.
    """

    def __init__(self, detector: TextDetector, classifier: TextClassifier | None, reader: LineReader) -> None:
        self._detector = detector
        self._classifier = classifier
        self._reader = reader

    def __call__(self, images: Iterable[BgrImage], options: PipelineOptions, watch: Stopwatch) -> list[Page]:
        """Read pictures.

        Lines of several pictures share the recogniser's batches, so that many small pictures cost little more than one
        large one.

        Args:
            images: (H, W, 3) uint8 BGR each. Consumed one by one: if they are decoded on demand, only one of them is in
                memory at a time.
            options: How to read them.
            watch: Receives the time of every stage.

        Returns:
            One page per picture, in order.

        Raises:
            LimitExceeded: The pictures have more lines than `max_lines`.
            EngineError: A network failed.
        """
        pages: list[Page] = []
        portion = _Portion()
        count = 0
        for image in images:
            boxes = self._detector(image, options.detection, watch)
            count += len(boxes)
            require_lines(count, options.max_lines)
            with watch("crop"):
                # Keep only lines scaled to the recogniser's small height: full-size crops may overlap.
                lines = [self._reader.cut(image, box, options.reread_score) for box in boxes]
            portion.add((image.shape[1], image.shape[0]), boxes, lines)
            del image, boxes, lines  # reading may wait for others, with a picture of 150 MB
            if len(portion.lines) >= _PORTION_LINES:
                pages += self._read(portion, options, watch)
                portion = _Portion()
        return pages + self._read(portion, options, watch)

    def _read(self, portion: "_Portion", options: PipelineOptions, watch: Stopwatch) -> list[Page]:
        counts = [len(boxes) for boxes in portion.boxes]
        texts = self._reader(portion.lines, counts, options.reread_score, watch)
        if options.use_angle_cls and self._classifier is not None:
            _UpsideDownLines(self._classifier, self._reader, options, watch).reread(portion.lines, texts, counts)
        rest = iter(texts)
        return [
            Page(width, height, _lines(boxes, list(islice(rest, len(boxes))), options))
            for (width, height), boxes in zip(portion.sizes, portion.boxes, strict=True)
        ]


def _lines(boxes: BoxArray, texts: Sequence[Text], options: PipelineOptions) -> tuple[Line, ...]:
    """Return the lines of a page that are not dropped.

    Args:
        boxes: (N, 4, 2) float32.
        texts: N texts.
        options: `drop_score` and `natural_order` are used.
    """
    kept = [index for index, text in enumerate(texts) if text.confidence >= options.drop_score]
    layout = find_layout(boxes[kept])
    lines = [
        Line(texts[index].text, texts[index].confidence, to_box(boxes[index]), paragraph=paragraph)
        for index, paragraph in zip(kept, layout.paragraphs.tolist(), strict=True)
    ]
    return tuple(lines[place] for place in layout.order.tolist()) if options.natural_order else tuple(lines)


class _Portion:
    """Lines of one or more pictures, to be read together.

    Attributes:
        sizes: Width and height of each picture in pixels.
        boxes: (N, 4, 2) float32 for each picture.
        lines: All lines of all pictures.
    """

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.boxes: list[BoxArray] = []
        self.lines: list[CroppedLine] = []

    def add(self, size: tuple[int, int], boxes: BoxArray, lines: list[CroppedLine]) -> None:
        """Add a picture with its lines."""
        self.sizes.append(size)
        self.boxes.append(boxes)
        self.lines += lines


def require_lines(count: int, limit: int) -> None:
    """Check how many lines the pictures of a call have so far.

    Raises:
        LimitExceeded: More than `limit`.
    """
    if count > limit:
        raise LimitExceeded(f"the pictures have {count} lines or more; the limit is {limit} per request, send fewer")


def to_box(corners: npt.NDArray[np.float32]) -> Box:
    """Return a quadrangle as plain numbers.

    Args:
        corners: (4, 2) float32 with integer pixels.
    """
    first, second, third, fourth = ((int(x), int(y)) for x, y in corners.tolist())
    return first, second, third, fourth


class _UpsideDownLines:
    """Rotate the upside-down lines of one call by 180° and read them again."""

    def __init__(
        self, classifier: TextClassifier, reader: LineReader, options: PipelineOptions, watch: Stopwatch
    ) -> None:
        self._classifier = classifier
        self._reader = reader
        self._options = options
        self._watch = watch

    def reread(self, lines: Sequence[CroppedLine], texts: list[Text], counts: Sequence[int]) -> None:
        """Replace, in `texts`, what was read from lines that are upside down.

        Such lines have a low confidence, so only lines with a low confidence are classified, and rotated if that raises
        it. If one of them was, other lines of the picture may be upside down as well, and some of those read well (a
        number, a word like "pod"): for them, the classifier alone decides.

        Args:
            lines: The lines of all pictures.
            texts: What was read from each line.
            counts: How many lines each picture has.
        """
        doubtful = [index for index, text in enumerate(texts) if text.confidence < _CERTAIN]
        rotated = set()
        for index, text in self._read_rotated(doubtful, lines):
            if text.confidence > texts[index].confidence:
                texts[index] = text
                rotated.add(index)
        affected = [picture for picture in ranges(counts) if not rotated.isdisjoint(picture)]
        rest = sorted({index for picture in affected for index in picture}.difference(doubtful))
        for index, text in self._read_rotated(rest, lines):
            texts[index] = text

    def _read_rotated(self, indices: Sequence[int], lines: Sequence[CroppedLine]) -> Iterator[tuple[int, Text]]:
        """Read those lines that the classifier considers upside down, rotated by 180°; return indices and texts."""
        angles = self._classifier((lines[index].first for index in indices), self._watch)
        thresh = self._options.cls_thresh
        chosen = [index for index, angle in zip(indices, angles, strict=True) if angle.is_upside_down(thresh)]
        upright = [lines[index].upside_down() for index in chosen]
        texts = self._reader(upright, [1] * len(upright), self._options.reread_score, self._watch)
        return zip(chosen, texts, strict=True)
