"""Look at the structure of a picture file before it is decoded: small files must not cost much more than their pixels.

Decoders read parts that no pixel depends on: they are left out here. What remains is decoded at once if its structure
shows that this takes little, and by a process that can be ended if not.
"""

import mmap
import re
import struct
from typing import Final, NamedTuple

from PIL import Image

from ppocr_serving.errors import ImageDecodeError

__all__ = ["WebpFrame", "first_frame", "is_cheap", "require_few_tags", "start_of_scan", "without_extras"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_EXTRAS = frozenset({b"tRNS", b"eXIf"})  # chunks that decoding may do without, but that change what is seen
_MAX_CHUNKS = 100_000  # a file of 32 MB in parts of 330 bytes

# Each scan of a JPEG file goes over all pixels; progressive encoders make some ten.
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MAX_MARKERS = 1000
_SCANNED_PIXELS = 200_000_000
_USUAL_PROCESSES = (0xC0, 0xC1, 0xC2)  # Huffman codes, not arithmetic ones; nothing lossless
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # markers that say how it is encoded

_MAX_PARTS = 20_000  # segments or extensions
_MAX_HEADER = 2_000_000
_SCAN = 0xDA
_FILL: Final = re.compile(rb"\xff+")
_JPEG_EXTRAS = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")  # both have the orientation
_GIF_PART: Final = re.compile(rb"[!,;]")
_WEBP_PARTS = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"XMP "})
_VP8X = 10  # bytes of the chunk
_ANIMATION, _ALPHA = 2, 16  # its flags
# libwebp has 5.7 kB of tables for each 4 x 4 pixels, if a lossless file says so.
_LOSSLESS_PIXELS = 150_000

_RAW = "raw"  # Pillow's decoder
_RAW_PARTS = 1000  # it takes long for each

_DIRECTORIES = frozenset({34665, 34853, 40965})  # tags that point to EXIF's directories
_MAX_DIRECTORIES = 8
_INTEGERS: Final = {3: "H", 4: "I", 8: "H", 9: "I", 13: "I", 16: "Q"}
# Python objects are made of each value: most are a few, but colour maps have 3 * 2**16.
_MAX_VALUES: Final = {5: 1000, 10: 1000, 11: 200_000, 12: 200_000, **dict.fromkeys(_INTEGERS, 200_000)}
_MAX_TAGS = 1000  # formats derived from TIFF define some hundred


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
    for _ in range(_MAX_CHUNKS):  # what is beyond is not decoded
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        frames += kind == b"ANMF"
        if kind in _WEBP_PARTS and (kind != b"ANMF" or frames == 1):
            kept.append(slice(position, end))
        position = end
    size = 4 + sum(part.stop - part.start for part in kept)  # as declared, so that a truncated file remains one
    if size + 8 >= len(data) or size > 0xFFFFFFFF:
        return data
    return b"".join([b"RIFF", struct.pack("<I", size), b"WEBP", *(data[part] for part in kept)])


class WebpFrame(NamedTuple):
    """A frame of a WebP file.

    Attributes:
        file: A file of this frame alone.
        left: Position in the picture, in pixels.
        top: The same, downwards.
    """

    file: bytes | mmap.mmap
    left: int
    top: int


def first_frame(data: bytes | mmap.mmap) -> WebpFrame:
    """Return the first frame of a WebP file.

    Raises:
        ValueError: It is animated and has none.
    """
    if data[12:16] != b"VP8X" or not data[20] & _ANIMATION:
        return WebpFrame(data, 0, 0)
    position = data.find(b"ANMF", 12 + 8 + _VP8X)
    if position < 0 or position + 24 > len(data):
        raise ValueError("it has no frame")
    length, left, top, width, height = struct.unpack_from("<I3s3s3s3s", data, position + 4)
    chunks = data[position + 24 : position + 8 + length]
    # Of the canvas's form, with the frame's size and without the flag of an animation.
    header = struct.pack("<4sIB3s3s3s", b"VP8X", _VP8X, _ALPHA, b"", width, height)
    body = b"".join([b"WEBP", header, chunks])
    file = b"RIFF" + struct.pack("<I", len(body)) + body
    return WebpFrame(file, 2 * int.from_bytes(left, "little"), 2 * int.from_bytes(top, "little"))


def start_of_scan(data: bytes | mmap.mmap) -> int:
    """Return where the pixels of a JPEG file begin. What comes before may contain entire files, such as a thumbnail."""
    position = 2  # after the start-of-image marker
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != _SCAN:
        if data[position + 1] == 0xFF:  # a fill byte before a marker
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return position


def is_cheap(data: bytes, picture: Image.Image) -> bool:
    """Return whether a picture takes little for its pixels, as far as its structure shows.

    PNG and GIF files are: they are decoded part by part, and that can be stopped at any of them.

    Args:
        data: The bytes of its file, without extras.
        picture: The file as Pillow has opened it.
    """
    pixels = picture.width * picture.height
    if picture.format == "JPEG":
        return _is_cheap_jpeg(data, pixels)
    if picture.format == "WEBP":
        return pixels <= _LOSSLESS_PIXELS or _is_lossy_webp(data)
    if picture.format == "TIFF":
        tiles = getattr(picture, "tile", ())
        return len(tiles) <= _RAW_PARTS and all(tile.codec_name == _RAW for tile in tiles)
    return True


def _is_lossy_webp(data: bytes) -> bool:
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind in (b"VP8L", b"ALPH", b"ANMF"):
            return False
        position += 8 + length + length % 2
    return True


def _is_cheap_jpeg(data: bytes, pixels: int) -> bool:
    position = 2
    while position + 4 <= len(data) and data[position + 1] != _SCAN:
        if data[position] != 0xFF or data[position + 1] in _FRAMES - {*_USUAL_PROCESSES}:
            return False
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    scans = 0
    for number, marker in enumerate(_MARKER.finditer(data, position)):
        scans += marker[0][1] == _SCAN
        if number > _MAX_MARKERS or (scans > 1 and scans * pixels > _SCANNED_PIXELS):
            return False
    return True


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
            if (
                _MAX_VALUES.get(type_, len(data)) < values <= len(data)
            ):  # Pillow skips those that are longer than the file
                raise ImageDecodeError(f"{kind} with {values} values in tag {tag}; save it again")
            at = entry + step - (8 if is_big else 4)
            if tag in _DIRECTORIES and type_ in _INTEGERS and len(offsets) < _MAX_DIRECTORIES:
                offsets.extend(struct.unpack_from(f"{order}{_INTEGERS[type_]}", data, at))
