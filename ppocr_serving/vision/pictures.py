"""Decode pictures: untrusted bytes in, BGR uint8 pixels out, as a viewer shows them.

The size is checked in the file's header before any pixel is decoded, so that a few kilobytes that declare a gigapixel
cost nothing.
"""

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ppocr_serving.errors import ImageDecodeError, LimitExceeded
from ppocr_serving.vision.structure import (
    require_few_lines,
    require_few_scans,
    require_few_tags,
    require_small_tiles,
    without_extras,
)

__all__ = ["BgrImage", "decode_picture", "picture_paths", "picture_size"]

BgrImage = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, colour order blue, green, red, origin top left."""

# Pillow's own guard would print a warning at 89 million pixels; every size is compared with `max_pixels` here.
Image.MAX_IMAGE_PIXELS = None
# It warns of metadata that it cannot read, as often as a file likes.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Imported explicitly, because Pillow imports all its plugins at the first picture if a requested one is missing.
_FORMATS: Final = (
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    GifImagePlugin.GifImageFile.format,
)
_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
_STRIP_PIXELS = 2**18
_MAX_SIDE = 1_000_000  # pixels
_WIDTH, _LENGTH, _COMPRESSION, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 259, 322, 323  # tags of TIFF
_FAX = (2, 3, 4)  # compressions of TIFF: CCITT's
_JPEG = (6, 7)  # the old and the new one
_RUNS = (1, 2)  # compressions of BMP, for 8 and 4 bits
_EXIF = b"Exif\0\0"
_OUT_OF_MEMORY = -4  # OpenCV's


def picture_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Read the declared size of an encoded picture, without decoding it.

    Args:
        data: The bytes of a JPEG, PNG, BMP, WebP, TIFF or GIF file.
        max_pixels: Maximum number of pixels of a picture.

    Returns:
        Width and height in pixels, as stored (before EXIF orientation).

    Raises:
        ImageDecodeError: `data` is not a picture in a supported format, or has zero size.
        LimitExceeded: The declared size is above `max_pixels`, or a side above a million pixels.
    """
    with _open(without_extras(data), max_pixels) as picture:
        return picture.size


def decode_picture(data: bytes, max_pixels: int) -> BgrImage:
    """Decode a picture file to the pixels that a viewer shows.

    EXIF orientation is applied. Only the first page of a TIFF and the first frame of a GIF are decoded. Transparent
    pictures are composited on white, or on black if the visible part is light, so that the text stands out. 16-bit and
    float samples are reduced to 8 bits.

    Args:
        data: The bytes of a JPEG, PNG, BMP, WebP, TIFF or GIF file.
        max_pixels: Maximum number of pixels of a picture.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        ImageDecodeError: `data` is not a picture, is damaged or truncated, or has zero size.
        LimitExceeded: The declared size is above `max_pixels`.
        MemoryError: There is not enough memory, whatever the file is like.
    """
    data = without_extras(data)
    with _open(data, max_pixels) as picture:
        try:
            if isinstance(picture, JpegImagePlugin.JpegImageFile) and picture.mode in ("RGB", "L"):
                image = _decode_jpeg(data)
            elif picture.info.get("compression") in _RUNS and isinstance(picture, BmpImagePlugin.BmpImageFile):
                image = _decode_with_opencv(data)  # Pillow's decoder of these is made of Python loops
            elif isinstance(picture, WebPImagePlugin.WebPImageFile) and not _is_animated(data):
                image = _decode_webp(data)
            else:
                picture.load()
                image = _to_bgr(picture)
            return _orient(image, picture.getexif().get(ExifTags.Base.Orientation, 1))
        except MemoryError:
            raise
        except Exception as error:  # decoders raise anything on hostile bytes: all of it means "damaged"
            if isinstance(error, cv2.error) and error.code == _OUT_OF_MEMORY:
                raise MemoryError(_one_line(error)) from error
            raise ImageDecodeError(
                f"is a damaged or truncated {picture.format} picture ({_one_line(error)}); send the whole file"
            ) from error


