"""The processes in which pictures are decoded that may take too much: see `ppocr_serving.vision.confined`."""

import contextlib
import mmap
import os
import signal
import socket
from typing import NoReturn

import cv2
import msgspec
import numpy as np
from PIL import Image, TiffImagePlugin, WebPImagePlugin

from ppocr_serving.vision.allowance import slowness
from ppocr_serving.vision.confined import Decoded, Request
from ppocr_serving.vision.forking import answer_requests, limit_memory, prepare_process
from ppocr_serving.vision.pixels import decode_pixels, decode_webp, one_line

__all__ = ["serve"]

Image.MAX_IMAGE_PIXELS = None  # has been checked
_MAX_ERROR = 200  # characters


def serve(connection: int) -> NoReturn:
    """Decode pictures, each in a process of its own, until the other end closes the connection.

    Args:
        connection: Descriptor of a socket that keeps messages apart.
    """
    prepare_process()
    cv2.setNumThreads(1)  # threads would be missing after a fork
    TiffImagePlugin.READ_LIBTIFF = True  # takes less than Pillow for many parts
    factor = slowness()
    cv2.cvtColor(np.zeros((64, 64, 4), np.uint8), cv2.COLOR_BGRA2BGR)  # what it sets up is there after a fork
    with socket.socket(fileno=connection) as owner, contextlib.suppress(ConnectionError):

        def work(message: bytes, files: list[int]) -> None:
            request = msgspec.msgpack.decode(message, type=Request)
            owner.send(msgspec.msgpack.encode(_decode(request, factor, *files)))

        answer_requests(owner, work, lambda ended: msgspec.msgpack.encode(Decoded(ended.signal, ended.lacks_memory)))
    os._exit(0)


def _decode(request: Request, factor: float, source: int, target: int) -> Decoded:
    """Decode the picture in one file to another one, in a process that does nothing else."""
    file = open(source, "rb", buffering=0)  # noqa: SIM115  # ends with the process
    pixels = mmap.mmap(target, 0)
    limit_memory(request.memory)
    signal.setitimer(signal.ITIMER_PROF, request.seconds * factor)
    try:
        data = mmap.mmap(source, 0, prot=mmap.PROT_READ)
        image = np.frombuffer(pixels, np.uint8).reshape(request.height, request.width, 3)
        if request.file_format == WebPImagePlugin.WebPImageFile.format:
            decoded = decode_webp(data, (request.width, request.height), request.is_transparent, image)
        else:
            decoded = decode_pixels(data, Image.open(file, formats=(request.file_format,)), image)
        if decoded is not image:
            np.copyto(image, decoded)
    except MemoryError:
        return Decoded(lacks_memory=True)
    except Exception as error:
        return Decoded(error=one_line(error)[:_MAX_ERROR])
    return Decoded()
