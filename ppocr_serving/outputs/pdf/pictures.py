"""The picture of a page as an object of PDF: a JPEG file as it is, others compressed without or with little loss."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from ppocr_serving.outputs.items import Check, PageSource
from ppocr_serving.outputs.pdf.file import Object, Stream, name
from ppocr_serving.results import Page

if TYPE_CHECKING:
    from ppocr_serving.vision.pixels import BgrImage

__all__ = ["Picture", "picture_of"]

_UPRIGHT: Final = (1, 0, 0, 1, 0, 0)
# By EXIF's orientation: how the unit square of a stored picture lies on the page.
_PLACEMENTS: Final = {
    1: _UPRIGHT,
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})  # sequential and progressive with Huffman codes, which readers know
_SPACES: Final = {1: "DeviceGray", 3: "DeviceRGB"}
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_SCAN = 0xDA
_MAX_ENTRIES = 500

# Pictures that take more bytes than this per pixel without loss are photographs, which nobody can tell from JPEG.
_LOSSLESS_BYTES = 1.0
_BANDS, _BAND = 8, 24  # number of them, and rows of each
_JPEG_QUALITY = 92
_PNG_LEVEL = 4


class Picture(NamedTuple):
    """A picture and how it lies on its page.

    Attributes:
        image: The object.
        placement: Six numbers that map the unit square to the page's, which is a unit square, too.
    """

    image: Stream
    placement: tuple[int, int, int, int, int, int]


class _Jpeg(NamedTuple):
    width: int
    height: int
    components: int
    orientation: int


def picture_of(source: PageSource, page: Page, check: Check) -> Picture:
    """Return the picture of a page.

    Args:
        source: Where it comes from.
        page: The page.
        check: Called before and after what takes long.
    """
    check()
    original = source.original_jpeg(page.number)
    if original is not None:
        header = _read_jpeg(original)
        if header is not None and _shown_size(header) == (page.width, page.height):
            entries = _entries(header.width, header.height, header.components)
            return Picture(Stream({**entries, "Filter": name("DCTDecode")}, original), _PLACEMENTS[header.orientation])
    image = source.image(page.number)
    check()
    picture = Picture(_compressed(image), _UPRIGHT)
    check()
    return picture


def _entries(width: int, height: int, components: int) -> dict[str, Object]:
    return {
        "Type": name("XObject"),
        "Subtype": name("Image"),
        "Width": width,
        "Height": height,
        "ColorSpace": name(_SPACES[components]),
        "BitsPerComponent": 8,
    }


def _compressed(image: BgrImage) -> Stream:
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    is_gray = bool(np.array_equal(image[:, :, 0], image[:, :, 1]) and np.array_equal(image[:, :, 1], image[:, :, 2]))
    shown = np.ascontiguousarray(image[:, :, 0]) if is_gray else image
    components = 1 if is_gray else 3
    entries = _entries(width, height, components)
    # Some bands tell what compressing all of it would take.
    bands = (
        shown
        if height <= 2 * _BANDS * _BAND
        else np.concatenate(
            [shown[start : start + _BAND] for start in np.linspace(0, height - _BAND, _BANDS).astype(int)]
        )
    )
    compressed = _png(bands)
    if len(compressed) <= _LOSSLESS_BYTES * width * len(bands):
        encoded = compressed if bands is shown else _png(shown)
        # What PNG compresses is what PDF can: rows with PNG's predictors.
        rows = {"Predictor": 15, "Colors": components, "BitsPerComponent": 8, "Columns": width}
        return Stream({**entries, "Filter": name("FlateDecode"), "DecodeParms": rows}, _png_data(encoded))
    encoded = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    return Stream({**entries, "Filter": name("DCTDecode")}, encoded)


def _png(image: BgrImage) -> bytes:
    import cv2

    file: bytes = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])[1].tobytes()
    return file


def _png_data(file: bytes) -> bytes:
    parts = []
    position = 8
    while position < len(file):
        length, kind = struct.unpack_from(">L4s", file, position)
        if kind == b"IDAT":
            parts.append(file[position + 8 : position + 8 + length])
        position += 12 + length
    return b"".join(parts)


def _shown_size(jpeg: _Jpeg) -> tuple[int, int]:
    return (jpeg.height, jpeg.width) if jpeg.orientation >= 5 else (jpeg.width, jpeg.height)


def _read_jpeg(data: bytes) -> _Jpeg | None:
    """Read the header of a JPEG file; None if readers of PDF might not show it as it is."""
    position, orientation = 2, 1
    frame: tuple[int, int, int] | None = None
    try:
        while data[position] == 0xFF and data[position + 1] != _SCAN:
            kind = data[position + 1]
            if kind == 0xFF:
                position += 1
                continue
            (length,) = struct.unpack_from(">H", data, position + 2)
            if kind in _FRAMES:
                precision, height, width, components = struct.unpack_from(">BHHB", data, position + 4)
                if precision != 8 or components not in _SPACES:
                    return None
                frame = (width, height, components)
            elif kind == 0xE1 and data.startswith(_EXIF, position + 4):
                orientation = _orientation(data[position + 4 + len(_EXIF) : position + 2 + length])
            position += 2 + length
    except (IndexError, struct.error):
        return None
    return _Jpeg(*frame, orientation) if frame is not None and data.startswith(b"\xff\xd8\xff") else None


def _orientation(exif: bytes) -> int:
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}L", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * min(count, _MAX_ENTRIES), 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHLH", exif, entry)
            if (tag, kind, values) == (_ORIENTATION, 3, 1):
                return value if value in _PLACEMENTS else 1
    except struct.error:
        pass
    return 1