def _open(data: bytes, max_pixels: int) -> Image.Image:
    if data.startswith((b"II", b"MM")):
        require_few_tags(data)
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except MemoryError:
        raise
    except Exception as error:  # as above: any failure to read a header means that this is not a picture
        raise ImageDecodeError(f"is not a picture in a supported format; send one of {', '.join(_FORMATS)}") from error
    width, height = picture.size
    if width < 1 or height < 1:
        raise ImageDecodeError(f"has the size {width}x{height}; send a picture of at least 1x1 pixel")
    if width * height > max_pixels:
        raise LimitExceeded(
            f"has {width}x{height} = {width * height} pixels; the limit is {max_pixels}, send a smaller one"
        )
    if max(width, height) > _MAX_SIDE:  # decoders do much for each row
        raise LimitExceeded(f"has {width}x{height} pixels; the limit of a side is {_MAX_SIDE}, send a smaller one")
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        stored = picture.tag_v2[_WIDTH], picture.tag_v2[_LENGTH]  # before EXIF orientation
        tile_width, tile_length = picture.tag_v2.get(_TILE_WIDTH), picture.tag_v2.get(_TILE_LENGTH)
        if isinstance(tile_width, int) and isinstance(tile_length, int) and min(tile_width, tile_length) > 0:
            require_small_tiles(stored, (tile_width, tile_length))
        if picture.tag_v2.get(_COMPRESSION) in _FAX:
            require_few_lines(stored[1])
        elif picture.tag_v2.get(_COMPRESSION) in _JPEG:
            require_few_scans(data, _strips_of(picture.tag_v2), width * height)
    elif isinstance(picture, JpegImagePlugin.JpegImageFile):
        require_few_scans(data, [slice(_start_of_scan(data), None)], width * height)
    exif = picture.info.get("exif", b"").removeprefix(_EXIF).removeprefix(_EXIF)
    require_few_tags(exif, f"is a {picture.format} picture that has EXIF data")
    return picture


def _strips_of(tags: TiffImagePlugin.ImageFileDirectory_v2) -> list[slice]:
    for offsets, sizes in ((273, 279), (324, 325)):
        if offsets in tags and sizes in tags:
            pairs = zip(tags[offsets], tags[sizes], strict=False)
            return [slice(at, at + size) for at, size in pairs if isinstance(at, int) and isinstance(size, int)]
    return [slice(0, None)]


def _decode_jpeg(data: bytes) -> BgrImage:
    """Decode a JPEG file in RGB or grey with OpenCV: the same library as Pillow's, but without Pillow's copies."""
    if data.find(b"\xff\xd9", _start_of_scan(data)) < 0:  # OpenCV would fill what is missing with grey
        raise OSError("its end is missing")
    return _decode_with_opencv(data)


def _is_animated(webp: bytes) -> bool:
    return webp[12:16] == b"VP8X" and webp[20] & 2 != 0


def _decode_webp(data: bytes) -> BgrImage:
    """Decode a WebP file of one frame with OpenCV: Pillow has an animation's canvases in memory beside the pixels."""
    image = _decode_with_opencv(data, cv2.IMREAD_UNCHANGED)
    if image.shape[2] == 3:
        return image
    cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA, dst=image)
    height, width = image.shape[:2]
    return _flatten(Image.frombuffer("RGBA", (width, height), image, "raw", "RGBA", 0, 1))


def _decode_with_opencv(data: bytes, flags: int = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION) -> BgrImage:
    image: BgrImage | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise OSError("it cannot be decoded")
    return image


def _start_of_scan(data: bytes) -> int:
    """Return where the pixels of a JPEG file begin. What comes before may contain entire files, such as a thumbnail."""
    position = 2  # after the start-of-image marker
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xFF:  # a fill byte before a marker
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return position


