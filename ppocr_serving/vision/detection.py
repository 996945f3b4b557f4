"""Text detection by differentiable binarization (DB).

`prepare` and `decode` are pure functions around one engine call, so that each can be tested, timed and replaced
separately.

Reference: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", arXiv:1911.08947.
"""

import functools
import math
import sys
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import pyclipper

from ppocr_serving.engines import Engine, Float32Array
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.geometry import BoxArray, order_clockwise, paddleocr_order, reading_order
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.sparse import MAX_PIECES, find_ink, is_explained, may_be_huge, shows_huge_text

__all__ = ["MAX_LONGER_SIDE", "DetectionOptions", "TextDetector", "box_order", "closer_size", "decode", "prepare"]

_STRIDE = 32  # the network halves its input five times
_MAX_CANDIDATES = 1000
# A tightly cropped line of text or a long strip loses its letters if its shorter side has fewer pixels than this, which
# are also rounded to a multiple of 32. Such pictures are enlarged as long as they have no more pixels than the largest
# square picture.
_MIN_SHORTER_SIDE = 64
_MAX_ENLARGEMENT = 4.0
MAX_LONGER_SIDE = 4000
"""Limit in pixels with `min`: a strip of 1 x 8000 must not become a picture of gigapixels."""
_MAX_PIXELS = 4_000_000  # take under a second on two cores
# A second look, at a higher resolution, is worth its time where a tenth of the lines are lower than this many pixels of
# the network's input; it makes them as high as the third figure, but for the picture's own limits. Small pictures have
# more to gain, and cost less.
_SMALL_LINE = 16
_SMALL_LINE_OF_SMALL_PICTURE = 18
_CLOSE_LINE = 28
_SMALL_SHARE = 0.1
_MIN_CLOSER = 1.2  # times as close; less gains nothing
_MAX_CLOSER_SCALE = 2.0  # of pictures that were not shrunk
_FAR_SIDE = 256  # pixels of the longer side; letters as high as the page are then as high as usual ones
_CLOSER_STRIDE = 64  # fewer shapes of the input than with 32; each new one costs as much as the look itself
_MAX_NESTING = 2  # a light line in the middle of a large dark page: its part of the page, and that part inverted
_MIN_MAP_SIDE = 3  # pixels of the probability map: less is noise
_MIN_SIDE = 3  # pixels of the picture


@dataclass(frozen=True, slots=True)
class DetectionOptions:
    """Options for the detector's input and for decoding its output.

    Attributes:
        limit_side_len: Pixels, see `limit_type`.
        limit_type: `max` shrinks pictures whose longer side is above `limit_side_len`; `min` enlarges those whose
            shorter side is below it. With `min` the longer side is at most 4000 afterwards, except for strips, which
            are limited by total pixels.
        closer_side_len: Pixels of the longer side up to which a picture is enlarged for a second look at it, where the
            first one found small text; 0 means no second look.
        thresh: Probability in [0, 1] above which a pixel is text.
        box_thresh: Minimum mean probability of a box, in [0, 1].
        unclip_ratio: Boxes are expanded by area * ratio / perimeter, because the network is trained on shrunken text.
        use_dilation: Dilate the thresholded map by a pixel, which joins broken regions.
        score_mode: `fast` averages over the box, `slow` over the contour's polygon.
        mean: Of each channel in memory order, with samples in [0, 1]. These are ImageNet's, which PaddleOCR's detectors
            are trained with; PaddleOCR lists them for RGB but feeds BGR.
        deviation: Standard deviation of each channel.
        paddleocr_order: Return the boxes in PaddleOCR's order.
    """

    limit_side_len: int = 960
    limit_type: Literal["max", "min"] = "max"
    closer_side_len: int = 0
    thresh: float = 0.3
    box_thresh: float = 0.5
    unclip_ratio: float = 1.6
    use_dilation: bool = False
    score_mode: Literal["fast", "slow"] = "fast"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)
    paddleocr_order: bool = False


