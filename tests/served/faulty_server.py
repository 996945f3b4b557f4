"""A program: the real server, with an engine that fails after the warm-up, and short timeouts for slow clients.

Usage: faulty_server.py PORT
"""

import sys
from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from ppocr_serving import server
from ppocr_serving.engines import Engine, EnginePool, EngineSpec, Float32Array
from ppocr_serving.engines.base import T
from ppocr_serving.reading.models import characters_of
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import load_settings


class FailingEngine:
    """Answer the first call with no characters, and fail at every later one.

    Args:
        classes: Number of the model's classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._calls = 0

    def load(self) -> None:
        """There is nothing to load."""

    def release_memory(self) -> None:
        """There is nothing to release."""

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """See `Engine.run`."""
        return read(self(inputs))

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """See `Engine.__call__`."""
        self._calls += 1
        if self._calls > 1:
            raise RuntimeError("the secret reason of the fault")
        logits = np.zeros((len(inputs), 4, self._classes), dtype=np.float32)
        logits[:, :, 0] = 1
        return logits


class FailingPool(EnginePool):
    """A pool of one failing engine."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self._failing = FailingEngine(classes)

    def engine(self, _: EngineSpec) -> Engine:
        """See `EnginePool.engine`."""
        return self._failing


def main() -> None:
    """Serve until the process is stopped."""
    settings = load_settings(init_args={"reread_score": 0})  # so that the warm-up is one call
    classes = len(characters_of(settings)) + 2  # the blank and the space
    reader = Reader(settings=settings, pool=FailingPool(classes), roles=("rec",))
    limits = replace(settings.server, port=int(sys.argv[1]), header_timeout=1, body_timeout=1)
    server.serve(["ocr_rec"], lambda: {"ocr_rec": reader}, limits)


if __name__ == "__main__":
    main()
