"""This library as `peers.py` runs it: in process, from a file's bytes to the bytes of the answer.

The settings come from the environment, and the models are loaded, as in the service.
"""

import sys
from collections.abc import Iterable

from benchmarks import peer_loop
from benchmarks.in_process import Answer, answer
from ppocr_serving import Reader
from ppocr_serving.reading.warmup import load_engines, try_out
from ppocr_serving.timing import Stopwatch


def _create(_: peer_loop.PeerOptions) -> peer_loop.Reader:
    reader = Reader()
    load_engines([reader])
    try_out([reader])
    return peer_loop.Reader(lambda data: answer(reader, data, Stopwatch()), _lines)


def _lines(found: Answer) -> Iterable[peer_loop.Line]:
    return [(line.text, [[x, y] for x, y in line.box]) for line in found.page.lines]


if __name__ == "__main__":
    peer_loop.serve(_create, sys.argv[1:-1])
