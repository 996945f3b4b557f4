"""The frames of an animated GIF, composed as a viewer shows them."""

import contextlib
import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_serving.vision.pictures import decode_picture
from ppocr_serving.vision.pixels import BgrImage, flatten

__all__ = ["GifCanvas", "GifFrame", "gif_frames"]

_MAX_BLOCKS = 1_000_000  # a file of 32 MB has 130,000
_EXTENSION, _IMAGE = 0x21, 0x2C
_CONTROL = 0xF9
_HAS_PALETTE = 0x80
_INTERLACED = 0x40
_TO_BACKGROUND, _TO_PREVIOUS = 2, 3
_GREYS = bytes(value for level in range(256) for value in (level, level, level))


class GifFrame(NamedTuple):
    """One frame of a GIF file.

    Attributes:
        left: Pixels from the left edge of the canvas.
        top: Pixels from its top edge.
        width: In pixels.
        height: In pixels.
        is_interlaced: Whether its rows are interlaced.
        palette: Red, green and blue of each colour.
        transparent: Number of the colour that leaves what was there before; None if there is none.
        disposal: What becomes of it before the next frame, as the format counts that.
        codes: Where its compressed pixels are.
    """

    left: int
    top: int
    width: int
    height: int
    is_interlaced: bool
    palette: bytes
    transparent: int | None
    disposal: int
    codes: slice


def gif_frames(data: bytes) -> list[GifFrame]:
    """Return the frames of a GIF file; none if this is not one, and those before its damage if it is damaged.

    Args:
        data: The bytes of a file.
    """
    if not data.startswith((b"GIF87a", b"GIF89a")):
        return []
    frames: list[GifFrame] = []
    with contextlib.suppress(struct.error, IndexError):
        _find_frames(data, frames)
    return frames


def _find_frames(data: bytes, frames: list[GifFrame]) -> None:
    shared, position = _palette(data, 10, 13)
    transparent, disposal, blocks = None, 0, 0
    while blocks < _MAX_BLOCKS:
        kind = data[position]
        if kind == _EXTENSION:
            if data[position + 1] == _CONTROL:
                flags, _, colour = struct.unpack_from("<BHB", data, position + 3)
                transparent, disposal = colour if flags & 1 else None, flags >> 2 & 7
            position += 2
        elif kind == _IMAGE:
            left, top, width, height, flags = struct.unpack_from("<4HB", data, position + 1)
            palette, start = _palette(data, position + 9, position + 10)
            position = start + 1
        else:
            return
        while size := data[position]:
            position += 1 + size
            blocks += 1
            if blocks >= _MAX_BLOCKS:
                return
        position += 1
        blocks += 1
        if kind == _IMAGE:
            is_interlaced = bool(flags & _INTERLACED)
            colours = palette or shared or _GREYS
            codes = slice(start, position)
            frames.append(GifFrame(left, top, width, height, is_interlaced, colours, transparent, disposal, codes))
            transparent, disposal = None, 0


def _palette(data: bytes, flags: int, start: int) -> tuple[bytes, int]:
    if not data[flags] & _HAS_PALETTE:
        return b"", start
    end = start + (3 << (data[flags] & 7) + 1)
    return data[start:end], end


class GifCanvas:
    """What a viewer of a GIF file shows.

    Args:
        data: The bytes of the file.
        frames: Its frames.
        size: Width and height of the canvas in pixels.
        max_pixels: Maximum pixels of a frame.
        check: Called before each frame is drawn; raises to end the request.
    """

    def __init__(
        self,
        data: bytes,
        frames: list[GifFrame],
        size: tuple[int, int],
        max_pixels: int,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._data = data
        self._frames = frames
        self._size = size
        self._max_pixels = max_pixels
        self._check = check
        self._clear()

    def picture(self, index: int) -> BgrImage:
        """Return the canvas with a frame; quick if it follows the last one.

        Args:
            index: Which frame, from 0.

        Returns:
            (H, W, 3) uint8, BGR, transparent parts as those of any picture.

        Raises:
            ImageDecodeError: A frame up to this one is damaged.
            LimitExceeded: A frame is larger than allowed.
        """
        if index < self._next:
            self._clear()
        while self._next <= index:
            if self._check is not None:
                self._check()
            self._draw(self._frames[self._next])
            self._next += 1
        return flatten(self._canvas, None)

    def _clear(self) -> None:
        width, height = self._size
        self._canvas = np.zeros((height, width, 4), dtype=np.uint8)
        self._next = 0
        self._dispose: tuple[tuple[slice, slice], BgrImage | int] | None = None

    def _draw(self, frame: GifFrame) -> None:
        if self._dispose is not None:
            place, before = self._dispose
            self._canvas[place] = before
            self._dispose = None
        image, mask = self._decode(frame)
        width, height = self._size
        place = (
            slice(frame.top, min(height, frame.top + frame.height)),
            slice(frame.left, min(width, frame.left + frame.width)),
        )
        part = self._canvas[place]
        if frame.disposal == _TO_BACKGROUND:
            self._dispose = place, 0
        elif frame.disposal == _TO_PREVIOUS:
            self._dispose = place, part.copy()
        rows, columns = part.shape[:2]
        visible = mask[:rows, :columns]
        part[..., :3][visible] = image[:rows, :columns][visible]
        part[..., 3][visible] = 255

    def _decode(self, frame: GifFrame) -> tuple[BgrImage, npt.NDArray[np.bool_]]:
        """Return a frame's colours, and which of its pixels are visible."""
        image = decode_picture(self._file(frame, frame.palette), self._max_pixels)
        if frame.transparent is None:
            return image, np.ones(image.shape[:2], dtype=np.bool_)
        colours = len(frame.palette) // 3
        marks = b"".join(b"\xff\xff\xff" if number == frame.transparent else b"\0\0\0" for number in range(colours))
        marked = decode_picture(self._file(frame, marks), self._max_pixels)
        return image, marked[..., 0] == 0

    def _file(self, frame: GifFrame, palette: bytes) -> bytes:
        """Return a file of one opaque frame."""
        size = struct.pack("<HH", frame.width, frame.height)
        bits = (len(palette) // 3).bit_length() - 2
        return b"".join(
            (
                *(b"GIF89a", size, bytes((_HAS_PALETTE | bits, 0, 0)), palette),
                *(b",\0\0\0\0", size, bytes((_INTERLACED if frame.is_interlaced else 0,))),
                *(self._data[frame.codes], b";"),
            )
        )
