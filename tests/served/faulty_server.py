"""A program: the real server, with an engine that breaks down after it has warmed up, and little patience.

Usage: faulty_server.py PORT
"""

import sys
from collections.abc import Callable, Iterable

import numpy as np

from ppocr_serving.engines import Float32Array
from ppocr_serving.engines.base import T
from ppocr_serving.http import server
from ppocr_serving.http.app import create_app
from ppocr_serving.http.log import configure_logging
from ppocr_serving.http.readiness import Readiness
from ppocr_serving.pictures import BgrImage
from ppocr_serving.recognition import Packing, RecognitionOptions, TextRecognizer
from ppocr_serving.settings import load_settings
from ppocr_serving.tasks import Results, Task
from ppocr_serving.timing import Stopwatch


class BreakingEngine:
    """Answers its first call with no character at all; the second breaks, and all after it."""

    def __init__(self) -> None:
        self._calls = 0

    def load(self) -> None:
        """There is nothing to load."""

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """See `Engine.run`."""
        return read(self(inputs))

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """See `Engine.__call__`."""
        self._calls += 1
        if self._calls > 1:
            raise RuntimeError("the secret reason of the fault")
        logits = np.zeros((len(inputs), 4, 3), dtype=np.float32)
        logits[:, :, 0] = 1
        return logits


def main() -> None:
    """Serves until the process is told to stop."""
    configure_logging()
    engine = BreakingEngine()
    options = RecognitionOptions((3, 48, 320), ("a", "b"), Packing(sizes=(1,), most_pixels=320, mixed=False))
    recognizer = TextRecognizer([engine], options)

    def run(images: Iterable[BgrImage], watch: Stopwatch) -> Results:
        return [[{"text": text.text, "confidence": text.confidence} for text in recognizer(list(images), watch)]]

    tasks = {"ocr_rec": Task("ocr_rec", run, (engine,))}
    settings = load_settings()
    readiness = Readiness(tasks.values(), settings.queue_timeout)
    server._SILENT_SECONDS = 1
    server.Server(create_app(tasks, settings, readiness), readiness, settings, int(sys.argv[1]), workers=1).run()


if __name__ == "__main__":
    main()
