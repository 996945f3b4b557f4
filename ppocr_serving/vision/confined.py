"""Decode pictures whose structure does not show what they cost, in processes with limits that the kernel enforces.

A first process is started when there is such a picture: it takes 0.2 s and some 25 MB. For each picture it makes
another one, which is ended as soon as it takes too much.
"""

import mmap
import os
import signal
from typing import Final

import msgspec
import numpy as np
from PIL import Image

from ppocr_serving.errors import ImageDecodeError
from ppocr_serving.vision.allowance import allowed_bytes, allowed_seconds, too_costly
from ppocr_serving.vision.helpers import Helpers, memory_file, write_all
from ppocr_serving.vision.pixels import BgrImage

__all__ = ["Decoded", "Request", "decode_confined"]

_SAMPLE_BYTES: Final = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2}
_BGR_BYTES = 3
_WINDOWED = ("lzma", "zstd")  # compressions of TIFF that reserve what they were told to when a file was written
_WINDOW_BYTES = 2**27  # of address space; they use no more of it than they decode


class Request(msgspec.Struct, frozen=True):
    """What to decode.

    Attributes:
        file_format: Its format, as Pillow names it.
        width: In pixels.
        height: In pixels.
        is_transparent: Whether it has an alpha channel.
        seconds: CPU time that it may take, on a processor with a slowness of 1.
        memory: Bytes that it may take.
    """

    file_format: str
    width: int
    height: int
    is_transparent: bool
    seconds: float
    memory: int


class Decoded(msgspec.Struct, frozen=True):
    """How that went.

    Attributes:
        signal: What has ended the process, or 0.
        lacks_memory: Whether it has said that it got no more memory.
        error: What a decoder has said; empty if the pixels are there.
    """

    signal: int = 0
    lacks_memory: bool = False
    error: str = ""


def decode_confined(data: bytes, picture: Image.Image) -> BgrImage:
    """Decode a picture as `decode_pixels` does, in another process.

    Args:
        data: The bytes of its file.
        picture: The file as Pillow has opened it. It is not decoded.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        ImageDecodeError: It takes far more time or memory than its pixels should, or is damaged.
        MemoryError: This machine has too little memory at the moment.
    """
    width, height = picture.size
    pixels = width * height
    try:
        with memory_file() as source, memory_file() as target:
            write_all(source, data)
            os.ftruncate(target, pixels * _BGR_BYTES)
            image = np.frombuffer(mmap.mmap(target, pixels * _BGR_BYTES), np.uint8).reshape(height, width, _BGR_BYTES)
            sample_bytes = len(picture.getbands()) * _SAMPLE_BYTES.get(picture.mode, 1)
            memory = allowed_bytes(pixels * max(_BGR_BYTES, sample_bytes))
            if picture.info.get("compression") in _WINDOWED:
                memory += _WINDOW_BYTES
            request = Request(
                str(picture.format), width, height, picture.mode == "RGBA", allowed_seconds(pixels), memory
            )
            answer = _helpers.ask(msgspec.msgpack.encode(request), (source, target))
            decoded = msgspec.msgpack.decode(answer, type=Decoded)
    except OSError as error:
        raise MemoryError(f"no process can be started to decode a picture ({error.strerror})") from error
    if decoded.signal == signal.SIGPROF:
        raise too_costly("time", pixels)
    if decoded.lacks_memory:
        raise too_costly("memory", pixels)
    if decoded.signal == signal.SIGKILL:
        raise MemoryError("the process that decoded a picture was killed")
    if decoded.signal or decoded.error:
        # Some decoders do not tell want of memory from damage.
        reason = decoded.error or f"its decoder ended with signal {decoded.signal}"
        raise ImageDecodeError(
            f"is a damaged or truncated {picture.format} picture ({reason}), or takes far more memory than its "
            f"{pixels} pixels should; send the whole file, or save it again as a plain PNG or JPEG"
        )
    return image


_helpers: Final = Helpers("ppocr_serving.vision.decoder", "decodes pictures")
