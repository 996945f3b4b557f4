"""Decoding of picture files, intact and broken, to BGR."""

import io
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from ppocr_serving.errors import ImageDecodeError, LimitExceeded
from ppocr_serving.vision.pictures import decode_picture, picture_size

LIMIT = 1_000_000
HEIGHT, WIDTH = 48, 80

# How a viewer undoes each value of the EXIF tag "Orientation" (EXIF 2.32, 4.6.4).
ORIENTATIONS: dict[int, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


def gradient() -> npt.NDArray[np.uint8]:
    """(48, 80, 3) RGB: smooth, so that JPEG keeps it, and changed by every transposition."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 3, y * 5, 255 - x - y], axis=2).astype(np.uint8)


def encoded(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def decoded_rgb(data: bytes) -> npt.NDArray[np.int32]:
    image = decode_picture(data, LIMIT)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable
    return image[:, :, ::-1].astype(np.int32)


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """Build a PNG file by hand: `rows` are the raw rows, each with its filter byte."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


INTACT_FILES = {
    "jpeg": lambda: encoded(Image.fromarray(gradient()), "JPEG"),
    "progressive jpeg": lambda: encoded(Image.fromarray(gradient()), "JPEG", progressive=True),
    "png": lambda: encoded(Image.fromarray(gradient()), "PNG"),
    "bmp": lambda: encoded(Image.fromarray(gradient()), "BMP"),
    "webp": lambda: encoded(Image.fromarray(gradient()), "WEBP"),
    "lossless webp": lambda: encoded(Image.fromarray(gradient()), "WEBP", lossless=True),
    "tiff": lambda: encoded(Image.fromarray(gradient()), "TIFF"),
    "deflated tiff": lambda: encoded(Image.fromarray(gradient()), "TIFF", compression="tiff_adobe_deflate"),
    "gif": lambda: encoded(Image.fromarray(gradient()), "GIF"),
}


@pytest.mark.parametrize("name", ["png", "bmp", "lossless webp", "tiff", "deflated tiff"])
def test_lossless_formats_are_exact(name: str) -> None:
    np.testing.assert_array_equal(decoded_rgb(INTACT_FILES[name]()), gradient())


@pytest.mark.parametrize(("name", "tolerance"), [("jpeg", 12), ("progressive jpeg", 12), ("webp", 24), ("gif", 48)])
def test_lossy_formats_are_close(name: str, tolerance: int) -> None:
    np.testing.assert_allclose(decoded_rgb(INTACT_FILES[name]()), gradient(), atol=tolerance)


def test_the_channel_order_is_blue_green_red() -> None:
    image = decode_picture(encoded(Image.new("RGB", (2, 2), (255, 128, 0)), "PNG"), LIMIT)
    assert image[0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "TIFF", "GIF"])
def test_gray_becomes_three_equal_channels(file_format: str) -> None:
    gray = gradient()[:, :, 0]
    pixels = decoded_rgb(encoded(Image.fromarray(gray), file_format))
    np.testing.assert_allclose(pixels, np.repeat(gray[:, :, np.newaxis], 3, axis=2), atol=3)


def test_cmyk_jpeg() -> None:
    # Pillow converts RGB to CMYK without black, so each channel is the complement and comes back.
    pixels = decoded_rgb(encoded(Image.fromarray(gradient()).convert("CMYK"), "JPEG", quality=95))
    np.testing.assert_allclose(pixels, gradient(), atol=12)


def test_cmyk_tiff() -> None:
    pixels = decoded_rgb(encoded(Image.fromarray(gradient()).convert("CMYK"), "TIFF"))
    np.testing.assert_allclose(pixels, gradient(), atol=1)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "GIF"])
def test_one_bit_pictures_are_black_and_white(file_format: str) -> None:
    checkers = np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 == 0
    pixels = decoded_rgb(encoded(Image.fromarray(checkers), file_format))
    np.testing.assert_array_equal(pixels, np.repeat(checkers[:, :, np.newaxis] * 255, 3, axis=2))


def test_palette_png() -> None:
    picture = Image.fromarray(gradient()).quantize(16)
    np.testing.assert_array_equal(decoded_rgb(encoded(picture, "PNG")), np.asarray(picture.convert("RGB")))


def test_transparent_palette_entry_of_a_png_becomes_white() -> None:
    picture = Image.new("P", (20, 10), 0)
    picture.putpalette([200, 0, 0, 10, 10, 10])
    picture.paste(1, (5, 2, 15, 8))
    pixels = decoded_rgb(encoded(picture, "PNG", transparency=0))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[5, 10].tolist() == [10, 10, 10]