def _orient(image: BgrImage, orientation: int) -> BgrImage:
    """Rotate and mirror pixels according to EXIF's orientation: 1 to 8, anything else is upright."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _to_bgr(picture: Image.Image) -> BgrImage:
    if picture.has_transparency_data:
        return _flatten(picture)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _to_8_bits(picture)
    conversion = cv2.COLOR_GRAY2BGR if picture.mode == "L" else cv2.COLOR_RGB2BGR
    bgr = np.empty((picture.height, picture.width, 3), dtype=np.uint8)
    for top, strip in _strips(picture, _strip_rows(picture)):
        if strip.mode not in ("L", "RGB"):
            strip = strip.convert("RGB")
        cv2.cvtColor(np.asarray(strip), conversion, dst=bgr[top : top + strip.height])
    return bgr


def _flatten(picture: Image.Image) -> BgrImage:
    """Composite a transparent picture on white, or on black if what is visible is light, on average."""
    width, height = picture.size
    bgr = np.empty((height, width, 3), dtype=np.uint8)
    clear = np.empty((height, width), dtype=np.uint8)
    visible = luminance = 0.0
    # A reduced picture shows its lightness just as well, and takes little time.
    factor = max(1, min(picture.size) // 256)
    rows = max(1, _strip_rows(picture) // factor) * factor  # each pixel of the reduced picture lies in one strip
    for top, strip in _strips(picture, rows):
        strip = strip.convert("RGBA")
        on_black = strip.convert("RGBa")
        sample = strip if factor == 1 else on_black.reduce(factor).convert("RGBA")
        weights = np.asarray(sample.getchannel("A"), dtype=np.float32)
        visible += float(weights.sum())
        luminance += float((np.asarray(sample.convert("L"), dtype=np.float32) * weights).sum())
        pixels = np.asarray(on_black)
        cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGR, dst=bgr[top : top + rows])
        cv2.bitwise_not(cv2.extractChannel(pixels, 3), dst=clear[top : top + rows])
    if luminance <= 127.5 * visible:
        for top in range(0, height, rows):
            target = bgr[top : top + rows]
            cv2.add(target, cv2.cvtColor(clear[top : top + rows], cv2.COLOR_GRAY2BGR), dst=target)
    return bgr


def _to_8_bits(picture: Image.Image) -> Image.Image:
    low, scale, has_gaps = 0.0, 1 / 256, False
    if not picture.mode.startswith("I;16"):
        # 32-bit samples have no standard white level, so their own range is stretched.
        low, high, has_gaps = _finite_range(picture)
        if not low < high:
            return Image.new("L", picture.size)
        scale = 255.0 / (high - low)
    width, height = picture.size
    grey = np.empty((height, width), dtype=np.uint8)
    for top, samples in _samples(picture):
        if has_gaps:
            # Float files mark missing values with NaN, which becomes black, like the lowest value.
            samples = np.nan_to_num(samples, nan=low, posinf=high, neginf=low)
        grey[top : top + len(samples)] = (samples - low) * scale
    return Image.fromarray(grey)


def _finite_range(picture: Image.Image) -> tuple[float, float, bool]:
    """Return the lowest and the highest sample, and whether there are others that are not finite."""
    low, high, has_gaps = np.inf, -np.inf, False
    for _, samples in _samples(picture):
        lowest, highest = float(samples.min()), float(samples.max())
        if not np.isfinite(highest - lowest):  # looking at each sample takes several times as long
            has_gaps = True
            finite = np.isfinite(samples)
            lowest = float(samples.min(where=finite, initial=np.inf))
            highest = float(samples.max(where=finite, initial=-np.inf))
        low, high = min(low, lowest), max(high, highest)
    return low, high, has_gaps


def _samples(picture: Image.Image) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    for top, strip in _strips(picture, _strip_rows(picture)):
        yield top, np.asarray(strip, dtype=np.float32)


def _strips(picture: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of a picture with their top rows: conversions would otherwise have it in memory several times."""
    width, height = picture.size
    for top in range(0, height, rows):
        yield top, picture.crop((0, top, width, min(height, top + rows)))


def _strip_rows(picture: Image.Image) -> int:
    return max(1, _STRIP_PIXELS // picture.width)


def picture_paths(directory: Path) -> list[Path]:
    """Return the picture files in a folder by extension, sorted; none if the folder does not exist."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.suffix.lower() in _SUFFIXES)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
