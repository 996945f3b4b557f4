"""Pictures with known text, as clients send them; drawn with Pillow's built-in font, so none has to be installed."""

import base64
import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

__all__ = ["as_base64", "bomb", "file_of", "line", "page"]


def page(lines: Sequence[str], size: int = 40) -> Image.Image:
    """Return a white page, 640 pixels wide, with one line of text below the other."""
    picture = Image.new("RGB", (640, 40 + 2 * size * max(1, len(lines))), "white")
    pen = ImageDraw.Draw(picture)
    for number, text in enumerate(lines):
        pen.text((30, 20 + 2 * size * number), text, fill="black", font=ImageFont.load_default(size))
    return picture


def line(text: str) -> Image.Image:
    """One line of text, cropped as the recogniser expects it."""
    font = ImageFont.load_default(40)
    picture = Image.new("RGB", (int(font.getlength(text)) + 24, 64), "white")
    ImageDraw.Draw(picture).text((12, 8), text, fill="black", font=font)
    return picture


def file_of(picture: Image.Image, file_format: str = "PNG") -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    picture.save(file, file_format)
    return file.getvalue()


def as_base64(picture: Image.Image, file_format: str = "PNG") -> str:
    """Encode a picture for a request's `images`."""
    return base64.b64encode(file_of(picture, file_format)).decode("ascii")


def bomb(width: int = 60_000, height: int = 60_000) -> str:
    """A PNG of a few bytes whose header declares far more pixels than it has; base64."""
    data = bytearray(file_of(Image.new("L", (1, 1))))
    import zlib

    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return base64.b64encode(data).decode("ascii")
