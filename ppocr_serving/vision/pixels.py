"""Turn an opened picture file into BGR uint8 pixels. How large it may be has been checked before."""

import mmap
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin, Image, JpegImagePlugin, WebPImagePlugin

from ppocr_serving.vision.structure import WebpFrame, first_frame, start_of_scan

__all__ = ["BgrImage", "decode_pixels", "decode_webp", "flatten", "is_out_of_memory", "one_line"]

BgrImage = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, colour order blue, green, red, origin top left."""

_STRIP_PIXELS = 2**16
_RUNS = (1, 2)  # compressions of BMP, for 8 and 4 bits
_OPENCV_NO_MEMORY = -4
_PILLOW_NO_MEMORY = ("out of memory", "decoder error -9")  # an OSError says nothing else
_LUMINANCE: Final = np.array([0.114, 0.587, 0.299])  # of blue, green and red, ITU-R BT.601
_IN_COLOUR: Final = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION


def decode_pixels(data: bytes | mmap.mmap, picture: Image.Image, target: BgrImage | None = None) -> BgrImage:
    """Decode a picture as it is stored, before EXIF orientation; Pillow has already applied that of a TIFF file.

    Args:
        data: The bytes of its file.
        picture: The file as Pillow has opened it.
        target: (H, W, 3) uint8 to write the pixels to if that saves a copy; otherwise the decoder's own array is
            returned.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        MemoryError: There is not enough memory.
        Exception: It is damaged: decoders raise anything.
    """
    try:
        if isinstance(picture, JpegImagePlugin.JpegImageFile) and picture.mode in ("RGB", "L"):
            return _decode_jpeg(data)
        if isinstance(picture, BmpImagePlugin.BmpImageFile) and picture.info.get("compression") in _RUNS:
            return _decode_with_opencv(data)  # Pillow's decoder of these is made of Python loops
        if isinstance(picture, WebPImagePlugin.WebPImageFile):
            return decode_webp(data, picture.size, picture.mode == "RGBA", target)
        picture.load()
        return _to_bgr(picture, target)
    except (cv2.error, OSError) as error:
        if is_out_of_memory(error):
            raise MemoryError(one_line(error)) from error
        raise


def decode_webp(
    data: bytes | mmap.mmap, size: tuple[int, int], is_transparent: bool, target: BgrImage | None = None
) -> BgrImage:
    """Decode the first frame of a WebP file with OpenCV: Pillow reserves an animation's canvases for each.

    Args:
        data: The bytes of the file.
        size: Width and height of the picture.
        is_transparent: Whether it is meant to be.
        target: As for `decode_pixels`.

    Raises:
        Exception: It is damaged.
    """
    frame = first_frame(data)
    image = _decode_with_opencv(frame.file, cv2.IMREAD_UNCHANGED)
    if image.shape[:2] != (size[1], size[0]):
        image = _on_canvas(image, frame, size, is_transparent)
    if image.shape[2] == 4:
        return flatten(image, target) if is_transparent else cv2.cvtColor(image, cv2.COLOR_BGRA2BGR, dst=target)
    return image


def is_out_of_memory(error: Exception) -> bool:
    """Return whether a decoder says that it got no memory."""
    if isinstance(error, cv2.error):
        return error.code == _OPENCV_NO_MEMORY
    return str(error).startswith(_PILLOW_NO_MEMORY)


def one_line(error: BaseException) -> str:
    """Return what an error says."""
    return " ".join(str(error).split()) or type(error).__name__


def _decode_jpeg(data: bytes | mmap.mmap) -> BgrImage:
    """Decode a JPEG file in RGB or grey with OpenCV: the same library as Pillow's, but without Pillow's copies."""
    if data.find(b"\xff\xd9", start_of_scan(data)) < 0:  # OpenCV would fill what is missing with grey
        raise OSError("its end is missing")
    return _decode_with_opencv(data)


def _on_canvas(image: BgrImage, frame: WebpFrame, size: tuple[int, int], is_transparent: bool) -> BgrImage:
    """Return a picture of an animation's size whose other pixels are transparent, or black if none can be."""
    if is_transparent and image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    canvas = np.zeros((size[1], size[0], image.shape[2]), dtype=np.uint8)
    part = canvas[frame.top : frame.top + image.shape[0], frame.left : frame.left + image.shape[1]]
    if part.shape != image.shape:
        raise ValueError("its first frame reaches beyond the picture")
    part[:] = image
    return canvas


