"""From the body of a request to the body of its answer, whichever way the body came."""

from collections.abc import Mapping

from ppocr_serving.errors import ModuleNotServed
from ppocr_serving.http.admission import Admission
from ppocr_serving.http.contract import decode_pictures, encode_answer, parse_request
from ppocr_serving.http.log import RequestRecord
from ppocr_serving.http.readiness import Readiness
from ppocr_serving.settings import Settings
from ppocr_serving.tasks import TASK_NAMES, Task

__all__ = ["Prediction"]

_BUFFERED_BODIES = 8  # as many bodies of the largest allowed size may be in memory, and many more of the usual size


class Prediction:
    """Answers requests, as many at a time as the settings allow.

    Args:
        tasks: What is served, by name.
        settings: Limits and time-outs.
        readiness: Tells when the models are loaded.

    Attributes:
        admission: The queue, and the room for bodies.
        largest_body: The most bytes of a body.
    """

    def __init__(self, tasks: Mapping[str, Task], settings: Settings, readiness: Readiness) -> None:
        self._tasks = tasks
        self._settings = settings
        self._readiness = readiness
        self.largest_body = settings.max_body_mb * 2**20
        self.admission = Admission(
            settings.max_concurrency, settings.max_queue, settings.queue_timeout, _BUFFERED_BODIES * self.largest_body
        )

    def task(self, name: str, record: RequestRecord) -> Task:
        """Finds a task.

        Args:
            name: What the client asks for; anything.
            record: Receives the name if it is one of the four: what a client made up does not belong into the log.

        Raises:
            ModuleNotServed: There is none of that name, or it was not started.
        """
        if name in TASK_NAMES:
            record.module = name
        if name in self._tasks:
            return self._tasks[name]
        reason = "was not started" if name in TASK_NAMES else "is unknown"
        raise ModuleNotServed(f"module {name[:40]!r} {reason}; this server has {', '.join(self._tasks)}")

    def answer(self, task: Task, body: bytes, record: RequestRecord) -> bytes:
        """Answers one request.

        Args:
            task: What is asked for.
            body: JSON as the contract says.
            record: Receives what is logged of the request.

        Returns:
            JSON as the contract says.

        Raises:
            InvalidRequest, LimitExceeded: The body is not allowed.
            Overloaded, NotReady: There is no turn, or no model, within the time-out.
            EngineError: A network failed.
        """
        pictures = parse_request(body, self._settings)
        record.pictures, record.pixels = len(pictures.files), pictures.pixels
        with self.admission.turn(), self._readiness.reading():
            images = decode_pictures(pictures.files, self._settings.max_pixels, record.watch)
            results = task.run(images, record.watch)
        record.lines = sum(map(len, results))
        with record.watch("encode"):
            return encode_answer(results)
