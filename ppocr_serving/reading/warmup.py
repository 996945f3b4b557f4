"""Load the models of several readers, and run each once."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from operator import methodcaller

import numpy as np

from ppocr_serving.engines import Engine
from ppocr_serving.errors import EngineError
from ppocr_serving.reading.reader import Reader

__all__ = ["load_engines", "try_out"]

_PAGE = np.full((64, 320, 3), 255, dtype=np.uint8)
_PAGE[24:40, 32:288:8] = 0  # strokes


def load_engines(readers: Iterable[Reader]) -> None:
    """Load the models of readers, each engine once.

    The second recogniser and the classifier, which many pictures do not need, are loaded in the background after this
    returns. A line that needs one earlier waits for it. If it cannot be loaded, its use reports that, at the latest in
    `try_out`.

    Raises:
        EngineError: A model that all pictures need cannot be loaded.
    """
    readers = tuple(readers)
    first = dict.fromkeys(engine for reader in readers for engine in reader.first_engines)
    with ThreadPoolExecutor(len(first)) as pool:
        for _ in pool.map(methodcaller("load"), first):
            pass  # an exception in `load` is raised here
    rest = [engine for reader in readers for engine in reversed(reader.engines) if engine not in first]
    threading.Thread(target=_load_quietly, args=(dict.fromkeys(rest),), name="load-rest").start()


def _load_quietly(engines: Iterable[Engine]) -> None:
    with suppress(EngineError):  # the engine tries again when it is used
        for engine in engines:
            engine.load()


def try_out(readers: Iterable[Reader]) -> None:
    """Read a small picture with each reader, with which engines do their first-use initialization.

    After this returns, the recognisers are prepared in the background for what most lines need.

    Raises:
        EngineError: A model cannot be run.
    """
    readers = tuple(readers)
    have_run: set[Engine] = set()
    for reader in readers:
        if not have_run.issuperset(reader.engines):  # a reader that shares its engines adds nothing
            reader.try_out(_PAGE)
            have_run.update(reader.engines)
    threading.Thread(target=_prepare_quietly, args=(readers,), name="prepare-widths").start()


def _prepare_quietly(readers: Iterable[Reader]) -> None:
    usual = dict.fromkeys(pair for reader in readers for pair in reader.usual_shapes())  # readers share engines
    with suppress(EngineError):  # the engine reports it when it is used
        for engine, shape in usual:
            engine.run(np.zeros(shape, dtype=np.float32), lambda _: None)
