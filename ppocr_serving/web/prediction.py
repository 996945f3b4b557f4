"""From the body of a request to the body of its answer, regardless of how the body arrived."""

import math
from collections.abc import Mapping

from ppocr_serving.errors import InvalidRequest, ModuleNotServed
from ppocr_serving.reading.budget import Budget
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.reading.inputs import InputLimits, decode_pictures
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.readiness import Readiness
from ppocr_serving.reading.turns import Turns
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.hubserving import MODULES, encode_answer, parse_request
from ppocr_serving.web.log import RequestRecord

__all__ = ["Prediction"]

_BUFFERED_BODIES = 8  # number of bodies of the maximum size that may be in memory; far more of the usual size fit


class Prediction:
    """Answer requests, as many at a time as the settings allow.

    Args:
        readers: Reader of each served module.
        settings: Limits and timeouts.
        readiness: Reports whether the models are loaded.

    Attributes:
        budget: Room for bodies.
        largest_body: Maximum number of bytes of a body.
    """

    def __init__(self, readers: Mapping[str, Reader], settings: ServerSettings, readiness: Readiness) -> None:
        self._readers = readers
        self._settings = settings
        self._readiness = readiness
        self._turns = Turns(settings.max_concurrency, settings.max_queue, settings.queue_timeout)
        self.largest_body = settings.max_body_mb * 2**20
        self.budget = Budget(_BUFFERED_BODIES * self.largest_body)

    def require(self, name: str, record: RequestRecord) -> None:
        """Check that a module is served, before its request's body is read.

        Args:
            name: What the client requested; may be anything.
            record: Receives the name if it is one of the four: arbitrary input does not belong in the log.

        Raises:
            ModuleNotServed: There is none of that name, or it was not started.
        """
        if name in MODULES:
            record.module = name
        if name not in self._readers:
            reason = "was not started" if name in MODULES else "is unknown"
            raise ModuleNotServed(f"module {name[:40]!r} {reason}; this server has {', '.join(self._readers)}")

    def deadline(self, requested: str | None, record: RequestRecord) -> Deadline:
        """Return until when a request may take: as the settings say, or less if the client asks for that.

        Args:
            requested: The client's `X-Request-Timeout` in seconds; None if it sent none.
            record: Has the time at which the request came.

        Raises:
            InvalidRequest: It is not a number of seconds above 0.
        """
        allowed = self._settings.request_timeout
        if requested is None:
            return Deadline(allowed, record.start)
        try:
            seconds = float(requested)
        except ValueError:
            seconds = math.nan
        if not seconds > 0:
            raise InvalidRequest(f"X-Request-Timeout must be a number of seconds above 0, got {requested[:40]!r}")
        return Deadline(min(seconds, allowed), record.start)

    def answer(self, name: str, body: bytes | bytearray, record: RequestRecord, deadline: Deadline) -> bytes:
        """Answer one request.

        Args:
            name: A module that is served.
            body: JSON according to the contract.
            record: Receives what is logged about the request.
            deadline: Until when the request may wait and compute.

        Returns:
            JSON according to the contract.

        Raises:
            InvalidRequest, LimitExceeded: The body is not allowed.
            Overloaded, NotReady: The wait for a turn or for the models timed out.
            DeadlineExceeded: The request takes longer than it may.
            EngineError: A network failed.
        """
        reader = self._readers[name]
        max_pixels = reader.settings.reading.max_pixels
        limits = InputLimits(self._settings.max_images, max_pixels, self._settings.max_request_pixels)
        # Even parsing takes a turn: what it creates is larger than the body.
        with self._turns.turn(deadline) as turn, self._readiness.reading(deadline):
            (files, record.pixels), options = parse_request(body, limits)
            record.pictures = len(files)
            watch = Stopwatch(turn.before_stage)
            try:
                results = MODULES[name].run(reader, decode_pictures(files, max_pixels, watch), options, watch)
            finally:
                record.watch.include([watch])
        record.lines = sum(map(len, results))
        with record.watch("encode"):
            return encode_answer(results)
