"""Pictures in, lines of text out: detection, cropping, classification and recognition in one go."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_serving.errors import LimitExceeded
from ppocr_serving.results import Box, Line, Page, Word
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.classification import TextClassifier
from ppocr_serving.vision.detection import DetectionOptions, TextDetector, box_order
from ppocr_serving.vision.geometry import BoxArray, is_turned, order_clockwise
from ppocr_serving.vision.layout import find_layout
from ppocr_serving.vision.orientation import CERTAIN, angle_of_side, turn_boxes, turn_picture, upside_down_pages
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.recognition import Text
from ppocr_serving.vision.rereading import CroppedLine, LineReader, ranges
from ppocr_serving.vision.scripts import is_unspaced
from ppocr_serving.vision.words import word_boxes

__all__ = ["PipelineOptions", "TextSystem", "require_lines", "to_box"]

_PORTION_LINES = 256  # read together: batches fill well, and a request of many pages does not keep all of its lines


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
        paragraphs: Find the paragraphs of lines that stay in the detector's order, too; otherwise they are all in one.
        max_lines: Maximum number of lines of all pictures together.
        orientation: Read pictures that lie on their side or upside down as if they were upright.
        words: Find the words of each line.
        text_corners: Begin the box of a line that is upside down or on its side at the text's top left; otherwise where
            the detector does, at the picture's.
    """

    detection: DetectionOptions
    use_angle_cls: bool = True
    cls_thresh: float = 0.9
    drop_score: float = 0.5
    reread_score: float = 0.0
    natural_order: bool = True
    paragraphs: bool = True
    max_lines: int = 10_000
    orientation: bool = True
    words: bool = False
    text_corners: bool = True


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
            One page per picture, in order; boxes are those of the picture as it is.

        Raises:
            LimitExceeded: The pictures have more lines than `max_lines`.
            EngineError: A network failed.
        """
        pages: list[Page] = []
        portion = _Portion()
        count = 0
        for image in images:
            size = (image.shape[1], image.shape[0])
            angle = 0
            boxes = self._detector(image, options.detection, watch)
            if options.orientation:
                angle = angle_of_side(image, boxes, self._reader, options.reread_score, watch)
            if angle:
                with watch("det_prepare"):
                    image = turn_picture(image, angle)
                boxes = self._detector(image, options.detection, watch)
            count += len(boxes)
            require_lines(count, options.max_lines)
            with watch("crop"):
                # Keep only lines scaled to the recogniser's small height: full-size crops may overlap.
                lines = [self._reader.cut(image, box, options.reread_score) for box in boxes]
            portion.add(_Picture(size, angle, boxes), lines)
            del image, boxes, lines  # reading may wait for others, with a picture of 150 MB
            if len(portion.lines) >= _PORTION_LINES:
                pages += self._read(portion, options, watch)
                portion = _Portion()
        return pages + self._read(portion, options, watch)

    def _read(self, portion: "_Portion", options: PipelineOptions, watch: Stopwatch) -> list[Page]:
        counts = [len(picture.boxes) for picture in portion.pictures]
        texts = self._reader(portion.lines, counts, options.reread_score, watch, options.words)
        if options.orientation:
            for place in upside_down_pages(portion.lines, texts, counts, self._reader, options.reread_score, watch):
                texts[portion.lines_of(place)] = self._turn(portion, place, options, watch)
        if options.use_angle_cls and self._classifier is not None:
            _UpsideDownLines(self._classifier, self._reader, options, watch).reread(portion.lines, texts, counts)
        pages = []
        for place, picture in enumerate(portion.pictures):
            with watch("layout"):
                pages.append(_page(picture, texts[portion.lines_of(place)], options))
        return pages

    def _turn(self, portion: "_Portion", place: int, options: PipelineOptions, watch: Stopwatch) -> list[Text]:
        """Turn a picture of a portion by 180°; return what is read from its lines then."""
        picture, where = portion.pictures[place], portion.lines_of(place)
        boxes = order_clockwise(turn_boxes(picture.boxes, 180, *picture.upright_size))
        order = box_order(boxes, options.detection)
        portion.pictures[place] = picture._replace(angle=(picture.angle + 180) % 360, boxes=boxes[order])
        lines = portion.lines[where]
        portion.lines[where] = [lines[index].upside_down() for index in order.tolist()]
        return self._reader(portion.lines[where], [len(order)], options.reread_score, watch, options.words)


class _Picture(NamedTuple):
    """Where the lines of a picture are.

    Attributes:
        size: Width and height in pixels of the picture as it is.
        angle: Degrees clockwise by which it was turned: 0, 90, 180 or 270.
        boxes: (N, 4, 2) float32, pixels of the turned picture.
    """

    size: tuple[int, int]
    angle: int
    boxes: BoxArray

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels of the turned picture."""
        return self.size if self.angle % 180 == 0 else self.size[::-1]


