"""Decode pictures whose structure does not show what they cost, in processes with limits that the kernel enforces.

A first process is started when there is such a picture: it takes 0.2 s and some 25 MB, is idle for a minute at most,
and ends with its owner. For each picture it makes another one, which is ended as soon as it takes too much.
"""

import atexit
import contextlib
import errno
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from PIL import Image

from ppocr_serving.errors import ImageDecodeError
from ppocr_serving.vision.allowance import allowed_bytes, allowed_seconds, too_costly
from ppocr_serving.vision.pixels import BgrImage

__all__ = ["MAX_MESSAGE", "Decoded", "Request", "decode_confined", "end_idle_processes"]

MAX_MESSAGE: Final = 4096
"""Bytes of a request or an answer."""
_IDLE_SECONDS = 60.0
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
        with _memory_file() as source, _memory_file() as target:
            _write_all(source, data)
            os.ftruncate(target, pixels * _BGR_BYTES)
            image = np.frombuffer(mmap.mmap(target, pixels * _BGR_BYTES), np.uint8).reshape(height, width, _BGR_BYTES)
            sample_bytes = len(picture.getbands()) * _SAMPLE_BYTES.get(picture.mode, 1)
            memory = allowed_bytes(pixels * max(_BGR_BYTES, sample_bytes))
            if picture.info.get("compression") in _WINDOWED:
                memory += _WINDOW_BYTES
            request = Request(
                str(picture.format), width, height, picture.mode == "RGBA", allowed_seconds(pixels), memory
            )
            decoded = _helpers.decode(request, (source, target))
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


class _Helper:
    """A process that makes another one for each picture."""

    def __init__(self) -> None:
        self._connection, others = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with others:
                self._process = _start(others.fileno())
        except BaseException:
            self._connection.close()
            raise
        self.idle_since = 0.0

    def decode(self, request: Request, files: tuple[int, int]) -> Decoded:
        """Have a picture decoded.

        Args:
            request: What.
            files: Descriptors of its file and of one for its pixels.

        Raises:
            OSError: The process has ended.
        """
        socket.send_fds(self._connection, [msgspec.msgpack.encode(request)], files)
        answer = self._connection.recv(MAX_MESSAGE)
        if not answer:
            raise BrokenPipeError(errno.EPIPE, "the process has ended")
        return msgspec.msgpack.decode(answer, type=Decoded)

    def forget(self) -> None:
        """Let go of a process that belongs to the process that this one was forked from."""
        self._connection.close()
        self._process.returncode = 0

    def end(self) -> None:
        """End it."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


def _start(connection: int) -> "subprocess.Popen[bytes]":
    # Without the site module, whose .pth files may import anything, but with what they have added to the path.
    path = [str(Path(entry).absolute()) for entry in sys.path]
    program = (
        f"import sys; sys.path[:] = {path!r}; from ppocr_serving.vision import decoder; decoder.serve({connection})"
    )
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a broken picture can make decoders print megabytes
        pass_fds=[connection],
        cwd="/",
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # it is forked
    )


class _Helpers:
    """Helpers of this process: as many as there are pictures at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Helper] = []
        self._timer: threading.Timer | None = None

    def decode(self, request: Request, files: tuple[int, int]) -> Decoded:
        """Have a picture decoded by one that is idle, or by a new one.

        Raises:
            OSError: None can be started.
            MemoryError: It has ended although it is new.
        """
        while True:
            with self._lock:
                helper = self._idle.pop() if self._idle else None
            is_new = helper is None
            helper = helper or _Helper()
            try:
                decoded = helper.decode(request, files)
            except OSError as error:
                helper.end()
                if is_new:
                    raise MemoryError("the process that decodes pictures has ended") from error
                continue  # it had already ended
            except BaseException:  # an answer that nobody waits for is on its way
                helper.end()
                raise
            self._put_back(helper)
            return decoded

    def forget(self) -> None:
        """Let go of all in a process that has been forked."""
        for helper in self._idle:
            helper.forget()
        self.__init__()  # type: ignore[misc]

    def end_idle(self, seconds: float = 0.0) -> None:
        """End those that have been idle for some time."""
        with self._lock:
            limit = time.monotonic() - seconds
            ended = [helper for helper in self._idle if helper.idle_since <= limit]
            self._idle = [helper for helper in self._idle if helper.idle_since > limit]
            self._timer = None
            self._watch()
        for helper in ended:
            helper.end()

    def _put_back(self, helper: _Helper) -> None:
        with self._lock:
            helper.idle_since = time.monotonic()
            self._idle.append(helper)
            self._watch()

    def _watch(self) -> None:
        if self._idle and self._timer is None:
            self._timer = threading.Timer(_IDLE_SECONDS, self.end_idle, [_IDLE_SECONDS / 2])
            self._timer.daemon = True
            self._timer.start()


_helpers: Final = _Helpers()
os.register_at_fork(after_in_child=_helpers.forget)


@atexit.register
def end_idle_processes() -> None:
    """End the processes that wait for pictures; they are started again when there are some."""
    _helpers.end_idle()


@contextlib.contextmanager
def _memory_file() -> Iterator[int]:
    file = os.memfd_create("ppocr-picture", os.MFD_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
