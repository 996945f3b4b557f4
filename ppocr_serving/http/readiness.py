"""When a process is ready: its models are loaded and one picture has been read."""

import logging
import threading
from collections.abc import Iterable

import cv2
import numpy as np

from ppocr_serving.errors import NotReady
from ppocr_serving.http.contract import decode_pictures
from ppocr_serving.tasks import Task
from ppocr_serving.timing import Stopwatch

__all__ = ["Readiness"]

_log = logging.getLogger(__name__)

_PAGE = np.full((64, 320), 255, dtype=np.uint8)
_PAGE[24:40, 32:288:8] = 0  # strokes: the recogniser only runs where the detector finds something


class Readiness:
    """Loads the models of a process once and tells whether that has been done.

    Args:
        tasks: What will be served.
        timeout: Seconds that a request waits for the models before it is refused.
    """

    def __init__(self, tasks: Iterable[Task], timeout: float) -> None:
        self._tasks = tuple(tasks)
        self._timeout = timeout
        self._ready = threading.Event()

    @property
    def ready(self) -> bool:
        """Whether the models are loaded and have answered once."""
        return self._ready.is_set()

    def warm_up(self) -> None:
        """Loads all models and lets each task read a small picture, which builds what engines build at first use.

        Raises:
            EngineError: A model cannot be loaded or run.
        """
        page = cv2.imencode(".png", _PAGE)[1].tobytes()
        for task in self._tasks:
            for engine in task.engines:
                engine.load()
            watch = Stopwatch()
            task.run(decode_pictures([page], _PAGE.size, watch), watch)
        self._ready.set()
        _log.info("ready: %s", ", ".join(task.name for task in self._tasks))

    def wait(self) -> None:
        """Waits for the models.

        A platform that starts a process for a request sends it at once; waiting serves it, refusing would lose it.

        Raises:
            NotReady: The models are still being loaded when the wait runs out.
        """
        if not self._ready.wait(self._timeout):
            raise NotReady("the models are still being loaded; try again later")
