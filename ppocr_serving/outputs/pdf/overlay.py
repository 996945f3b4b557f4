"""Put text over the pages of a PDF file, which stay as they are.

PDFium does this in a process with limits, because files are hostile.
"""

import os
from collections.abc import Sequence
from typing import Final

import msgspec

from ppocr_serving.outputs.items import Check
from ppocr_serving.outputs.pdf.overlay_messages import Done, Overlay
from ppocr_serving.vision.allowance import slowness
from ppocr_serving.vision.helpers import Helpers, memory_file, write_all

__all__ = ["put_over"]

_SECONDS = 5.0
_PAGE_SECONDS = 0.5
_MEMORY = 512 * 2**20
_GROWTH = 4  # objects that were compressed together are written one by one
_MAX_GROWTH = 64_000_000

_helpers: Final = Helpers("ppocr_serving.outputs.pdf.overlay_process", "puts text over PDF files")


def put_over(original: bytes, layer: bytes, numbers: Sequence[int], check: Check) -> bytes | None:
    """Put the pages of one PDF over pages of another one.

    Args:
        original: The file underneath.
        layer: The file to put over it.
        numbers: For each page of `layer`, the page underneath, from 1.
        check: Called ten times per second while waiting; may raise, to end that.

    Returns:
        The file with both; None if the original is protected or damaged, or takes far too much.

    Raises:
        MemoryError: This machine has too little memory at the moment.
    """
    max_bytes = len(layer) * 2 + len(original) + min(_GROWTH * len(original), _MAX_GROWTH) + 1_000_000
    request = Overlay(
        original=len(original),
        layer=len(layer),
        seconds=(_SECONDS + _PAGE_SECONDS * len(numbers)) * slowness(),
        memory=_MEMORY,
        max_bytes=max_bytes,
    )
    try:
        with memory_file() as source, memory_file() as target:
            for part in (original, layer, msgspec.msgpack.encode(list(numbers))):
                write_all(source, part)
            helper, answer = _helpers.begin(msgspec.msgpack.encode(request), (source, target), check)
            _helpers.put_back(helper)
            if not msgspec.msgpack.decode(answer, type=Done).is_done:
                return None
            return os.pread(target, os.fstat(target).st_size, 0)
    except OSError as error:
        raise MemoryError(f"no process can be started to put text over a PDF ({error.strerror})") from error
