"""PDF files: their pages as pictures, and the text that they hold, from processes with limits.

PDFium never runs in this process. Passwords travel in the message that opens a file, and nowhere else.
"""

import math
import mmap
import os
import signal
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded, OcrError
from ppocr_serving.vision.allowance import slowness
from ppocr_serving.vision.helpers import Helper, Helpers, memory_file, write_all
from ppocr_serving.vision.pdf_messages import (
    MAX_TEXT_BYTES,
    Character,
    Close,
    Done,
    Open,
    Render,
    Request,
    Sizes,
    Text,
)
from ppocr_serving.vision.pixels import BgrImage

__all__ = ["PdfFile", "PdfSize", "is_pdf"]

_SIGNATURE: Final = b"%PDF-"
_SIGNATURE_BYTES = 1024  # within which readers look for it
_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II", b"MM", b"BM")  # may mention it
_OPEN_SECONDS = 3.0
_PAGE_SECONDS = 10.0
_MEMORY = 512 * 2**20
_BGR_BYTES = 3
_SIZES = 1000  # asked for at a time
_PASSWORD, _ENCRYPTION = 4, 5  # PDFium's errors


class PdfSize(NamedTuple):
    """Size of a page as displayed: turned and cut as it says.

    Attributes:
        width: In points, 1/72 inch; 0 if the page is damaged.
        height: Likewise.
    """

    width: float
    height: float


def is_pdf(data: bytes) -> bool:
    """Return whether the bytes of a file say that it is a PDF."""
    return _SIGNATURE in data[:_SIGNATURE_BYTES] and not data.startswith(_PICTURES)