def _decode_with_opencv(data: bytes | memoryview | mmap.mmap, flags: int = _IN_COLOUR) -> BgrImage:
    image: BgrImage | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise OSError("it cannot be decoded")
    return image


def _to_bgr(picture: Image.Image, target: BgrImage | None) -> BgrImage:
    if picture.has_transparency_data:
        return flatten(picture, target)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _to_8_bits(picture)
    conversion = cv2.COLOR_GRAY2BGR if picture.mode == "L" else cv2.COLOR_RGB2BGR
    bgr = _empty(picture.size) if target is None else target
    for top, strip in _strips(picture):
        if strip.mode not in ("L", "RGB"):
            strip = strip.convert("RGB")
        cv2.cvtColor(np.asarray(strip), conversion, dst=bgr[top : top + strip.height])
    return bgr


def flatten(source: Image.Image | BgrImage, target: BgrImage | None) -> BgrImage:
    """Composite a transparent picture on white, or on black if what is visible is light, on average.

    Args:
        source: A picture of any mode, or (H, W, 4) uint8, BGRA.
        target: As for `decode_pixels`.
    """
    width, height = source.size if isinstance(source, Image.Image) else (source.shape[1], source.shape[0])
    bgr = _empty((width, height)) if target is None else target
    clear = np.empty((height, width), dtype=np.uint8)
    visible, colours = 0.0, np.zeros(3)
    for top, strip in _bgra_strips(source):
        part = slice(top, top + len(strip))
        alpha = cv2.extractChannel(strip, 3)
        weights = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
        cv2.multiply(cv2.cvtColor(strip, cv2.COLOR_BGRA2BGR), weights, dst=bgr[part], scale=1 / 255)
        visible += cv2.sumElems(alpha)[0]
        colours += cv2.sumElems(bgr[part])[:3]
        cv2.bitwise_not(alpha, dst=clear[part])
    # What has just been summed is the colours times alpha, on black.
    if 255 * float(colours @ _LUMINANCE) <= 127.5 * visible:
        rows = _strip_rows(width)
        for top in range(0, height, rows):
            part = slice(top, top + rows)
            cv2.add(bgr[part], cv2.cvtColor(clear[part], cv2.COLOR_GRAY2BGR), dst=bgr[part])
    return bgr


def _bgra_strips(source: Image.Image | BgrImage) -> Iterator[tuple[int, BgrImage]]:
    if isinstance(source, Image.Image):
        for top, strip in _strips(source):
            rgba = strip if strip.mode == "RGBA" else strip.convert("RGBA")
            yield top, cv2.cvtColor(np.asarray(rgba), cv2.COLOR_RGBA2BGRA)
    else:
        rows = _strip_rows(source.shape[1])
        for top in range(0, len(source), rows):
            yield top, source[top : top + rows]


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
    for top, strip in _strips(picture):
        yield top, np.asarray(strip, dtype=np.float32)


def _strips(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of a picture with their top rows: conversions would otherwise have it in memory several times."""
    rows = _strip_rows(picture.width)
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(picture.height, top + rows)))


def _strip_rows(width: int) -> int:
    return max(1, _STRIP_PIXELS // width)


def _empty(size: tuple[int, int]) -> BgrImage:
    return np.empty((size[1], size[0], 3), dtype=np.uint8)
