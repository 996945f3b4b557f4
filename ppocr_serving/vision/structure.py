"""Look at the structure of a picture file before it is decoded: small files must not cost much more than their pixels.

Decoders read parts that no pixel depends on, and parts of a picture as often as the file says. Here such parts are left
out, or the file is refused.
"""

import re
import struct
from typing import Final

import numpy as np

from ppocr_serving.errors import ImageDecodeError

__all__ = [
    "require_few_lines",
    "require_few_scans",
    "require_few_tags",
    "require_small_tiles",
    "without_extras",
]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_EXTRAS = frozenset({b"tRNS", b"eXIf"})  # chunks that decoding may do without, but that change what is seen
_MAX_CHUNKS = 20_000  # a file of 32 MB in parts of 2 kB

_START_OF_SCAN = b"\xff\xda"
# Progressive encoders make some ten scans, each of which goes over all pixels.
_USUAL_SCANS = 16
_SCANNED_PIXELS = 200_000_000

_MAX_PARTS = 20_000  # segments, extensions, chunks or strips
_MAX_HEADER = 2_000_000
_SCAN = 0xDA
_FILL: Final = re.compile(rb"\xff+")
_JPEG_EXTRAS = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")  # both have the orientation
_GIF_PART: Final = re.compile(rb"[!,;]")
_WEBP_PARTS = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"XMP "})

_MAX_LINES = 65_535

_DIRECTORIES = frozenset({34665, 34853, 40965})  # tags that point to EXIF's directories
_MAX_DIRECTORIES = 8
_PARTS = frozenset({273, 279, 324, 325})  # offsets and sizes of strips and tiles
_PART_SIZES = frozenset({279, 325})
_DTYPES: Final = {3: "u2", 4: "u4", 8: "u2", 9: "u4", 13: "u4", 16: "u8"}
_INTEGERS: Final = {3: "H", 4: "I", 8: "H", 9: "I", 13: "I", 16: "Q"}
# Python objects are made of each value: most are a few, but colour maps have 3 * 2**16.
_MAX_VALUES: Final = {5: 1000, 10: 1000, 11: 200_000, 12: 200_000, **dict.fromkeys(_INTEGERS, 200_000)}
_MAX_SHARING = 4  # blank strips may be the same part of a file
_SMALL_BYTES = 2**24
_MAX_TAGS = 1000  # formats derived from TIFF define some hundred

_MAX_PADDING = 4  # a tile may reach beyond the picture, which has to be decoded nevertheless
_SMALL_PIXELS = 2_000_000


