"""The processes in which PDF files are opened and drawn: see `ppocr_serving.vision.pdf`.

The first process opens no file. It forks one per file, which opens it and looks at no page; that one forks one per
page. Each has limits of time and memory, so that a page that breaks them takes nothing else along.
"""

import contextlib
import ctypes
import math
import mmap
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import msgspec
import pypdfium2_raw as pdfium

from ppocr_serving.vision.forking import Ended, answer_requests, limit_memory, prepare_process
from ppocr_serving.vision.helpers import MAX_MESSAGE, write_all
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

__all__ = ["serve"]

_WHITE: Final = 0xFFFFFFFF
_BGR_BYTES = 3
_FINE = 10_000_000  # units along a page when points are placed on it: PDFium gives whole numbers
_MAX_CHARACTERS = 200_000
_CLOSE: Final = msgspec.msgpack.encode(Close())


def serve(connection: int) -> NoReturn:
    """Open PDF files, each in a process of its own, until the other end closes the connection.

    Args:
        connection: Descriptor of a socket that keeps messages apart.
    """
    prepare_process()
    pdfium.FPDF_InitLibrary()
    with socket.socket(fileno=connection) as owner, contextlib.suppress(ConnectionError):
        answer_requests(
            owner, lambda message, files: _serve_file(owner, message, files), lambda ended: _failure(ended, True)
        )
    os._exit(0)


def _serve_file(owner: socket.socket, message: bytes, files: list[int]) -> None:
    """Open the file, and answer what is asked about it until it is closed."""
    request = msgspec.msgpack.decode(message, type=Open)
    data = mmap.mmap(files[0], 0, prot=mmap.PROT_READ | mmap.PROT_WRITE)  # a copy of the owner's; ctypes wants it so
    os.close(files[0])
    limit_memory(request.memory, is_final=False)
    signal.setitimer(signal.ITIMER_PROF, request.seconds)
    start = (ctypes.c_char * len(data)).from_buffer(data)
    document = pdfium.FPDF_LoadMemDocument64(start, len(data), request.password.encode())
    count = pdfium.FPDF_GetPageCount(document) if document else 0
    signal.setitimer(signal.ITIMER_PROF, 0)
    if not document:
        owner.send(_encode(Done(error=pdfium.FPDF_GetLastError() or pdfium.FPDF_ERR_UNKNOWN, is_over=True)))
        return
    owner.send(_encode(Done(value=count)))

    def work(message: bytes, files: list[int]) -> None:
        signal.setitimer(signal.ITIMER_PROF, request.page_seconds)
        asked: Request = msgspec.msgpack.decode(message, type=Request)
        owner.send(_encode(_answer(document, asked, request.memory, files[0])))

    answer_requests(owner, work, lambda ended: _failure(ended, False), lambda message: message == _CLOSE)
    owner.send(_encode(Done(is_over=True)))


def _answer(document: Any, request: Request, memory: int, file: int) -> Done:
    match request:
        case Sizes():
            limit_memory(memory)
            write_all(file, msgspec.msgpack.encode(list(_sizes(document, request))))
            return Done()
        case Render():
            pixels = mmap.mmap(file, request.width * request.height * _BGR_BYTES)
            limit_memory(memory)
            page = _load_page(document, request.number)
            if not page:
                return Done(error=pdfium.FPDF_ERR_PAGE)
            _draw(document, page, request, pixels)
            return Done()
        case Text():
            limit_memory(memory)
            page = _load_page(document, request.number)
            if not page:
                return Done(error=pdfium.FPDF_ERR_PAGE)
            encoded = msgspec.msgpack.encode(list(_characters(page)))
            if len(encoded) <= MAX_TEXT_BYTES:  # else the owner finds nothing
                write_all(file, encoded)
            return Done()
    raise TypeError(f"{type(request).__name__} is not about an open file")


