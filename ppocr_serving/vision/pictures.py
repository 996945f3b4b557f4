"""Decode pictures: untrusted bytes in, BGR uint8 pixels out, as a viewer shows them.

The size is checked in the file's header before any pixel is decoded, so that a few kilobytes that declare a gigapixel
cost nothing.
"""

import warnings
from pathlib import Path
from typing import Final

import numpy as np
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
from ppocr_serving.vision.allowance import MeteredFile
from ppocr_serving.vision.confined import decode_confined
from ppocr_serving.vision.pixels import BgrImage, decode_pixels, one_line
from ppocr_serving.vision.structure import is_cheap, require_few_tags, without_extras

__all__ = ["FORMATS", "BgrImage", "UnknownFormat", "decode_picture", "picture_paths", "picture_size"]

# Pillow's own guard would print a warning at 89 million pixels; every size is compared with `max_pixels` here.
Image.MAX_IMAGE_PIXELS = None
# It warns of metadata that it cannot read, as often as a file likes.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Imported explicitly, because Pillow imports all its plugins at the first picture if a requested one is missing.
FORMATS: Final = (
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    GifImagePlugin.GifImageFile.format,
)
"""Names of the supported formats."""
_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
_MAX_SIDE = 1_000_000  # pixels
_EXIF = b"Exif\0\0"


class UnknownFormat(ImageDecodeError):
    """The bytes do not begin like a picture in a supported format."""


def picture_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Read the declared size of an encoded picture, without decoding it.

    Args:
        data: The bytes of a JPEG, PNG, BMP, WebP, TIFF or GIF file.
        max_pixels: Maximum number of pixels of a picture.

    Returns:
        Width and height in pixels, as stored (before EXIF orientation).

    Raises:
        UnknownFormat: `data` is not a picture in a supported format.
        ImageDecodeError: It has zero size.
        LimitExceeded: The declared size is above `max_pixels`, or a side above a million pixels.
    """
    data = without_extras(data)
    with _open(data, MeteredFile(data), max_pixels) as picture:
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
        UnknownFormat: `data` is not a picture in a supported format.
        ImageDecodeError: It is damaged or truncated, or has zero size.
        LimitExceeded: The declared size is above `max_pixels`.
        MemoryError: There is not enough memory, whatever the file is like.
    """
    data = without_extras(data)
    file = MeteredFile(data)
    with _open(data, file, max_pixels) as picture:
        try:
            if is_cheap(data, picture):
                file.limit(picture.width * picture.height)
                image = decode_pixels(data, picture)
            else:
                image = decode_confined(data, picture)
            if isinstance(picture, TiffImagePlugin.TiffImageFile):  # Pillow has already turned it
                return image
            return _orient(image, picture.getexif().get(ExifTags.Base.Orientation, 1))
        except (ImageDecodeError, MemoryError):
            raise
        except Exception as error:  # decoders raise anything on hostile bytes: all of it means "damaged"
            raise ImageDecodeError(
                f"is a damaged or truncated {picture.format} picture ({one_line(error)}); send the whole file"
            ) from error


def _open(data: bytes, file: MeteredFile, max_pixels: int) -> Image.Image:
    if data.startswith((b"II", b"MM")):
        require_few_tags(data)
    try:
        picture = Image.open(file, formats=FORMATS)
    except MemoryError:
        raise
    except Exception as error:  # as above: any failure to read a header means that this is not a picture
        raise UnknownFormat(f"is not a picture in a supported format; send one of {', '.join(FORMATS)}") from error
    width, height = picture.size
    if width < 1 or height < 1:
        raise ImageDecodeError(f"has the size {width}x{height}; send a picture of at least 1x1 pixel")
    if width * height > max_pixels:
        raise LimitExceeded(
            f"has {width}x{height} = {width * height} pixels; the limit is {max_pixels}, send a smaller one"
        )
    if max(width, height) > _MAX_SIDE:  # decoders do much for each row
        raise LimitExceeded(f"has {width}x{height} pixels; the limit of a side is {_MAX_SIDE}, send a smaller one")
    exif = picture.info.get("exif", b"").removeprefix(_EXIF).removeprefix(_EXIF)
    require_few_tags(exif, f"is a {picture.format} picture that has EXIF data")
    return picture


def _orient(image: BgrImage, orientation: int) -> BgrImage:
    """Rotate and mirror pixels according to EXIF's orientation: 1 to 8, anything else is upright."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def picture_paths(directory: Path) -> list[Path]:
    """Return the picture files in a folder by extension, sorted; none if the folder does not exist."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.suffix.lower() in _SUFFIXES)
