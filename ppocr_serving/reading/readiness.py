"""Readiness of a process: its models are loaded and one picture has been read."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from operator import methodcaller

import numpy as np

from ppocr_serving.engines import Engine
from ppocr_serving.errors import NotReady
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.reading.reader import Reader

__all__ = ["Readiness"]

_log = logging.getLogger(__name__)

_PAGE = np.full((64, 320, 3), 255, dtype=np.uint8)
_PAGE[24:40, 32:288:8] = 0  # strokes: the recogniser only runs if the detector finds something


class Readiness:
    """Load the models of a process once, and report whether it is ready.

    Args:
        readers: Readers that will be served, by name.
        timeout: Seconds that a request waits for the models before it is refused.
    """

    def __init__(self, readers: Mapping[str, Reader], timeout: float) -> None:
        self._names = tuple(readers)
        self._readers = tuple(dict.fromkeys(readers.values()))
        self._timeout = timeout
        self._loaded = threading.Event()
        self._awaited = threading.Event()
        self._has_read = threading.Event()
        self._ready = threading.Event()

    @property
    def ready(self) -> bool:
        """True once the models are loaded and have run once."""
        return self._ready.is_set()

    def warm_up(self, when_loaded: Callable[[], None] = lambda: None) -> None:
        """Load all models and read a small picture, for which engines do their first-use initialization.

        A request that is already waiting is answered before that picture is read.

        Args:
            when_loaded: Called once the models are loaded, before anything is read.

        Raises:
            EngineError: A model cannot be loaded or run.
        """
        # In the order of the readers, each engine once.
        engines = tuple(dict.fromkeys(engine for reader in self._readers for engine in reader.engines))
        with ThreadPoolExecutor(len(engines)) as pool:
            for _ in pool.map(methodcaller("load"), engines):
                pass  # an exception in `load` is raised here
        when_loaded()
        self._loaded.set()
        if self._awaited.is_set():
            self._has_read.wait()
        have_run: set[Engine] = set()
        for reader in self._readers:
            # Readiness probes wait for this; a reader that shares its engines adds nothing.
            if not have_run.issuperset(reader.engines):
                reader.try_out(_PAGE)
                have_run.update(reader.engines)
        self._ready.set()
        _log.info("ready: %s", ", ".join(self._names))

    @contextmanager
    def reading(self, deadline: Deadline) -> Iterator[None]:
        """Wait for the models, and delay the small picture of `warm_up` until the enclosed block has run.

        A platform that starts a process for a request sends it at once; refusing instead of waiting would lose it.

        Raises:
            NotReady: The models are still being loaded when the wait times out.
        """
        if not self._loaded.is_set():
            self._awaited.set()
        try:
            self._require(self._loaded, deadline.remaining)
            yield
        finally:
            self._has_read.set()

    def wait(self) -> None:
        """Wait until the process is ready.

        Raises:
            NotReady: It is not ready when the wait times out.
        """
        self._require(self._ready, self._timeout)

    def _require(self, state: threading.Event, seconds: float) -> None:
        if not state.wait(min(max(0.0, seconds), self._timeout)):
            raise NotReady("the models are still being loaded; try again later")