def test_transparent_colour_of_an_rgb_png_becomes_white() -> None:
    picture = Image.new("RGB", (20, 10), (1, 2, 3))
    picture.paste((40, 0, 0), (5, 2, 15, 8))
    pixels = decoded_rgb(encoded(picture, "PNG", transparency=(1, 2, 3)))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[5, 10].tolist() == [40, 0, 0]


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("ink", "background"), [(20, 255), (235, 0)])
def test_transparent_pictures_get_a_background_that_contrasts_with_their_text(
    file_format: str, ink: int, background: int
) -> None:
    # The invisible pixels have the ink's opposite lightness: only visible pixels may count.
    picture = Image.new("RGBA", (40, 20), (255 - ink, 255 - ink, 255 - ink, 0))
    picture.paste((ink, ink, ink, 255), (10, 5, 30, 15))
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    pixels = decoded_rgb(encoded(picture, file_format, **options))
    assert pixels[0, 0].tolist() == [background] * 3
    assert pixels[10, 20].tolist() == [ink] * 3


@pytest.mark.parametrize(("ink", "background"), [(0, 255), (255, 0)])
def test_gray_with_alpha(ink: int, background: int) -> None:
    picture = Image.new("LA", (40, 20), (128, 0))
    picture.paste((ink, 255), (10, 5, 30, 15))
    pixels = decoded_rgb(encoded(picture, "PNG"))
    assert pixels[0, 0].tolist() == [background] * 3
    assert pixels[10, 20].tolist() == [ink] * 3


def test_half_transparent_pixels_are_mixed() -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    picture.putpixel((0, 0), (0, 0, 0, 51))
    assert decoded_rgb(encoded(picture, "PNG"))[0, 0, 0] == 255 - 51


def test_a_fully_transparent_picture_is_blank() -> None:
    pixels = decoded_rgb(encoded(Image.new("RGBA", (4, 4), (9, 200, 9, 0)), "PNG"))
    assert (pixels == 255).all()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_gray_keeps_the_upper_8_bits(file_format: str) -> None:
    samples = (gradient()[:, :, 0].astype(np.uint16) << 8) + 77
    pixels = decoded_rgb(encoded(Image.fromarray(samples), file_format))
    np.testing.assert_array_equal(pixels[:, :, 0], samples >> 8)


def test_big_endian_16_bit_tiff() -> None:
    samples = (gradient()[:, :, 0].astype(">u2") << 8) + 77
    content = samples.astype(">u2").tobytes()
    entries = [
        (256, 3, WIDTH << 16), (257, 3, HEIGHT << 16), (258, 3, 16 << 16), (259, 3, 1 << 16), (262, 3, 1 << 16),
        (273, 4, 8), (277, 3, 1 << 16), (278, 3, HEIGHT << 16), (279, 4, len(content)),
    ]  # fmt: skip
    directory = b"".join(struct.pack(">HHII", tag, kind, 1, value) for tag, kind, value in entries)
    data = struct.pack(">2sHI", b"MM", 42, 8 + len(content)) + content
    data += struct.pack(">H", len(entries)) + directory + struct.pack(">I", 0)
    np.testing.assert_array_equal(decoded_rgb(data)[:, :, 0], samples >> 8)


def test_16_bit_rgb_png_keeps_the_upper_8_bits() -> None:
    samples = (gradient().astype(">u2") << 8) + 77
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    np.testing.assert_array_equal(decoded_rgb(png(WIDTH, HEIGHT, 16, 2, rows)), gradient())


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
@pytest.mark.parametrize("scale", [0.001, 1, 1000])
def test_32_bit_samples_are_stretched_to_their_own_range(dtype: type, scale: float) -> None:
    gray = gradient()[:, :, 0].astype(np.float64)
    samples: npt.NDArray[Any] = (gray * (scale if dtype is np.float32 else max(scale, 1)) - 100).astype(dtype)
    pixels = decoded_rgb(encoded(Image.fromarray(samples), "TIFF"))[:, :, 0]
    np.testing.assert_allclose(pixels, gray * 255 / gray.max(), atol=1)


