"""faster-paddle 1.0 as a peer of `peers.py`; runs in its own environment.

Its models are its own: PP-OCRv6 tiny or small, in ONNX Runtime. Only the threads are set explicitly; the side limit of
its detector stays at its default (1600), and it has no angle classifier. Files are decoded by faster-paddle itself.
"""

import functools
import sys
from collections.abc import Iterable
from typing import Any

from benchmarks.peer_loop import Line, PeerOptions, Reader, serve


def _create(size: str, options: PeerOptions) -> Reader:
    from faster_paddle import OcrEngine

    return Reader(read=OcrEngine(model_size=size, threads=options.threads).ocr, lines=_lines)


def _lines(result: Any) -> Iterable[Line]:
    for _, line in sorted(result["bounds"].items()):
        (left, top), (right, bottom) = line["topLeftCoord"], line["bottomRightCoord"]
        yield line["text"], [[left, top], [right, top], [right, bottom], [left, bottom]]


if __name__ == "__main__":
    serve(functools.partial(_create, sys.argv[1]), ["faster-paddle"])
