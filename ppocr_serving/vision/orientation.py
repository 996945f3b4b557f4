"""Orientation of pages: pictures that lie on their side or upside down.

Angles are degrees clockwise by which a picture has to be turned to be upright. A page on its side shows in the shape of
its boxes, before anything is read; one that is upside down shows in the confidence of what was read anyway. So an
upright page that reads well costs nothing; of one that reads badly, or has columns of upright letters, a few lines are
read again.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.geometry import BoxArray
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.recognition import Text
from ppocr_serving.vision.rereading import CroppedLine, LineReader, ranges, spread

__all__ = ["CERTAIN", "angle_of_side", "set_upright", "turn_boxes", "turn_picture", "upside_down_pages"]

CERTAIN = 0.9
"""Confidence at which a line is assumed to be upright. Of the lines of an upside-down page, nineteen in twenty have
less, of upright ones few; docs/accuracy.md has the measurement for single lines."""

_MIN_LINES = 3  # fewer say little about a page: a sign with a word or two may well run downwards
_SAMPLE_LINES = 8
_ELONGATED = 2.0  # times as long as high: such a box has a direction, that of a letter or two has none
_READABLE = 0.6  # minimum mean confidence of lines that a page is turned for
_BETTER = 0.1  # by which upside-down lines must read better once they are turned
# Columns of upright letters read as well as they do letter by letter (0.05 apart at most), the lines of a page on its
# side better by 0.3 or more.
_BETTER_THAN_COLUMNS = 0.2
_COLUMN_MARGIN = 0.075  # on each side, as a share of a column's width: about what a box is grown by
_LEAST_DISTANCE, _MOST_DISTANCE, _DISTANCES = 0.6, 1.1, 21  # of letters, as shares of a column's width

_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turn_picture(image: BgrImage, angle: int) -> BgrImage:
    """Turn a picture.

    Args:
        image: (H, W, 3) uint8 BGR.
        angle: Degrees clockwise: 0, 90, 180 or 270.

    Returns:
        (H, W, 3) or (W, H, 3) uint8 BGR; `image` itself if the angle is 0.
    """
    if not angle:
        return image
    turned: BgrImage = cv2.rotate(image, _ROTATIONS[angle])
    return turned


def turn_boxes(boxes: BoxArray, angle: int, width: int, height: int) -> BoxArray:
    """Turn boxes together with their picture. Each box still begins with the same corner of its text.

    Args:
        boxes: (N, 4, 2) float32, pixels of the picture.
        angle: Degrees clockwise: 0, 90, 180 or 270.
        width: Width in pixels of the picture before it is turned.
        height: Its height.

    Returns:
        (N, 4, 2) float32, pixels of the turned picture.
    """
    x, y = boxes[..., 0], boxes[..., 1]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    turned = {0: (x, y), 90: (bottom - y, x), 180: (right - x, bottom - y), 270: (y, right - x)}[angle]
    return np.stack(turned, axis=-1)


def angle_of_side(image: BgrImage, boxes: BoxArray, reader: LineReader, reread_score: float, watch: Stopwatch) -> int:
    """Return the angle of a page that lies on its side.

    Most of its boxes are higher than wide. So are those of a page in columns of upright letters, as Chinese and
    Japanese may be written: to tell them apart, a few lines are read as they are, and again with each letter upright.

    Args:
        image: (H, W, 3) uint8 BGR.
        boxes: (N, 4, 2) float32, the lines found in it, clockwise from the top left.
        reader: Reads lines of those pictures whose boxes are higher than wide.
        reread_score: The score that it reads with.
        watch: Receives the stages of cutting and reading these lines.

    Returns:
        90 or 270; 0 if the page does not lie on its side, or is not certain to.

    Raises:
        EngineError: A network failed.
    """
    along = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1)
    down = np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1)
    high = np.flatnonzero(down >= _ELONGATED * along)
    if len(high) < _MIN_LINES or len(high) <= np.count_nonzero(along >= _ELONGATED * down):
        return 0
    with watch("crop"):
        downwards = [reader.cut(image, boxes[index], reread_score) for index in spread(high.tolist(), _SAMPLE_LINES)]

    def confidence(lines: Sequence[CroppedLine]) -> float:
        return _confidence(reader(lines, [len(lines)], reread_score, watch))

    upwards = [line.upside_down() for line in downwards]
    # High lines are cut out as if they ran downwards (`crop_quadrangle`).
    best, angle, lines = max((confidence(downwards), 270, downwards), (confidence(upwards), 90, upwards), key=_first)
    if best < _READABLE:
        return 0
    with watch("crop"):
        letters = [line.changed(set_upright) for line in lines]
    return angle if best >= confidence(letters) + _BETTER_THAN_COLUMNS else 0


def upside_down_pages(
    lines: Sequence[CroppedLine],
    texts: Sequence[Text],
    counts: Sequence[int],
    reader: LineReader,
    reread_score: float,
    watch: Stopwatch,
) -> list[int]:
    """Find the pages that are upside down.

    At least half of the lines of such a page read badly, and these read better once they are turned by 180°.

    Args:
        lines: The lines of all pages.
        texts: What was read from each line.
        counts: How many lines each page has.
        reader: Reads some lines of those pages that read badly.
        reread_score: The score that it reads with.
        watch: Receives the stages of reading these lines.

    Returns:
        The positions of these pages, in ascending order.

    Raises:
        EngineError: A network failed.
    """
    found = []
    for place, page in enumerate(ranges(counts)):
        doubtful = [index for index in page if texts[index].confidence < CERTAIN]
        if len(page) < _MIN_LINES or 2 * len(doubtful) < len(page):
            continue
        sample = spread(doubtful, _SAMPLE_LINES)
        turned = reader([lines[index].upside_down() for index in sample], [len(sample)], reread_score, watch)
        before, after = _confidence(texts[index] for index in sample), _confidence(turned)
        if after >= max(_READABLE, before + _BETTER):
            found.append(place)
    return found


def set_upright(line: BgrImage) -> BgrImage:
    """Set the letters of a column, which was turned into a line, upright beside one another.

    The letters are taken to be as far apart as makes the cuts between them hit the least ink.

    Args:
        line: (h, w, 3) uint8 BGR, a column of upright letters turned by 90° counter-clockwise.

    Returns:
        (h, w', 3) uint8 BGR; nonsense if the line is not such a column.
    """
    height, width = line.shape[:2]
    grey = line.mean(axis=2)
    paper = np.partition(grey, grey.size // 2, axis=None)[grey.size // 2]
    ink = np.abs(grey - paper).mean(axis=0)
    _, cuts = min(((_ink_at(ink, cuts), cuts) for cuts in _possible_cuts(height, width)), key=_first)
    edges = [0, *cuts[(cuts > height / 4) & (cuts < width - height / 4)].tolist(), width]
    margin = round(_COLUMN_MARGIN * height)
    letters = [
        cv2.resize(np.rot90(line[margin : height - margin, start:end], -1), (height - 2 * margin, height))
        for start, end in pairwise(edges)
    ]
    return np.ascontiguousarray(np.hstack(letters))


def _possible_cuts(height: int, width: int) -> Iterator[npt.NDArray[np.intp]]:
    for distance in np.linspace(_LEAST_DISTANCE * height, _MOST_DISTANCE * height, _DISTANCES):
        for first in np.arange(0, min(distance, width), 2):
            yield np.arange(first, width, distance).astype(np.intp)


def _ink_at(ink: npt.NDArray[np.floating], cuts: npt.NDArray[np.intp]) -> float:
    return float(ink[np.minimum(cuts, len(ink) - 1)].mean())


def _confidence(texts: Iterable[Text]) -> float:
    return fmean(text.confidence for text in texts)


def _first(candidate: tuple[float, *tuple[object, ...]]) -> float:
    return candidate[0]