class TextDetector:
    """Find the lines of text in a picture.

    Args:
        engine: A DB network: (1, 3, H, W) in, (1, 1, H, W) probabilities out.
        usual_pixels: Pixels of an ordinary input; after a larger one, the engine's memory is released.
    """

    def __init__(self, engine: Engine, usual_pixels: int = sys.maxsize) -> None:
        self._engine = engine
        self._usual_pixels = usual_pixels

    def __call__(self, image: BgrImage, options: DetectionOptions, watch: Stopwatch) -> BoxArray:
        """Detect text, with a second look at pictures whose text is small or huge for the network.

        Args:
            image: (H, W, 3) uint8 BGR, any size from 1x1.
            options: Options for the network's input and output.
            watch: Receives the stages `det_prepare`, `det_engine` and `det_decode`.

        Returns:
            (N, 4, 2) float32 with integer pixels of `image`, in reading order, clockwise from each text's top left.

        Raises:
            EngineError: The network failed.
        """
        return self._detect(image, options, watch, _MAX_NESTING)

    def _detect(self, image: BgrImage, options: DetectionOptions, watch: Stopwatch, nesting: int) -> BoxArray:
        """Detect text in a picture or a part of one, of which at most `nesting` parts within parts are cut out."""
        boxes, scale = self._look(image, None, options, watch)
        if options.closer_side_len and nesting and len(boxes) <= MAX_PIECES:
            found = self._look_for_extremes(image, boxes, scale, options, watch, nesting - 1)
            if len(found):
                return found
        closer = closer_size(image.shape[:2], boxes, scale, options)
        return boxes if closer is None else self._look(image, closer, options, watch)[0]

    def _look_for_extremes(
        self, image: BgrImage, boxes: BoxArray, scale: float, options: DetectionOptions, watch: Stopwatch, nesting: int
    ) -> BoxArray:
        """Return the boxes of huge, tiny, very long or light text, if that is all there is; else none."""
        nothing: BoxArray = np.zeros((0, 4, 2), dtype=np.float32)
        with watch("det_prepare"):
            ink = find_ink(image)
        if ink is None:
            return nothing
        longer, shorter = max(image.shape[:2]), min(image.shape[:2])
        shrinkable = scale * longer > 2 * _FAR_SIDE and shorter * _FAR_SIDE >= longer * _MIN_SHORTER_SIDE
        if shrinkable and may_be_huge(ink, boxes, longer):
            height, width = (_to_stride(int(side * _FAR_SIDE / longer)) for side in image.shape[:2])
            found = self._look(image, (height, width), options, watch)[0]
            if shows_huge_text(ink, found, boxes):
                return found
        if is_explained(ink, boxes):
            return nothing
        part = ink.cut_out(image)
        if _scale(part.shape[:2], options) >= _MIN_CLOSER * scale:
            inside: BoxArray = self._detect(part, options, watch, nesting) + np.array(
                [ink.left, ink.top], dtype=np.float32
            )
            return inside
        strip = min(_MIN_SHORTER_SIDE / shorter, _affordable(longer, shorter, _MAX_PIXELS))
        if not len(boxes) and strip >= _MIN_CLOSER * scale:
            height, width = (_to_stride(int(side * strip)) for side in image.shape[:2])
            return self._look(image, (height, width), options, watch)[0]
        if not len(boxes) and ink.on_dark:  # the network has seen few such pictures
            return self._detect(255 - image, options, watch, nesting)
        return nothing

    def _look(
        self, image: BgrImage, size: tuple[int, int] | None, options: DetectionOptions, watch: Stopwatch
    ) -> tuple[BoxArray, float]:
        """Return the boxes, and the scale of the network's input."""
        with watch("det_prepare"):
            tensor = prepare(image, options, size)
        with watch("det_engine"):
            try:
                probability_map = self._engine(tensor)[0, 0]
            finally:
                if tensor[0, 0].size > self._usual_pixels:
                    self._engine.release_memory()
        with watch("det_decode"):
            boxes = decode(probability_map, image.shape[0], image.shape[1], options)
        return boxes, max(tensor.shape[2:]) / max(image.shape[:2])


