"""Crops of single lines, as both line networks (classification and recognition) take them."""

import math

import cv2
import numpy as np

from ppocr_serving.engines import Float32Array
from ppocr_serving.pictures import BgrImage

__all__ = ["line_width", "scale_line", "write_line"]


def line_width(crop: BgrImage, height: int) -> int:
    """The width that a crop has when it is scaled to `height`, in pixels, rounded up, at least 1."""
    proportions: float = crop.shape[1] / crop.shape[0]
    return max(1, math.ceil(height * proportions))


def scale_line(crop: BgrImage, height: int, max_width: int) -> BgrImage:
    """Scales a crop to a line's height.

    Args:
        crop: (h, w, 3) uint8 BGR.
        height: Pixels of the line.
        max_width: A crop that is wider at that height is squeezed to this many pixels.

    Returns:
        (height, w, 3) uint8 with w at most `max_width`.
    """
    line: BgrImage = cv2.resize(crop, (min(max_width, line_width(crop, height)), height))
    return line


def write_line(crop: BgrImage, line: Float32Array) -> None:
    """Scales a crop to a line's height and writes it, normalised to [-1, 1], to the line's left end.

    Args:
        crop: (h, w, 3) uint8 BGR.
        line: (3, H, W) float32, written in place; what lies right of the crop is left as it is. A crop that is
            wider than W at height H is squeezed.
    """
    _, height, width = line.shape
    scaled = scale_line(crop, height, width)
    target = line[:, :, : scaled.shape[1]]
    np.multiply(scaled.transpose(2, 0, 1), np.float32(2 / 255), out=target)
    target -= np.float32(1)