class _Portion:
    """Lines of one or more pictures, to be read together.

    Attributes:
        pictures: The pictures.
        lines: All lines of all pictures.
    """

    def __init__(self) -> None:
        self.pictures: list[_Picture] = []
        self.lines: list[CroppedLine] = []
        self._starts: list[int] = []

    def add(self, picture: _Picture, lines: list[CroppedLine]) -> None:
        """Add a picture with its lines."""
        self._starts.append(len(self.lines))
        self.pictures.append(picture)
        self.lines += lines

    def lines_of(self, place: int) -> slice:
        """Return where the lines of a picture are among those of all."""
        start = self._starts[place]
        return slice(start, start + len(self.pictures[place].boxes))


def _page(picture: _Picture, texts: Sequence[Text], options: PipelineOptions) -> Page:
    """Return a page with the lines that are not dropped.

    Args:
        picture: N boxes.
        texts: N texts.
        options: `drop_score`, `natural_order`, `paragraphs` and `text_corners` are used.
    """
    kept = [index for index, text in enumerate(texts) if text.confidence >= options.drop_score]
    order, paragraphs = list(range(len(kept))), [0] * len(kept)
    if options.natural_order or options.paragraphs:
        layout = find_layout(picture.boxes[kept])
        paragraphs = layout.paragraphs.tolist()
        if options.natural_order:
            order = layout.order.tolist()
    boxes = turn_boxes(picture.boxes, -picture.angle % 360, *picture.upright_size)
    lines = []
    for index, paragraph in zip(kept, paragraphs, strict=True):
        text = texts[index]
        box, words = to_box(boxes[index]), _words(text, picture.boxes[index], picture)
        if options.text_corners and (corner := _top_left(text, picture.boxes[index])):
            box = _from_corner(box, corner)
            words = tuple(replace(word, box=_from_corner(word.box, corner)) for word in words)
        lines.append(Line(text.text, text.confidence, box, words, paragraph))
    return Page(*picture.size, tuple(lines[place] for place in order), picture.angle)


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


def _words(text: Text, box: npt.NDArray[np.float32], picture: _Picture) -> tuple[Word, ...]:
    """Return the words of a line of a picture, if they were asked for, with boxes of the picture as it is."""
    if text.words is None:
        return ()
    words = word_boxes(text.words, box, picture.upright_size[::-1])
    if not words or picture.angle == 0:
        return words
    corners = np.array([word.box for word in words], dtype=np.float32)
    turned = turn_boxes(corners, -picture.angle % 360, *picture.upright_size)
    return tuple(replace(word, box=to_box(corners)) for word, corners in zip(words, turned, strict=True))


def _top_left(text: Text, box: npt.NDArray[np.float32]) -> int:
    """Return at which corner of its box, counted from 0, a line of text has its top left."""
    # A single character is often a speck, of which nothing tells how it lies.
    if len(text.text) < 2:
        return 0
    # Han and kana may stand upright below one another in a high box; other letters run along it.
    is_turned_text = is_turned(box) and not any(map(is_unspaced, text.text))
    return 2 * text.is_upside_down + is_turned_text


def _from_corner(box: Box, corner: int) -> Box:
    """Return a box that begins at another one of its corners."""
    first, second, third, fourth = box[corner:] + box[:corner]
    return first, second, third, fourth


def _upside_down(text: Text) -> Text:
    words = None if text.words is None else text.words.upside_down()
    return text._replace(words=words, is_upside_down=True)


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
        doubtful = [index for index, text in enumerate(texts) if text.confidence < CERTAIN]
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
        options = self._options
        texts = self._reader(upright, [1] * len(upright), options.reread_score, self._watch, options.words)
        return zip(chosen, map(_upside_down, texts), strict=True)