class PdfFile:
    """An open PDF file; close it after use. Not to be shared between threads.

    Args:
        data: The bytes of the file.
        password: To open it with; may be empty.
        check: Called while waiting, for the file to be opened and for its pages; raises to end that.
        page_seconds: CPU time that a page may take, on a processor with a `slowness` of 1.

    Raises:
        InvalidRequest: The password is missing or wrong.
        ImageDecodeError: The file is damaged, or takes far too much to be opened.
        MemoryError: This machine has too little memory at the moment.
    """

    def __init__(
        self,
        data: bytes,
        password: str = "",
        check: Callable[[], None] | None = None,
        page_seconds: float = _PAGE_SECONDS,
    ) -> None:
        self._data = data
        self._password = password
        self._check = check
        self._page_seconds = page_seconds
        self._is_closed = False
        self._helper: Helper | None = None
        self._helper, self.page_count = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called more than once."""
        self._is_closed = True
        helper, self._helper = self._helper, None
        if helper is None:
            return
        try:
            done = msgspec.msgpack.decode(helper.ask(msgspec.msgpack.encode(Close())), type=Done)
        except (OSError, msgspec.MsgspecError):
            helper.end()
            return
        if done == Done(is_over=True):
            _helpers.put_back(helper)
        else:  # the answer to something else: it has ended before
            helper.end()

    def sizes(self, first: int, count: int) -> list[PdfSize]:
        """Return the sizes of pages.

        Args:
            first: Number of the first page, from 1.
            count: How many.

        Raises:
            ImageDecodeError: The file takes far too much.
            LimitExceeded: Likewise.
        """
        found: list[PdfSize] = []
        for start in range(first, first + count, _SIZES):
            number = min(_SIZES, first + count - start)
            with memory_file() as file:
                self._ask(Sizes(start, number), file)
                data = os.pread(file, number * 32, 0)
            try:
                sizes = msgspec.msgpack.decode(data, type=list[tuple[float, float]])
            except msgspec.MsgspecError as error:
                raise _damaged() from error
            found += (_checked(PdfSize(*size)) for size in sizes)
        if len(found) != count:
            raise _damaged()
        return found

    def render(self, number: int, width: int, height: int) -> BgrImage:
        """Draw a page, with its annotations and what is filled in.

        Args:
            number: From 1.
            width: Pixels of the whole page.
            height: Likewise.

        Returns:
            (height, width, 3) uint8, BGR, on white.

        Raises:
            ImageDecodeError: The page is damaged.
            LimitExceeded: It takes far too much time or memory.
            MemoryError: This machine has too little memory at the moment.
        """
        size = width * height * _BGR_BYTES
        with memory_file() as file:
            try:
                os.ftruncate(file, size)
                pixels = mmap.mmap(file, size)
            except OSError as error:
                raise MemoryError(f"there is no memory for a page of a PDF ({error.strerror})") from error
            self._ask(Render(number, width, height), file)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, _BGR_BYTES)

    def characters(self, number: int) -> list[Character]:
        """Return the text that a page holds itself, in its own order.

        Args:
            number: From 1.

        Raises:
            ImageDecodeError, LimitExceeded, MemoryError: As for `render`.
        """
        with memory_file() as file:
            self._ask(Text(number), file)
            data = os.pread(file, MAX_TEXT_BYTES, 0)
        try:
            found = msgspec.msgpack.decode(data, type=list[Character]) if data else []
        except msgspec.MsgspecError as error:
            raise _damaged() from error
        return [character for character in found if _is_placed(character)]

    def _open(self) -> tuple[Helper, int]:
        """Return a process that has opened the file, and how many pages it has."""
        factor = slowness()
        request = Open(self._password, _OPEN_SECONDS * factor, self._page_seconds * factor, _MEMORY)
        try:
            with memory_file() as file:
                write_all(file, self._data)
                helper, answer = _helpers.begin(msgspec.msgpack.encode(request), (file,), self._check)
        except OSError as error:
            raise MemoryError(f"no process can be started to open a PDF ({error.strerror})") from error
        done = msgspec.msgpack.decode(answer, type=Done)
        if done.is_over:
            _helpers.put_back(helper)
            raise _not_opened(done, bool(self._password))
        return helper, max(0, done.value)

    def _ask(self, request: Request, file: int) -> None:
        if self._is_closed:
            raise ValueError("the PDF is closed")
        if self._helper is None:  # a page took longer than it may, or its process was killed
            self._helper, _ = self._open()
        try:
            answer = self._helper.ask(msgspec.msgpack.encode(request), (file,), self._check)
            done = msgspec.msgpack.decode(answer, type=Done)
        except BaseException as error:  # an answer that nobody waits for may be on its way
            self._end()
            if isinstance(error, OSError):
                raise MemoryError("the process that has opened a PDF has ended") from error
            raise
        if done.is_over:
            self._end()
            raise MemoryError("the process that has opened a PDF was killed")
        if done.signal == signal.SIGPROF:
            raise LimitExceeded(f"takes more than {self._page_seconds:g} seconds of a processor; {_SIMPLER}")
        if done.lacks_memory:
            raise LimitExceeded(f"takes more than {_MEMORY >> 20} MiB of memory; {_SIMPLER}")
        if done.signal == signal.SIGKILL:
            raise MemoryError("the process that drew a page of a PDF was killed")
        if done.signal:  # PDFium ends itself if it gets no memory
            raise ImageDecodeError(f"is damaged, or takes more than {_MEMORY >> 20} MiB of memory; {_SIMPLER}")
        if done.error:
            raise _damaged()

    def _end(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.end()


_SIMPLER = "leave the page out with pages, or send it as a picture"
_helpers: Final = Helpers("ppocr_serving.vision.pdf_process", "opens PDF files")


def _not_opened(done: Done, has_password: bool) -> OcrError | MemoryError:
    if done.signal == signal.SIGPROF:
        return ImageDecodeError(f"is a PDF that takes more than {_OPEN_SECONDS:g} seconds to open; save it again")
    if done.signal == signal.SIGKILL:
        return MemoryError("the process that opened a PDF was killed")
    if done.signal or done.lacks_memory:
        return ImageDecodeError(
            f"is a damaged PDF, or takes more than {_MEMORY >> 20} MiB of memory to open; save it again"
        )
    if done.error == _PASSWORD:
        if has_password:
            return InvalidRequest("is a PDF that the given password does not open; give the right one as password")
        return InvalidRequest("is a PDF that is protected by a password; give it as password")
    if done.error == _ENCRYPTION:
        return InvalidRequest("is a PDF with an encryption that is not supported; send it without")
    return ImageDecodeError("is a damaged or truncated PDF; send the whole file, or save it again")


def _damaged() -> ImageDecodeError:
    return ImageDecodeError("is damaged; repair the PDF, or leave the page out with pages")


def _checked(size: PdfSize) -> PdfSize:
    return size if all(math.isfinite(side) and 0 < side < 1e6 for side in size) else PdfSize(0.0, 0.0)


def _is_placed(character: Any) -> bool:
    places = (character.left, character.top, character.right, character.bottom)
    return len(character.text) == 1 and all(math.isfinite(place) and abs(place) < 1e6 for place in places)
