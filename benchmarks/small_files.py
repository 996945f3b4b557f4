"""Small files of every kind and coding that the service reads, to be mutated: a few hundred bytes to some kilobytes."""

import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from benchmarks.hostile_files import progressive_jpeg, saved, tiff

__all__ = ["pdf_of_lines", "pdf_of_pictures", "pdf_with_text", "small_files", "text_picture"]

_TURNED: Final = 6  # EXIF's word for a picture that lies on its side
_FAX: Final = ("group3", "group4", "tiff_ccitt")
_TIFF_CODINGS: Final = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")
_TIFF_MODES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "1": _FAX,
        **dict.fromkeys(("L", "RGB", "RGBA", "CMYK", "YCbCr"), ("jpeg",)),
        **dict.fromkeys(("F", "I", "I;16", "P"), ()),
    }
)
"""Modes of Pillow, with the codings that they have besides those of all."""
_POINTS_PER_INCH: Final = 72
_COLUMN_LINES: Final = 100


def text_picture(text: str, size: int = 24, paper: str = "white") -> Image.Image:
    """Draw one line of Latin text, as tall as needed.

    Args:
        text: The line.
        size: Font size in pixels.
        paper: Colour of the background.
    """
    font = ImageFont.load_default(size)
    picture = Image.new("RGB", (int(font.getlength(text)) + size, 2 * size), paper)
    ImageDraw.Draw(picture).text((size / 2, size / 3), text, fill="black", font=font)
    return picture


def small_files() -> Mapping[str, bytes]:
    """Return the files by name; the first word of a name is the format."""
    picture, wide = text_picture("42"), text_picture("No. 2026")
    turned = Image.Exif()
    turned[0x0112] = _TURNED
    files = {
        "JPEG": saved(wide, "JPEG"),
        "JPEG grey": saved(picture.convert("L"), "JPEG"),
        "JPEG CMYK": saved(picture.convert("CMYK"), "JPEG"),
        "JPEG progressive, turned": saved(picture, "JPEG", progressive=True, exif=turned.tobytes()),
        "JPEG of many scans": progressive_jpeg((64, 48), 4),
        "PNG": saved(wide, "PNG"),
        "PNG of 16 bits": saved(picture.convert("I;16"), "PNG"),
        "WebP": saved(wide, "WEBP"),
        "WebP lossless": saved(picture, "WEBP", lossless=True),
        "WebP with alpha": saved(picture.convert("RGBA"), "WEBP"),
        "WebP animation": _frames(picture, "WEBP"),
        "GIF": _frames(picture.convert("P"), "GIF"),
        "TIFF of tiles": tiff((64, 48), 8, zlib.compress(bytes(256)), tile=(16, 16), count=12),
        "TIFF of pages": _frames(picture.convert("L"), "TIFF"),
        "PDF": pdf_with_text(["No. 2026", "Total 42"]),
        "PDF of pictures": pdf_of_pictures([wide, picture]),
    }
    files |= {f"PNG {mode}": saved(picture.convert(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGBA")}
    files |= {f"BMP {mode}": saved(picture.convert(mode), "BMP") for mode in ("1", "L", "P", "RGB")}
    for mode, codings in _TIFF_MODES.items():
        for coding in (*_TIFF_CODINGS, *codings):
            files[f"TIFF {mode} {coding}"] = saved(_converted(picture, mode), "TIFF", compression=coding)
    return MappingProxyType(files)


def pdf_of_pictures(pictures: Sequence[Image.Image], dpi: float = _POINTS_PER_INCH) -> bytes:
    """Return a PDF that shows a picture per page.

    Args:
        pictures: At least one.
        dpi: Pixels per inch at which they are shown.
    """
    return saved(pictures[0], "PDF", save_all=True, append_images=pictures[1:], resolution=dpi)


def pdf_with_text(lines: Sequence[str]) -> bytes:
    """Return a PDF of one page with text of its own, and no picture.

    Args:
        lines: ASCII without parentheses and backslashes.
    """
    return _pdf_page((12, 110 - 28 * number, line) for number, line in enumerate(lines))


def pdf_of_lines(count: int) -> bytes:
    """Return a PDF of one page with this many lines of its own text, `Line 1` and so on, in columns."""
    columns = -(-count // _COLUMN_LINES)
    width, height = 45 * columns + 15, 6 * _COLUMN_LINES + 15
    placed = (
        (15 + 45 * (number // _COLUMN_LINES), height - 12 - 6 * (number % _COLUMN_LINES), f"Line {number + 1}")
        for number in range(count)
    )
    return _pdf_page(placed, 4, width, height)


def _pdf_page(placed: Iterable[tuple[int, int, str]], size: int = 20, width: int = 180, height: int = 144) -> bytes:
    """Return a PDF of one page with texts at points; sizes in points, the page's y axis up."""
    shown = "".join(f"1 0 0 1 {x} {y} Tm ({text}) Tj " for x, y, text in placed)
    content = f"BT /F {size} Tf {shown}ET".encode()
    bodies = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
        % (width, height),
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    file = bytearray(b"%PDF-1.4\n")
    table = b"xref\n0 6\n0000000000 65535 f \n"
    for number, body in enumerate(bodies, 1):
        table += b"%010d 00000 n \n" % len(file)
        file += b"%d 0 obj%s endobj\n" % (number, body)
    start = len(file)
    return bytes(file + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start)


def _frames(picture: Image.Image, file_format: str) -> bytes:
    options: dict[str, Any] = {} if file_format == "TIFF" else {"duration": 100}
    others = [picture.rotate(degrees) for degrees in (10, 180)]
    buffer = io.BytesIO()
    picture.save(buffer, file_format, save_all=True, append_images=others, **options)
    return buffer.getvalue()


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    return picture.convert("L").convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)
