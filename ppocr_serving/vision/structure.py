"""Look at the structure of a picture file before it is decoded: small files must not cost much more than their pixels.

Decoders read parts that no pixel depends on, and parts of a picture as often as the file says. Here such parts are left
out, or the file is refused.
"""

import struct

from ppocr_serving.errors import ImageDecodeError

__all__ = ["require_few_scans", "require_few_tags", "require_small_tiles", "without_extras"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_EXTRAS = frozenset({b"tRNS", b"eXIf"})  # chunks that decoding may do without, but that change what is seen
_MAX_CHUNKS = 20_000  # a file of 32 MB in parts of 2 kB

_START_OF_SCAN = b"\xff\xda"
# Progressive encoders make some ten scans, each of which goes over all pixels.
_USUAL_SCANS = 16
_SCANNED_PIXELS = 200_000_000

_MAX_TAGS = 1000  # formats derived from TIFF define some hundred

_MAX_PADDING = 4  # a tile may reach beyond the picture, which has to be decoded nevertheless
_SMALL_PIXELS = 2_000_000


def without_extras(data: bytes) -> bytes:
    """Return a PNG file without the chunks that do not change its pixels, such as texts and profiles.

    Args:
        data: The bytes of a PNG file.

    Raises:
        ImageDecodeError: It has far more chunks than encoders write.
    """
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


def require_few_scans(data: bytes, start: int, pixels: int) -> None:
    """Check that a JPEG file does not go over its pixels far more often than progressive files do.

    Args:
        data: The bytes of a JPEG file.
        start: Position of its first scan.
        pixels: How many it declares.

    Raises:
        ImageDecodeError: It has too many scans.
    """
    scans = data.count(_START_OF_SCAN, start)
    if scans > _USUAL_SCANS and scans * pixels > _SCANNED_PIXELS:
        raise ImageDecodeError(f"is a JPEG picture of {pixels} pixels in {scans} scans; save it again")


def require_few_tags(data: bytes) -> None:
    """Check that the first directory of a TIFF file is not far larger than encoders write.

    Args:
        data: The bytes of a TIFF or BigTIFF file.

    Raises:
        ImageDecodeError: It is.
    """
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    try:
        (offset,) = struct.unpack_from(f"{order}Q", data, 8) if is_big else struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}H", data, offset)
    except (struct.error, OverflowError):
        return  # the decoder says that it is truncated
    if count > _MAX_TAGS:
        raise ImageDecodeError(f"is a TIFF picture with {count} tags; save it again")


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
