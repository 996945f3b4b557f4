"""Load the models of several readers, and run each once."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller

import numpy as np

from ppocr_serving.engines import Engine
from ppocr_serving.reading.reader import Reader

__all__ = ["load_engines", "try_out"]

_PAGE = np.full((64, 320, 3), 255, dtype=np.uint8)
_PAGE[24:40, 32:288:8] = 0  # strokes


def load_engines(readers: Iterable[Reader]) -> None:
    """Load the models of readers, each engine once.

    Raises:
        EngineError: A model cannot be loaded.
    """
    engines = tuple(dict.fromkeys(engine for reader in readers for engine in reader.engines))
    with ThreadPoolExecutor(len(engines)) as pool:
        for _ in pool.map(methodcaller("load"), engines):
            pass  # an exception in `load` is raised here


def try_out(readers: Iterable[Reader]) -> None:
    """Read a small picture with each reader, with which engines do their first-use initialization.

    Raises:
        EngineError: A model cannot be run.
    """
    have_run: set[Engine] = set()
    for reader in readers:
        if not have_run.issuperset(reader.engines):  # a reader that shares its engines adds nothing
            reader.try_out(_PAGE)
            have_run.update(reader.engines)
