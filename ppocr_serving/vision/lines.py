"""Crops of single lines, prepared for both line networks (classification and recognition)."""

import functools
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np

from ppocr_serving.engines import Float32Array
from ppocr_serving.vision.pictures import BgrImage

__all__ = ["USUAL_NORMALIZATION", "Interpolation", "Normalization", "batch_lines", "line_width", "scale_line"]

Interpolation = Literal["linear", "cubic"]
"""How the pixels of a scaled line are computed. `cubic` keeps the letters of small lines apart better."""

_FLAGS: dict[Interpolation, int] = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


class Normalization(NamedTuple):
    """How samples become the input of a network: (sample / 255 - mean) / deviation.

    Attributes:
        mean: Of each channel in memory order.
        deviation: Standard deviation of each channel.
    """

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)


USUAL_NORMALIZATION = Normalization()
"""That of all classifiers and recognisers that PaddleOCR has published."""


def line_width(crop: BgrImage, height: int) -> int:
    """Return the width in pixels of a crop scaled to `height`, rounded up, at least 1."""
    proportions: float = crop.shape[1] / crop.shape[0]
    return max(1, math.ceil(height * proportions))


def scale_line(crop: BgrImage, height: int, max_width: int, interpolation: Interpolation = "linear") -> BgrImage:
    """Scale a crop to a line's height.

    Args:
        crop: (h, w, 3) uint8 BGR.
        height: Pixels of the line.
        max_width: A crop that is wider at that height is squeezed to this many pixels.
        interpolation: How.

    Returns:
        (height, w, 3) uint8 with w at most `max_width`; `crop` itself if it has that size.
    """
    width = min(max_width, line_width(crop, height))
    if crop.shape[:2] == (height, width):
        return crop
    line: BgrImage = cv2.resize(crop, (width, height), interpolation=_FLAGS[interpolation])
    return line


def batch_lines(
    crops: Sequence[BgrImage], height: int, width: int, normalization: Normalization = USUAL_NORMALIZATION
) -> Float32Array:
    """Build one batch of lines.

    Args:
        crops: (h, w, 3) uint8 BGR each; those of another height are scaled.
        height: Height in pixels of the network's input.
        width: Its width in pixels. A crop that is wider at that height is squeezed, a narrower one is padded on the
            right.
        normalization: The network's.

    Returns:
        (N, 3, height, width) float32, by default in [-1, 1]; padding is 0, the middle of the range.
    """
    tables = _tables(normalization)
    batch = np.zeros((len(crops), 3, height, width), dtype=np.float32)
    for line, crop in zip(batch, crops, strict=True):
        fits = crop.shape[0] == height and crop.shape[1] <= width
        scaled = crop if fits else scale_line(crop, height, width)
        for plane, table, channel in zip(cv2.split(scaled), tables, line, strict=True):
            cv2.LUT(plane, table, channel[:, : scaled.shape[1]])
    return batch


@functools.cache
def _tables(normalization: Normalization) -> tuple[Float32Array, ...]:
    """Return the network's input for each 8-bit sample, by channel."""
    samples = np.arange(256) / 255
    return tuple(
        ((samples - mean) / deviation).astype(np.float32)[:, np.newaxis]
        for mean, deviation in zip(*normalization, strict=True)
    )