def closer_size(
    shape: tuple[int, ...], boxes: BoxArray, scale: float, options: DetectionOptions
) -> tuple[int, int] | None:
    """Return the size at which to look at a picture again.

    Args:
        shape: Its height and width in pixels.
        boxes: (N, 4, 2) float32, what the first look found.
        scale: Pixels of the network's input per pixel of the picture at the first look.
        options: `closer_side_len`, `limit_side_len` and `limit_type` are used.

    Returns:
        Height and width of the network's input, multiples of 64; None if the first look is enough: it found nothing, or
        no small text, or the picture has no more to show.
    """
    if not len(boxes) or not options.closer_side_len:
        return None
    heights = np.linalg.norm(boxes[:, [1, 3]] - boxes[:, :1], axis=2).min(axis=1)
    small = float(np.sort(heights)[int(_SMALL_SHARE * len(heights))]) * scale
    shrunk = options.limit_type == "max" and max(shape) > options.limit_side_len
    if small >= (_SMALL_LINE if shrunk else _SMALL_LINE_OF_SMALL_PICTURE):
        return None
    most = 1.0 if shrunk else _MAX_CLOSER_SCALE
    closer = min(scale * _CLOSE_LINE / max(1.0, small), most, options.closer_side_len / max(shape))
    if closer < _MIN_CLOSER * scale:
        return None
    height, width = (_to_stride(int(side * closer), _CLOSER_STRIDE) for side in shape)
    return height, width


