"""This library as `peers.py` runs it: in process, from a file's bytes to the bytes of the answer.

The settings come from the environment, as they do in the service.
"""

import sys
from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.peer_loop import Line, PeerOptions, Reader, serve
from ppocr_serving.http.contract import decode_pictures, encode_answer
from ppocr_serving.settings import load_settings
from ppocr_serving.tasks import Results, create_task
from ppocr_serving.timing import Stopwatch


class _Answer(NamedTuple):
    results: Results
    body: bytes


def _create(_: PeerOptions) -> Reader:
    settings = load_settings()
    task = create_task("ocr_system", settings)

    def read(data: bytes) -> _Answer:
        watch = Stopwatch()
        results = task.run(decode_pictures([data], settings.max_pixels, watch), watch)
        return _Answer(results, encode_answer(results))

    return Reader(read, _lines)


def _lines(answer: _Answer) -> Iterable[Line]:
    (lines,) = answer.results
    return [(line["text"], line["text_region"]) for line in lines]


if __name__ == "__main__":
    serve(_create, sys.argv[1:-1])
