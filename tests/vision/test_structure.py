"""Files that are small and would cost much: what is left out of them, and what is refused."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ppocr_serving.errors import ImageDecodeError, LimitExceeded
from ppocr_serving.vision.pictures import decode_picture, picture_size
from ppocr_serving.vision.structure import without_extras
from tests.served.samples import file_of

PIXELS = 50_000_000
GRADIENT = Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint16).reshape(48, 64, 3).astype(np.uint8))


def out_of_memory() -> cv2.error:
    error = cv2.error("Insufficient memory")
    error.code = -4
    return error


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
    with pytest.raises(ImageDecodeError, match="more than 100000 chunks"):
        decode_picture(with_chunks(file_of(GRADIENT), chunk(b"prVt", b"") * 110_000), PIXELS)


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


def test_a_tile_may_reach_beyond_the_picture() -> None:
    offset_and_size = [(324, 4, 1, 8), (325, 4, 1, 256)]
    small = tiff(1, 1, [(322, 4, 1, 16), (323, 4, 1, 16), *offset_and_size], bytes(256))
    assert decode_picture(small, PIXELS).shape == (1, 1, 3)


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
    with pytest.raises(ImageDecodeError, match="takes far more time than its 49000000 pixels should; save it again"):
        decode_picture(large[:-2] + scan * 5000 + b"\xff\xd9", PIXELS)


@pytest.mark.parametrize("size", [(1_000_001, 1), (1, 1_000_001)])
def test_a_side_is_limited(size: tuple[int, int]) -> None:
    with pytest.raises(LimitExceeded, match="the limit of a side is 1000000, send a smaller one"):
        decode_picture(file_of(Image.new("1", size)), PIXELS)


def small(file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    GRADIENT.save(buffer, file_format, **options)
    return buffer.getvalue()


def segment(kind: int, content: bytes) -> bytes:
    return b"\xff" + bytes([kind]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xFE, b"comment") * 1000,
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5000) * 300,
        segment(0xE2, b"MPF\0" + bytes(100)),
        b"\xff" * 20_000_000,
        b"\xff\0junk" * 10,
    ],
    ids=["comments", "photoshop", "further pictures", "fill", "junk"],
)
def test_what_does_not_change_the_pixels_is_left_out_of_a_jpeg_file(extra: bytes) -> None:
    plain = small("JPEG")
    heavy = plain[:2] + extra + plain[2:]
    assert without_extras(heavy) == plain
    assert without_extras(plain) is plain
    np.testing.assert_array_equal(decode_picture(heavy, PIXELS), decode_picture(plain, PIXELS))


@pytest.mark.parametrize("kind", [0xFE, 0xDB, 0xEF])
def test_a_jpeg_file_of_very_many_segments_is_refused(kind: int) -> None:
    plain = small("JPEG")
    for function in (picture_size, decode_picture):
        with pytest.raises(ImageDecodeError, match="is a JPEG picture with more than 20000 segments; save it again"):
            function(plain[:2] + segment(kind, b"") * 5_000_000 + plain[2:], PIXELS)


def test_a_jpeg_file_with_a_very_long_header_is_refused() -> None:
    plain = small("JPEG")
    with pytest.raises(ImageDecodeError, match=r"is a JPEG picture with a header of \d+ bytes or more; save it again"):
        decode_picture(plain[:2] + segment(0xDB, (b"\0" + b"\1" * 64) * 1000) * 300 + plain[2:], PIXELS)


def test_comments_are_left_out_of_a_gif_file_and_transparency_is_kept() -> None:
    buffer = io.BytesIO()
    Image.new("P", (30, 20), 7).save(buffer, "GIF", transparency=7)
    plain = buffer.getvalue()
    start = 13 + (3 << (plain[10] & 7) + 1)
    heavy = plain[:start] + b"!\xfe" + b"\1c" * 10_000 + b"\0" + bytes(1_000_000) + plain[start:]
    assert without_extras(heavy) == plain
    assert without_extras(plain) is plain
    assert (decode_picture(heavy, PIXELS) == 255).all()
    for comments in (b"!\xfe" + b"\1c" * 30_000 + b"\0", b"!\xfe\0" * 30_000):
        with pytest.raises(ImageDecodeError, match="is a GIF picture with more than 20000 comments; save it again"):
            decode_picture(plain[:start] + comments + plain[start:], PIXELS)


def test_further_frames_and_unknown_chunks_are_left_out_of_a_webp_file() -> None:
    others = [Image.new("RGB", GRADIENT.size, colour) for colour in ("red", "lime", "blue")]
    moving = small("WEBP", save_all=True, append_images=others, lossless=True)
    still = without_extras(moving)
    assert moving.count(b"ANMF") == 4
    assert still.count(b"ANMF") == 1
    np.testing.assert_array_equal(decode_picture(moving, PIXELS)[:, :, ::-1], np.asarray(GRADIENT))
    many = moving + b"abcd\0\0\0\0" * 30_000
    np.testing.assert_array_equal(decode_picture(many, PIXELS), decode_picture(moving, PIXELS))


def test_exif_data_with_very_many_tags_is_refused() -> None:
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + bytes(12 * 5000 + 4)
    files = (small("JPEG", exif=b"Exif\0\0" + exif), small("PNG", exif=exif), small("WEBP", exif=exif))
    for data, kind in zip(files, ("JPEG", "PNG", "WEBP"), strict=True):
        with pytest.raises(ImageDecodeError, match=f"is a {kind} picture that has EXIF data with 5000 tags; save it"):
            decode_picture(data, PIXELS)


def test_a_tiff_file_with_very_many_values_is_refused() -> None:
    for tag, kind, count in ((282, 5, 2000), (50000, 4, 300_000), (273, 4, 250_000)):
        with pytest.raises(
            ImageDecodeError, match=f"is a TIFF picture with {count} values in tag {tag}; save it again"
        ):
            decode_picture(
                tiff(8, 8, [*[own for own in STRIP if own[0] != tag], (tag, kind, count, 8)], bytes(300_000)), PIXELS
            )


def test_directories_that_a_tiff_file_points_to_are_checked() -> None:
    inner = struct.pack("<H", 5000) + bytes(60_000)
    with pytest.raises(ImageDecodeError, match="is a TIFF picture with 5000 tags; save it again"):
        decode_picture(tiff(8, 8, [*STRIP, (34665, 4, 1, 8)], inner), PIXELS)
    loop = tiff(8, 8, [*STRIP, (34665, 4, 1, 72)])
    assert picture_size(loop, PIXELS) == (8, 8)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_lzw", "jpeg", "packbits", "zstd", "lzma"])
def test_compressed_tiff_files_of_many_strips_are_read(compression: str) -> None:
    picture = GRADIENT.convert("1") if compression.startswith("group") else GRADIENT
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", compression=compression, strip_size=64 * 3 * 8)
    image = decode_picture(buffer.getvalue(), PIXELS)[:, :, ::-1]
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    np.testing.assert_array_equal(image, expected)


def bitmap(runs: bytes) -> bytes:
    """Return an 8-bit BMP file of 5x3 pixels in runs."""
    palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, 5, 3, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", 1078 + len(runs), 0, 0, 1078) + header + palette + runs


def test_bitmaps_in_runs_are_read_as_pillow_reads_them() -> None:
    data = bitmap(b"\5\7\0\0" + b"\0\3abc\0\2\x09\0\0" + b"\1\1\4\2\0\1")
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode_picture(data, PIXELS), expected)


@pytest.mark.parametrize("error", [MemoryError(), out_of_memory()])
def test_lack_of_memory_is_not_reported_as_a_damaged_file(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(MemoryError):
        decode_picture(small("JPEG"), PIXELS)