def prepare(image: BgrImage, options: DetectionOptions, size: tuple[int, int] | None = None) -> Float32Array:
    """Resize and normalise a picture for the network.

    Sides become multiples of 32, each rounded independently, so proportions may change slightly. Unlike in PaddleOCR,
    a shorter side below 64 pixels is enlarged to 64, at most fourfold; docs/accuracy.md says why.

    Args:
        image: (H, W, 3) uint8 BGR.
        options: `limit_side_len`, `limit_type`, `mean` and `deviation` are used.
        size: Height and width of the network's input, multiples of 32; None leaves it to the options.

    Returns:
        (1, 3, h, w) float32, contiguous; h and w are multiples of 32, at least 32.
    """
    height, width = image.shape[:2]
    if height + width < 2 * _STRIDE:
        # The smallest pictures are padded with black rather than enlarged: enlarged, they would be all text or none.
        image = cv2.copyMakeBorder(
            image, 0, max(0, _STRIDE - height), 0, max(0, _STRIDE - width), cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
        height, width = image.shape[:2]
    size = size or _network_size(height, width, options)
    if size != (height, width):
        image = cv2.resize(image, size[::-1])
    tensor = np.empty((1, 3, *size), dtype=np.float32)
    for plane, table, channel in zip(
        cv2.split(image), _normalized(options.mean, options.deviation), tensor[0], strict=True
    ):
        cv2.LUT(plane, table, channel)
    return tensor


@functools.cache
def _normalized(means: tuple[float, ...], deviations: tuple[float, ...]) -> tuple[Float32Array, ...]:
    """Return a lookup table per channel: an 8-bit sample has 256 values, so one pass normalises it."""
    samples = np.arange(256, dtype=np.float32)
    return tuple(
        (samples * np.float32(1 / (255 * deviation)) - np.float32(mean / deviation))[:, np.newaxis]
        for mean, deviation in zip(means, deviations, strict=True)
    )


def _network_size(height: int, width: int, options: DetectionOptions) -> tuple[int, int]:
    longer, shorter = max(height, width), min(height, width)
    ratio = 1.0
    if options.limit_type == "max" and longer > options.limit_side_len:
        ratio = options.limit_side_len / longer
    elif options.limit_type == "min":
        # Nothing can interrupt the network, so its input is bounded.
        largest = max(_MAX_PIXELS, options.limit_side_len**2)
        ratio = min(
            max(1.0, options.limit_side_len / shorter), MAX_LONGER_SIDE / longer, math.sqrt(largest / (height * width))
        )
    if shorter * ratio < _MIN_SHORTER_SIDE:
        affordable = _affordable(longer, shorter, options.limit_side_len**2)
        ratio = max(ratio, min(_MIN_SHORTER_SIDE / shorter, _MAX_ENLARGEMENT, affordable))
    return _to_stride(int(height * ratio)), _to_stride(int(width * ratio))


def _affordable(longer: int, shorter: int, max_pixels: int) -> float:
    """Return the largest scale at which a picture has at most `max_pixels`; its shorter side then has at least 32."""
    return min(math.sqrt(max_pixels / (longer * shorter)), max_pixels / (_STRIDE * longer))


def _scale(shape: tuple[int, ...], options: DetectionOptions) -> float:
    """Return the pixels of the network's input per pixel of a picture of height and width `shape`."""
    return max(_network_size(shape[0], shape[1], options)) / max(shape)


def _to_stride(side: int, stride: int = _STRIDE) -> int:
    return max(round(side / stride) * stride, stride)


def decode(probability_map: Float32Array, height: int, width: int, options: DetectionOptions) -> BoxArray:
    """Decode boxes from the network's output.

    Args:
        probability_map: (h, w) float32 in [0, 1].
        height: Height in pixels of the picture that the map was computed from.
        width: Its width in pixels.
        options: What is said about the boxes is used.

    Returns:
        (N, 4, 2) float32 with integer pixels of the picture, clipped to it, in reading order, each clockwise from the
        text's top left. N is at most 1000.

    Reference: the boxes agree with PaddleOCR's `DBPostProcess` and its filters (`box_type` quad), whose rounding is
        kept because the text read from a crop depends on it.
    """
    bitmap = (probability_map > options.thresh).astype(np.uint8)
    if options.use_dilation:
        bitmap = cv2.dilate(bitmap, np.ones((2, 2), dtype=np.uint8))
    contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [
        box
        for contour in contours[:_MAX_CANDIDATES]
        if (box := _text_box(probability_map, contour, options)) is not None
    ]
    if not boxes:
        return np.zeros((0, 4, 2), dtype=np.float32)
    to_picture = np.array([width / probability_map.shape[1], height / probability_map.shape[0]])
    found: BoxArray = np.clip(np.round(np.stack(boxes) * to_picture), 0, [width, height]).astype(np.float32)
    found = np.clip(order_clockwise(found), 0, np.array([width - 1, height - 1], dtype=np.float32))
    sides = np.linalg.norm(found[:, [1, 3]] - found[:, :1], axis=2).astype(int)
    found = found[(sides > _MIN_SIDE).all(axis=1)]
    ordered: BoxArray = found[box_order(found, options)]
    return ordered


def box_order(boxes: BoxArray, options: DetectionOptions) -> npt.NDArray[np.intp]:
    """Return the order in which the boxes of a picture are read.

    Args:
        boxes: (N, 4, 2) float32, clockwise from the top left.
        options: `paddleocr_order` is used.

    Returns:
        (N,) indices into `boxes`.
    """
    return paddleocr_order(boxes) if options.paddleocr_order else reading_order(boxes)


def _text_box(
    probability_map: Float32Array, contour: npt.NDArray[np.int32], options: DetectionOptions
) -> npt.NDArray[np.float32] | None:
    rectangle = cv2.minAreaRect(contour)
    if min(rectangle[1]) < _MIN_MAP_SIDE:
        return None
    corners = cv2.boxPoints(rectangle)
    polygon = corners if options.score_mode == "fast" else contour.reshape(-1, 2)
    if _box_score(probability_map, polygon) < options.box_thresh:
        return None
    grown = _unclip(corners, options.unclip_ratio)
    if grown is None:
        return None
    rectangle = cv2.minAreaRect(grown)
    if min(rectangle[1]) < _MIN_MAP_SIDE + 2:
        return None
    box: npt.NDArray[np.float32] = cv2.boxPoints(rectangle)
    return box


def _box_score(probability_map: Float32Array, polygon: npt.NDArray[np.generic]) -> float:
    # Plain Python: for a few corners, the overhead of each NumPy call exceeds the computation.
    height, width = probability_map.shape
    corners = polygon.tolist()
    xs, ys = zip(*corners, strict=True)
    left, right = (min(max(side, 0), width - 1) for side in (math.floor(min(xs)), math.ceil(max(xs))))
    top, bottom = (min(max(side, 0), height - 1) for side in (math.floor(min(ys)), math.ceil(max(ys))))
    mask = np.zeros((bottom - top + 1, right - left + 1), dtype=np.uint8)
    shifted = np.array([(int(x - left), int(y - top)) for x, y in corners], dtype=np.int32)
    cv2.fillPoly(mask, [shifted], (1,))
    score: float = cv2.mean(probability_map[top : bottom + 1, left : right + 1], mask)[0]
    return score


def _unclip(corners: npt.NDArray[np.float32], ratio: float) -> npt.NDArray[np.int32] | None:
    area = cv2.contourArea(corners)
    distance = area * ratio / cv2.arcLength(corners, True)
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(corners.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    grown = offset.Execute(distance)
    return np.array(grown[0], dtype=np.int32) if len(grown) == 1 else None
