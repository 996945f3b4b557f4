"""Labelled pictures as a camera or scanner held another way would deliver them."""

import sys
from collections.abc import Sequence

import cv2
import numpy as np

from benchmarks.labels import LabelledLine, labelled_line
from ppocr_serving.vision.orientation import turn_boxes, turn_picture
from ppocr_serving.vision.pictures import decode_picture

__all__ = ["turn_labelled"]


def turn_labelled(data: bytes, labels: Sequence[LabelledLine], degrees: int) -> tuple[bytes, list[LabelledLine]]:
    """Turn a picture together with its labels.

    Args:
        data: The bytes of its file.
        labels: What stands where.
        degrees: Clockwise: 0, 90, 180 or 270.

    Returns:
        The bytes of a PNG file, or `data` itself if the angle is 0; and the labels in the order of before.
    """
    if not degrees:
        return data, list(labels)
    image = decode_picture(data, sys.maxsize)
    height, width = image.shape[:2]
    turned = []
    for label in labels:
        left, top, right, bottom = label.rectangle
        box = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], dtype=np.float32)
        turned.append(labelled_line(label.text, turn_boxes(box, degrees, width, height)[0].tolist()))
    _, encoded = cv2.imencode(".png", turn_picture(image, degrees), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes(), turned