def _sizes(document: Any, request: Sizes) -> Iterator[tuple[float, float]]:
    size = pdfium.FS_SIZEF()
    for index in range(request.first - 1, request.first - 1 + request.count):
        found = pdfium.FPDF_GetPageSizeByIndexF(document, index, size)
        yield (size.width, size.height) if found else (0.0, 0.0)


def _load_page(document: Any, number: int) -> Any:
    return pdfium.FPDF_LoadPage(document, number - 1)  # closed by the end of the process


def _draw(document: Any, page: Any, request: Render, pixels: mmap.mmap) -> None:
    width, height = request.width, request.height
    start = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_BGR, start, width * _BGR_BYTES)
    if not bitmap:
        raise MemoryError
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, _WHITE)
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    if pdfium.FPDF_GetFormType(document) != pdfium.FORMTYPE_NONE:  # what has been filled in
        callbacks = pdfium.FPDF_FORMFILLINFO(version=2)
        form = pdfium.FPDFDOC_InitFormFillEnvironment(document, callbacks)
        if form:
            pdfium.FORM_OnAfterLoadPage(page, form)
            pdfium.FPDF_FFLDraw(form, bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)


def _characters(page: Any) -> Iterator[Character]:
    text = pdfium.FPDFText_LoadPage(page)
    if not text:
        return
    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    to_display = _Display(page, width, height)
    rotation = pdfium.FPDFPage_GetRotation(page)
    box = pdfium.FS_RECTF()
    count = pdfium.FPDFText_CountChars(text)
    for index in range(min(count, _MAX_CHARACTERS)):
        code = pdfium.FPDFText_GetUnicode(text, index)
        if code in (0x0A, 0x0D):
            yield Character("\n", 0, False, 0, 0, 0, 0)
            continue
        if pdfium.FPDFText_IsGenerated(text, index) == 1:
            if pdfium.FPDFText_IsHyphen(text, index) != 1:
                yield Character(" ", 0, False, 0, 0, 0, 0)
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text, index, box):
            continue
        is_unmapped = pdfium.FPDFText_HasUnicodeMapError(text, index) == 1
        if pdfium.FPDFText_IsHyphen(text, index) == 1:
            code = 0x2D
        angle = pdfium.FPDFText_GetCharAngle(text, index)
        turned = (round(angle / (math.pi / 2)) + rotation) % 4 if math.isfinite(angle) else 0
        yield Character(_text_of(code), turned, is_unmapped, *to_display(box.left, box.top, box.right, box.bottom))


def _text_of(code: int) -> str:
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


class _Display:
    """Where the points of a page are as it is displayed: turned and cut as it says."""

    def __init__(self, page: Any, width: float, height: float) -> None:
        x, y = ctypes.c_int(), ctypes.c_int()
        places = []
        side = 100.0
        for point in ((0.0, 0.0), (side, 0.0), (0.0, side)):
            pdfium.FPDF_PageToDevice(page, 0, 0, _FINE, _FINE, 0, *point, x, y)
            places.append((x.value / _FINE * width, y.value / _FINE * height))
        self._origin = places[0]
        self._along_x = tuple((end - start) / side for start, end in zip(places[0], places[1], strict=True))
        self._along_y = tuple((end - start) / side for start, end in zip(places[0], places[2], strict=True))

    def __call__(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of a box of the page in points of the display, y down."""
        first, second = self._point(left, top), self._point(right, bottom)
        return (
            min(first[0], second[0]),
            min(first[1], second[1]),
            max(first[0], second[0]),
            max(first[1], second[1]),
        )

    def _point(self, x: float, y: float) -> tuple[float, float]:
        return (
            self._origin[0] + x * self._along_x[0] + y * self._along_y[0],
            self._origin[1] + x * self._along_x[1] + y * self._along_y[1],
        )


def _failure(ended: Ended, is_over: bool) -> bytes:
    return _encode(Done(signal=ended.signal, lacks_memory=ended.lacks_memory, is_over=is_over))


def _encode(done: Done) -> bytes:
    encoded = msgspec.msgpack.encode(done)
    if len(encoded) > MAX_MESSAGE:
        raise ValueError("an answer is too long")
    return encoded