def test_equal_32_bit_samples_do_not_divide_by_zero() -> None:
    assert (decoded_rgb(encoded(Image.new("F", (3, 3), 7.5), "TIFF")) == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_samples_leave_the_others_legible(bad: float) -> None:
    samples = gradient()[:, :, 0].astype(np.float32)
    samples[0, 0] = bad
    pixels = decoded_rgb(encoded(Image.fromarray(samples), "TIFF"))[:, :, 0]
    np.testing.assert_allclose(pixels[1:], gradient()[1:, :, 0] * (255 / 237), atol=1)


@pytest.mark.parametrize("file_format", ["TIFF", "GIF", "WEBP", "PNG"])
def test_the_first_of_several_pages_or_frames_is_read(file_format: str) -> None:
    options = {"lossless": True} if file_format == "WEBP" else {}
    first, *others = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    data = encoded(first, file_format, save_all=True, append_images=others, **options)
    assert (decoded_rgb(data) == [255, 0, 0]).all()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation: int, file_format: str) -> None:
    picture = Image.fromarray(gradient())
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {}
    turned = decode_picture(encoded(picture, file_format, exif=exif, **options), LIMIT)
    plain = decode_picture(encoded(picture, file_format, **options), LIMIT)
    np.testing.assert_array_equal(turned, ORIENTATIONS[orientation](plain))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    np.testing.assert_array_equal(decoded_rgb(encoded(Image.fromarray(gradient()), "PNG", exif=exif)), gradient())


@pytest.mark.parametrize("name", INTACT_FILES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.8])
def test_truncated_files_are_refused(name: str, share: float) -> None:
    data = INTACT_FILES[name]()
    with pytest.raises(ImageDecodeError) as caught:
        decode_picture(data[: int(len(data) * share)], LIMIT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", INTACT_FILES)
def test_truncation_never_loses_pixels_silently(name: str) -> None:
    data = INTACT_FILES[name]()
    intact = decode_picture(data, LIMIT)
    # Checksums and end markers may be missing, pixels may not.
    for end in {*range(len(data) - 64, len(data)), *range(0, len(data), 97)}:
        try:
            image = decode_picture(data[:end], LIMIT)
        except ImageDecodeError:
            continue
        np.testing.assert_array_equal(image, intact)


@given(st.binary(max_size=200))
def test_random_bytes_are_not_a_picture(data: bytes) -> None:
    with pytest.raises(ImageDecodeError, match=re.escape("send one of JPEG, PNG, BMP, WEBP, TIFF, GIF")):
        decode_picture(data, LIMIT)


@given(st.sampled_from(sorted(INTACT_FILES)), st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_damaged_files_give_a_picture_or_one_of_our_errors(name: str, place: int, bytes_: bytes) -> None:
    data = bytearray(INTACT_FILES[name]())
    place %= len(data)
    data[place : place + len(bytes_)] = bytes_
    try:
        image = decode_picture(bytes(data), LIMIT)
    except (ImageDecodeError, LimitExceeded):
        return
    assert image.ndim == 3
    assert image.size <= 3 * LIMIT


def test_other_formats_are_refused() -> None:
    for file_format in ("PPM", "TGA", "ICO", "PCX"):
        with pytest.raises(ImageDecodeError, match="not a picture in a supported format"):
            decode_picture(encoded(Image.new("RGB", (32, 32)), file_format), LIMIT)


def test_the_declared_size_is_compared_with_the_limit() -> None:
    data = encoded(Image.new("RGB", (40, 25)), "PNG")
    assert picture_size(data, 1000) == (40, 25)
    assert decode_picture(data, 1000).shape == (25, 40, 3)
    for function in (picture_size, decode_picture):
        with pytest.raises(LimitExceeded, match=re.escape("has 40x25 = 1000 pixels; the limit is 999, send a smaller")):
            function(data, 999)


def test_the_size_is_read_without_decoding() -> None:
    assert picture_size(INTACT_FILES["png"]()[:60], LIMIT) == (WIDTH, HEIGHT)


# A quarter of a gigapixel passes Pillow's own guard; 3.6 gigapixels do not.
@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (15_000, 15_000), (1, 2_000_000_000)])
def test_a_small_file_that_declares_a_huge_picture_takes_no_memory(width: int, height: int) -> None:
    data = png(width, height, 8, 2, b"")
    assert len(data) < 100
    program = """if True:
        import resource, sys
        from ppocr_serving.errors import LimitExceeded
        from ppocr_serving.vision.pictures import decode_picture
        data = sys.stdin.buffer.read()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            decode_picture(data, 100_000_000)
        except LimitExceeded as error:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
    """
    result = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    kibibytes, _, message = result.stdout.decode().partition(" ")
    assert int(kibibytes) < 16_384
    assert "100000000" in message


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0)])
def test_zero_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(ImageDecodeError):
        decode_picture(png(width, height, 8, 2, b"\0"), LIMIT)


def test_a_zero_size_bitmap_is_refused() -> None:
    data = bytearray(encoded(Image.new("RGB", (4, 4)), "BMP"))
    data[18:22] = bytes(4)
    with pytest.raises(ImageDecodeError):
        decode_picture(bytes(data), LIMIT)
