"""Files that are small and would cost much: what is left out of them, and what is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ppocr_serving.errors import ImageDecodeError, LimitExceeded
from ppocr_serving.vision.pictures import decode_picture
from ppocr_serving.vision.structure import without_extras
from tests.served.samples import file_of

PIXELS = 50_000_000
GRADIENT = Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint16).reshape(48, 64, 3).astype(np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(png: bytes, chunks: bytes) -> bytes:
    """Insert chunks after the header of a PNG file."""
    return png[:33] + chunks + png[33:]


def test_texts_and_profiles_are_left_out_of_a_png_file() -> None:
    plain = file_of(GRADIENT)
    text = chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(1_000_000)))
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(100_000_000)))
    heavy = with_chunks(plain, text * 100 + profile)
    assert without_extras(heavy) == plain
    np.testing.assert_array_equal(decode_picture(heavy, PIXELS), decode_picture(plain, PIXELS))


def test_a_png_file_without_extras_is_not_copied() -> None:
    plain = file_of(GRADIENT)
    assert without_extras(plain) is plain


def test_transparency_and_orientation_are_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    information = PngImagePlugin.PngInfo()
    information.add_text("comment", "left out")
    grey = Image.new("L", (30, 20), 7)
    grey.save(buffer, "PNG", exif=exif, transparency=7, pnginfo=information)
    image = decode_picture(buffer.getvalue(), PIXELS)
    assert image.shape == (30, 20, 3)  # turned
    assert (image == 255).all()  # what is transparent shows the background


def test_a_png_file_of_very_many_chunks_is_refused() -> None:
    with pytest.raises(ImageDecodeError, match="more than 20000 chunks"):
        decode_picture(with_chunks(file_of(GRADIENT), chunk(b"prVt", b"") * 30_000), PIXELS)


@pytest.mark.parametrize("length", [0, 5, 8, 12, 20, 40])
def test_a_truncated_png_file_is_refused(length: int) -> None:
    with pytest.raises(ImageDecodeError):
        decode_picture(file_of(GRADIENT)[:length], PIXELS)


def tiff(width: int, height: int, tags: list[tuple[int, int, int, int]], data: bytes = b"\0" * 64) -> bytes:
    """Return an uncompressed grey TIFF file with further tags."""
    own = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    entries = sorted([*own, *tags])
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


STRIP = [(273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 64)]


def test_a_tiff_file_with_very_many_tags_is_refused() -> None:
    extra = [(1000 + number, 4, 1, 0) for number in range(1000)]
    assert decode_picture(tiff(8, 8, STRIP + extra[:900]), PIXELS).shape == (8, 8, 3)
    with pytest.raises(ImageDecodeError, match="is a TIFF picture with 1009 tags"):
        decode_picture(tiff(8, 8, STRIP + extra), PIXELS)


def test_tiles_far_larger_than_the_picture_are_refused() -> None:
    offset_and_size = [(324, 4, 1, 8), (325, 4, 1, 256)]
    small = tiff(1, 1, [(322, 4, 1, 16), (323, 4, 1, 16), *offset_and_size], bytes(256))
    assert decode_picture(small, PIXELS).shape == (1, 1, 3)
    with pytest.raises(ImageDecodeError, match="of 1x1 pixels in tiles of 20000x20000"):
        decode_picture(tiff(1, 1, [(322, 4, 1, 20000), (323, 4, 1, 20000), *offset_and_size]), PIXELS)


def test_progressive_pictures_are_read_unless_they_have_very_many_scans() -> None:
    buffer = io.BytesIO()
    GRADIENT.save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    assert data.count(b"\xff\xda") > 5
    assert decode_picture(data, PIXELS).shape == (48, 64, 3)
    # A header that declares many pixels makes the same scans expensive.
    position = data.index(b"\xff\xc2") + 5
    large = data[:position] + struct.pack(">HH", 7000, 7000) + data[position + 4 :]
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageDecodeError, match=r"is a JPEG picture of 49000000 pixels in \d+ scans; save it again"):
        decode_picture(large[:-2] + scan * 20 + b"\xff\xd9", PIXELS)


@pytest.mark.parametrize("size", [(1_000_001, 1), (1, 1_000_001)])
def test_a_side_is_limited(size: tuple[int, int]) -> None:
    with pytest.raises(LimitExceeded, match="the limit of a side is 1000000, send a smaller one"):
        decode_picture(file_of(Image.new("1", size)), PIXELS)
