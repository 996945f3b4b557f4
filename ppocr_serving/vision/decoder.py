"""The processes in which pictures are decoded that may take too much: see `ppocr_serving.vision.confined`."""

import contextlib
import mmap
import os
import resource
import signal
import socket
from pathlib import Path
from typing import Final, NoReturn

import cv2
import msgspec
import numpy as np
from PIL import Image, TiffImagePlugin, WebPImagePlugin

from ppocr_serving.vision.allowance import slowness
from ppocr_serving.vision.confined import MAX_MESSAGE, Decoded, Request
from ppocr_serving.vision.pixels import decode_pixels, decode_webp, one_line

__all__ = ["serve"]

Image.MAX_IMAGE_PIXELS = None  # has been checked
_STATM: Final = Path("/proc/self/statm")
_MAX_ERROR = 200  # characters
_FAILED = 1


def serve(connection: int) -> NoReturn:
    """Decode pictures, each in a process of its own, until the other end closes the connection.

    Args:
        connection: Descriptor of a socket that keeps messages apart.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the owner decides when this ends
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGPROF, signal.SIGCHLD):  # whatever the owner does with them
        signal.signal(number, signal.SIG_DFL)
    cv2.setNumThreads(1)  # threads would be missing after a fork
    TiffImagePlugin.READ_LIBTIFF = True  # takes less than Pillow for many parts
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    factor = slowness()
    cv2.cvtColor(np.zeros((64, 64, 4), np.uint8), cv2.COLOR_BGRA2BGR)  # what it sets up is there after a fork
    with socket.socket(fileno=connection) as owner, contextlib.suppress(ConnectionError):
        while _serve_one(owner, factor):
            pass
    os._exit(0)


def _serve_one(owner: socket.socket, factor: float) -> bool:
    message, files, _, _ = socket.recv_fds(owner, MAX_MESSAGE, 2)
    if not message:
        return False
    child = os.fork()
    if not child:
        try:
            request = msgspec.msgpack.decode(message, type=Request)
            owner.send(msgspec.msgpack.encode(_decode(request, factor, *files)))
            os._exit(0)
        finally:
            os._exit(_FAILED)
    for file in files:
        os.close(file)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:  # it has not answered
        owner.send(msgspec.msgpack.encode(Decoded(max(0, -code), lacks_memory=code > 0)))
    return True


def _decode(request: Request, factor: float, source: int, target: int) -> Decoded:
    """Decode the picture in one file to another one, in a process that does nothing else."""
    file = open(source, "rb", buffering=0)  # noqa: SIM115  # ends with the process
    pixels = mmap.mmap(target, 0)
    _limit_memory(request.memory)
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


def _limit_memory(size: int) -> None:
    pages = int(_STATM.read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + size
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
