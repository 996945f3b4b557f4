"""Put text over the pages of a PDF file, which stay as they are.

PDFium does this in a process with limits, because files are hostile.
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from ppocr_serving.vision.allowance import slowness
from ppocr_serving.vision.helpers import Helpers, memory_file, write_all
from ppocr_serving.vision.pdf_overlay_messages import Done, Look, Overlay, Request

__all__ = ["put_over"]

_SECONDS = 5.0
_PAGE_SECONDS = 0.5
_MEMORY = 512 * 2**20
_GROWTH = 4  # objects that were compressed together are written one by one
_MAX_GROWTH = 64_000_000

_IDENTIFIER: Final = re.compile(rb"/ID\[<([0-9A-F]*)><([0-9A-F]{32})>\]")
_TRAILER_BYTES = 4096

_helpers: Final = Helpers("ppocr_serving.vision.pdf_overlay_process", "puts text over PDF files")


def put_over(
    original: bytes, numbers: Sequence[int], draw: Callable[[Sequence[int]], bytes], check: Callable[[], None]
) -> bytes | None:
    """Put text over pages of a PDF.

    Args:
        original: The file.
        numbers: The pages, from 1.
        draw: Makes a PDF of what to put over them, a page for each, given the quarters clockwise by which each page
            is turned to be displayed. Its pages are as they are before that.
        check: Called ten times per second while waiting; may raise, to end that.

    Returns:
        The file with both; None if the original is protected or damaged, or takes far too much.

    Raises:
        MemoryError: This machine has too little memory at the moment.
    """
    encoded = msgspec.msgpack.encode(list(numbers))
    seconds = (_SECONDS + _PAGE_SECONDS * len(numbers)) * slowness()
    found = _ask(Look(len(original), seconds, _MEMORY), (original, encoded), check)
    if found is None:
        return None
    layer = draw(msgspec.msgpack.decode(found, type=list[int]))
    max_bytes = len(layer) * 2 + len(original) + min(_GROWTH * len(original), _MAX_GROWTH) + 1_000_000
    request = Overlay(len(original), len(layer), seconds, _MEMORY, max_bytes)
    written = _ask(request, (original, layer, encoded), check)
    return None if written is None else _with_fixed_identifier(written)


def _with_fixed_identifier(file: bytes) -> bytes:
    """Return a file with an identifier that depends on the rest of it, in place of one by chance.

    The first half is kept if it is the original's own, on which an encryption depends.
    """
    identifiers = list(_IDENTIFIER.finditer(file, max(0, len(file) - _TRAILER_BYTES)))
    if not identifiers:
        return file
    found = identifiers[-1]
    fixed = hashlib.sha256(file[: found.start()]).hexdigest()[:32].upper().encode("ascii")
    first = fixed if found[1] == found[2] else found[1]
    return file[: found.start()] + b"/ID[<%s><%s>]" % (first, fixed) + file[found.end() :]


def _ask(request: Request, parts: Sequence[bytes], check: Callable[[], None]) -> bytes | None:
    """Return what comes out of a request; None if it fails."""
    try:
        with memory_file() as source, memory_file() as target:
            for part in parts:
                write_all(source, part)
            answer = _helpers.ask(msgspec.msgpack.encode(request), (source, target), check)
            if not msgspec.msgpack.decode(answer, type=Done).is_done:
                return None
            return os.pread(target, os.fstat(target).st_size, 0)
    except OSError as error:
        raise MemoryError(f"no process can be started to put text over a PDF ({error.strerror})") from error
