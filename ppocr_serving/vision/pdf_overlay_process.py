"""The processes in which text is put over PDF files: see `ppocr_serving.vision.pdf_overlay`.

Each is forked for one file, with limits of time and memory. PDFium reads hostile files, and it alone changes them.
"""

import contextlib
import ctypes
import mmap
import os
import signal
import socket
from typing import Any, Final, NoReturn

import msgspec
import pypdfium2_raw as pdfium

from ppocr_serving.vision.forking import answer_requests, limit_memory, prepare_process
from ppocr_serving.vision.helpers import write_all
from ppocr_serving.vision.pdf_overlay_messages import Done, Look, Overlay, Request

__all__ = ["serve"]

_FINE: Final = 10_000_000  # units along a page as displayed
_FULL_REWRITE: Final = 2  # PDFium's FPDF_NO_INCREMENTAL


def serve(connection: int) -> NoReturn:
    """Put text over PDF files, each in a process of its own, until the other end closes the connection.

    Args:
        connection: Descriptor of a socket that keeps messages apart.
    """
    prepare_process()
    pdfium.FPDF_InitLibrary()
    failed = msgspec.msgpack.encode(Done())
    with socket.socket(fileno=connection) as owner, contextlib.suppress(ConnectionError):
        answer_requests(owner, lambda message, files: _answer(owner, message, files), lambda _: failed)
    os._exit(0)


def _answer(owner: socket.socket, message: bytes, files: list[int]) -> None:
    request: Request = msgspec.msgpack.decode(message, type=Request)
    source, target = files
    data = mmap.mmap(source, 0, prot=mmap.PROT_READ | mmap.PROT_WRITE)  # ctypes wants it so
    limit_memory(request.memory)
    signal.setitimer(signal.ITIMER_PROF, request.seconds)
    size = request.original + (request.layer if isinstance(request, Overlay) else 0)
    numbers = msgspec.msgpack.decode(memoryview(data)[size:], type=list[int])
    start = ctypes.addressof(ctypes.c_char.from_buffer(data))
    original = pdfium.FPDF_LoadMemDocument64(ctypes.c_void_p(start), request.original, None)
    is_done = bool(original)
    if original and isinstance(request, Look):
        turns = [_turns(original, number - 1) for number in numbers]
        write_all(target, msgspec.msgpack.encode(turns))
    elif original and isinstance(request, Overlay):
        layer = pdfium.FPDF_LoadMemDocument64(ctypes.c_void_p(start + request.original), request.layer, None)
        is_done = all(_put_over(original, number - 1, layer, index) for index, number in enumerate(numbers))
        is_done = is_done and _save(original, target, request.max_bytes)
    owner.send(msgspec.msgpack.encode(Done(is_done)))


def _turns(document: Any, page_index: int) -> int:
    page = pdfium.FPDF_LoadPage(document, page_index)
    turns = pdfium.FPDFPage_GetRotation(page) if page else 0
    pdfium.FPDF_ClosePage(page)
    return max(0, turns)


def _save(document: Any, file: int, max_bytes: int) -> bool:
    left = max_bytes

    def write(_: Any, data: int, size: int) -> int:
        nonlocal left
        left -= size
        if left < 0:
            return 0
        write_all(file, ctypes.string_at(data, size))
        return 1

    callback = dict(pdfium.FPDF_FILEWRITE._fields_)["WriteBlock"](write)
    writer = pdfium.FPDF_FILEWRITE(version=1, WriteBlock=callback)
    return bool(pdfium.FPDF_SaveAsCopy(document, writer, _FULL_REWRITE))


def _put_over(original: Any, page_index: int, layer: Any, layer_index: int) -> bool:
    page = pdfium.FPDF_LoadPage(original, page_index)
    form = pdfium.FPDF_NewXObjectFromPage(original, layer, layer_index) if page else None
    if not form:
        return False
    size = pdfium.FS_SIZEF()
    pdfium.FPDF_GetPageSizeByIndexF(layer, layer_index, size)
    placed = pdfium.FPDF_NewFormObjectFromXObject(form)
    is_placed = bool(pdfium.FPDFPageObj_SetMatrix(placed, _matrix(page, size.width, size.height)))
    pdfium.FPDFPage_InsertObject(page, placed)
    is_placed = bool(pdfium.FPDFPage_GenerateContent(page)) and is_placed
    pdfium.FPDF_CloseXObject(form)
    pdfium.FPDF_ClosePage(page)
    return is_placed


def _matrix(page: Any, width: float, height: float) -> Any:
    """Return how a layer of some size lies on a page so that it fills what is displayed of it.

    It is not turned: PDFium, when it selects text, does not expect that of a form.
    """
    x, y = ctypes.c_double(), ctypes.c_double()
    corners = []
    for point in ((0, 0), (_FINE, _FINE)):  # opposite ones as displayed
        pdfium.FPDF_DeviceToPage(page, 0, 0, _FINE, _FINE, 0, *point, x, y)
        corners.append((x.value, y.value))
    (left, right), (bottom, top) = (sorted(sides) for sides in zip(*corners, strict=True))
    return pdfium.FS_MATRIX((right - left) / width, 0, 0, (top - bottom) / height, left, bottom)
