"""Crops of single lines, as both line networks (classification and recognition) take them."""

import math

import cv2
import numpy as np

from ppocr_serving.engines import Float32Array
from ppocr_serving.pictures import BgrImage

__all__ = ["line_width", "write_line"]


def line_width(crop: BgrImage, height: int) -> int:
    """The width that a crop has when it is scaled to `height`, in pixels, rounded up, at least 1."""
    proportions: float = crop.shape[1] / crop.shape[0]
    return max(1, math.ceil(height * proportions))


def write_line(crop: BgrImage, line: Float32Array) -> None:
    """Scales a crop to a line's height and writes it, normalised to [-1, 1], to the line's left end.

    Args:
        crop: (h, w, 3) uint8 BGR.
        line: (3, H, W) float32, written in place; what lies right of the crop is left as it is. A crop that is
            wider than W at height H is squeezed.
    """
    _, height, width = line.shape
    width = min(width, line_width(crop, height))
    resized = cv2.resize(crop, (width, height))
    target = line[:, :, :width]
    np.multiply(resized.transpose(2, 0, 1), np.float32(2 / 255), out=target)
    target -= np.float32(1)