def without_extras(data: bytes) -> bytes:
    """Return a PNG, JPEG, GIF or WebP file without what does not change its pixels, such as texts and profiles.

    Args:
        data: The bytes of any file; those of other formats are returned as they are.

    Raises:
        ImageDecodeError: It has far more parts than encoders write.
    """
    if data.startswith(_PNG_SIGNATURE):
        return _lean_png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _lean_jpeg(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _lean_gif(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _lean_webp(data)
    return data


def _lean_png(data: bytes) -> bytes:
    kept = [slice(0, len(_PNG_SIGNATURE))]
    position = len(_PNG_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind[:1].isupper() or kind in _PNG_EXTRAS:  # critical chunks begin with a capital letter
            if kept[-1].stop == position:
                kept[-1] = slice(kept[-1].start, end)
            else:
                kept.append(slice(position, end))
        position = end
        if kind == b"IEND":
            break
    else:
        raise ImageDecodeError(f"is a PNG picture with more than {_MAX_CHUNKS} chunks; save it again")
    return data if len(kept) == 1 and position >= len(data) else b"".join(data[part] for part in kept)


def _lean_jpeg(data: bytes) -> bytes:
    kept, size, position = [data[:2]], 0, 2
    for _ in range(_MAX_PARTS):
        position = data.find(b"\xff", position)
        fill = _FILL.match(data, position) if position >= 0 else None
        if fill is None or fill.end() + 3 > len(data):
            return b"".join(kept)
        position = fill.end()
        kind = data[position]
        if kind == 0 or 0xD0 <= kind <= 0xD7:  # decoders skip these
            continue
        if not 0xC0 <= kind <= 0xFE or kind in (0xD8, 0xD9):
            return b"".join(kept)  # no decoder reads on
        if kind == _SCAN:
            kept.append(data[position - 1 :])
            return data if sum(map(len, kept)) == len(data) else b"".join(kept)
        end = position + 1 + int.from_bytes(data[position + 1 : position + 3])
        if kind < 0xE0 or kind in (0xE0, 0xEE) or data.startswith(_JPEG_EXTRAS, position + 3):
            kept.append(data[position - 1 : end])
            size += end - position
            if size > _MAX_HEADER:
                raise ImageDecodeError(f"is a JPEG picture with a header of {size} bytes or more; save it again")
        position = end
    raise ImageDecodeError(f"is a JPEG picture with more than {_MAX_PARTS} segments; save it again")


def _lean_gif(data: bytes) -> bytes:
    position = 13 + (3 << (data[10] & 7) + 1 if len(data) > 12 and data[10] & 0x80 else 0)
    kept, blocks = [data[:position]], 0
    while True:
        start = _GIF_PART.search(data, position)
        if start is None:
            return b"".join(kept)
        if start[0] != b"!":  # the first frame, or the end
            kept.append(data[start.start() :])
            return data if sum(map(len, kept)) == len(data) else b"".join(kept)
        position = start.start() + 2
        while position < len(data) and data[position] and blocks <= _MAX_PARTS:
            position += 1 + data[position]
            blocks += 1
        position += 1
        blocks += 1
        if blocks > _MAX_PARTS:
            raise ImageDecodeError(f"is a GIF picture with more than {_MAX_PARTS} comments; save it again")
        if data[start.start() + 1 : start.start() + 2] == b"\xf9":  # says which colour is transparent
            kept.append(data[start.start() : position])


def _lean_webp(data: bytes) -> bytes:
    kept, position, frames = [], 12, 0
    for _ in range(_MAX_PARTS):
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        frames += kind == b"ANMF"
        if kind in _WEBP_PARTS and (kind != b"ANMF" or frames == 1):
            kept.append(slice(position, end))
        position = end
    else:
        raise ImageDecodeError(f"is a WebP picture with more than {_MAX_PARTS} chunks; save it again")
    size = 4 + sum(part.stop - part.start for part in kept)  # as declared, so that a truncated file remains one
    if size + 8 >= len(data) or size > 0xFFFFFFFF:
        return data
    return b"".join([b"RIFF", struct.pack("<I", size), b"WEBP", *(data[part] for part in kept)])


def require_few_scans(data: bytes, parts: list[slice], pixels: int) -> None:
    """Check that a JPEG file, or a TIFF file of JPEG strips, does not go over its pixels far more often than usual.

    Args:
        data: The bytes of the file.
        parts: The positions of the scans of a JPEG file, or of the strips.
        pixels: How many it declares.

    Raises:
        ImageDecodeError: It has too many scans.
    """
    scans = sum(data.count(_START_OF_SCAN, part.start, part.stop) for part in parts) / max(1, len(parts))
    if scans > _USUAL_SCANS and scans * pixels > _SCANNED_PIXELS:
        raise ImageDecodeError(f"is a picture of {pixels} pixels in {scans:.0f} JPEG scans; save it again")


def require_few_tags(data: bytes, kind: str = "is a TIFF picture") -> None:
    """Check that what decoders read of the directories of a TIFF file is not far larger than encoders write.

    Args:
        data: The bytes of a TIFF or BigTIFF file, or EXIF data.
        kind: What this is, for the message.

    Raises:
        ImageDecodeError: It is.
    """
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:3] == b"+"
    try:
        (offset,) = struct.unpack_from(f"{order}Q", data, 8) if is_big else struct.unpack_from(f"{order}I", data, 4)
        _require_few_tags(data, order, is_big, [offset], kind)
    except (struct.error, OverflowError):
        return  # the decoder says that it is truncated


def _require_few_tags(data: bytes, order: str, is_big: bool, offsets: list[int], kind: str) -> None:
    form, step = (f"{order}HHQ", 20) if is_big else (f"{order}HHI", 12)
    for offset in offsets:  # grows
        (count,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}H", data, offset)
        if count > _MAX_TAGS:
            raise ImageDecodeError(f"{kind} with {count} tags; save it again")
        first = offset + (8 if is_big else 2)
        for entry in range(first, first + count * step, step):
            tag, type_, values = struct.unpack_from(form, data, entry)
            limit = _MAX_PARTS if tag in _PARTS else _MAX_VALUES.get(type_, len(data))
            if limit < values <= len(data):  # Pillow skips those that are longer than the file
                raise ImageDecodeError(f"{kind} with {values} values in tag {tag}; save it again")
            at = entry + step - (8 if is_big else 4)
            if tag in _PART_SIZES and type_ in _INTEGERS:
                _require_parts_of_file(data, order, type_, values, at, is_big, kind)
            if tag in _DIRECTORIES and type_ in _INTEGERS and len(offsets) < _MAX_DIRECTORIES:
                offsets.extend(struct.unpack_from(f"{order}{_INTEGERS[type_]}", data, at))


def _require_parts_of_file(
    data: bytes, order: str, type_: int, values: int, position: int, is_big: bool, kind: str
) -> None:
    dtype = np.dtype(f"{order}{_DTYPES[type_]}")
    if values * dtype.itemsize > (8 if is_big else 4):
        (position,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, position)
    if position + values * dtype.itemsize > len(data):
        return
    size = int(np.frombuffer(data, dtype, values, position).sum(dtype=np.float64))
    if size > _MAX_SHARING * len(data) + _SMALL_BYTES:
        raise ImageDecodeError(f"{kind} of {len(data)} bytes whose strips have {size}; save it again")


def require_few_lines(height: int) -> None:
    """Check that a fax has not far more lines than a page: its decoder reports each bad one, and reads on.

    Args:
        height: Number of lines.

    Raises:
        ImageDecodeError: It has.
    """
    if height > _MAX_LINES:
        raise ImageDecodeError(f"is a fax of {height} lines; the limit is {_MAX_LINES}, save it in another compression")


def require_small_tiles(size: tuple[int, int], tile: tuple[int, int]) -> None:
    """Check that the tiles of a TIFF file do not reach far beyond its pixels.

    Args:
        size: Width and height in pixels.
        tile: Width and height of each tile in pixels.

    Raises:
        ImageDecodeError: They do.
    """
    padded = [-(-length // step) * step for length, step in zip(size, tile, strict=True)]
    pixels = size[0] * size[1]
    if padded[0] * padded[1] > max(_MAX_PADDING * pixels, _SMALL_PIXELS):
        raise ImageDecodeError(
            f"is a TIFF picture of {size[0]}x{size[1]} pixels in tiles of {tile[0]}x{tile[1]}; save it again"
        )
