"""Pictures with known text, drawn with Debian's fonts."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ppocr_serving.vision.pictures import BgrImage

Colour = tuple[int, int, int]
"""Red, green, blue."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

_FONT_FOLDER = Path("/usr/share/fonts/truetype")
_LATIN = (_FONT_FOLDER / "dejavu/DejaVuSans.ttf", "fonts-dejavu-core")
_CHINESE = (_FONT_FOLDER / "wqy/wqy-microhei.ttc", "fonts-wqy-microhei")


class Placed(NamedTuple):
    """A line of text and its position on a page.

    Attributes:
        text: One line, Latin or Chinese.
        x: Pixels of its left edge.
        y: Pixels of its top edge.
        size: Font size in pixels.
    """

    text: str
    x: int
    y: int
    size: int = 40


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a font with the text's glyphs; if it is missing, fail the test and name its Debian package."""
    is_latin = text.isascii() or any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    path, package = _LATIN if is_latin else _CHINESE  # DejaVu has Hebrew and Arabic, too
    if not path.is_file():
        pytest.fail(f"the font {path} is missing; run: apt-get install {package}", pytrace=False)
    return ImageFont.truetype(str(path), size)


def draw_page(lines: Sequence[Placed], width: int, height: int, ink: Colour = BLACK, paper: Colour = WHITE) -> BgrImage:
    """Draw lines onto a page of the given size; (height, width, 3) uint8 BGR."""
    page = Image.new("RGB", (width, height), paper)
    pen = ImageDraw.Draw(page)
    for line in lines:
        pen.text((line.x, line.y), line.text, fill=ink, font=font_for(line.text, line.size), anchor="lt")
    return _bgr(page)


def draw_line(text: str, size: int = 40, margin: int = 20, ink: Colour = BLACK, paper: Colour = WHITE) -> BgrImage:
    """Draw one line with a margin of `margin` pixels all around."""
    left, top, right, bottom = font_for(text, size).getbbox(text, anchor="lt")
    width, height = int(right - left) + 2 * margin, int(bottom - top) + 2 * margin
    return draw_page([Placed(text, margin, margin, size)], width, height, ink, paper)


def draw_downwards(text: str, size: int = 48, margin: int = 40) -> BgrImage:
    """Draw letters below one another, as vertical Chinese is written."""
    font = font_for(text, size)
    page = Image.new("RGB", (size + 2 * margin, len(text) * size + 2 * margin), WHITE)
    pen = ImageDraw.Draw(page)
    for index, letter in enumerate(text):
        pen.text((page.width / 2, margin + (index + 0.5) * size), letter, fill=BLACK, font=font, anchor="mm")
    return _bgr(page)


def rotate(image: BgrImage, degrees: float, paper: Colour = WHITE) -> BgrImage:
    """Rotate counter-clockwise around the centre onto a page that is large enough for all of it."""
    page = Image.fromarray(image[:, :, ::-1])
    return _bgr(page.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=paper))


def add_noise(image: BgrImage, deviation: float, seed: int) -> BgrImage:
    """Add normally distributed noise of the given deviation, in grey levels, to every sample."""
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def shrink(image: BgrImage, factor: float) -> BgrImage:
    """Make a picture smaller by `factor`, averaging pixels."""
    small: BgrImage = cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return small


def _bgr(page: Image.Image) -> BgrImage:
    return np.ascontiguousarray(np.asarray(page)[:, :, ::-1])
