"""The web server: the only place that knows which one it is."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from ppocr_serving.heap import return_freed_memory
from ppocr_serving.reading.specs import ModelsInUse
from ppocr_serving.server.listener import listen
from ppocr_serving.settings import ServerSettings, warn_of_unknown_variables
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.adapters.refusals import enabled_adapters
from ppocr_serving.web.addresses import allowed_networks
from ppocr_serving.web.gate import Gate
from ppocr_serving.web.log import configure_logging
from ppocr_serving.workers.messages import Channel, Job, Reply
from ppocr_serving.workers.outlet import Outlet
from ppocr_serving.workers.process import Crew, WorkerProcess
from ppocr_serving.workers.worker import MAX_PAUSED, Work, run_worker

if TYPE_CHECKING:
    from ppocr_serving.reading.reader import Reader
    from ppocr_serving.server.certificate import Certificate
    from ppocr_serving.web.answers import Answers

__all__ = ["serve"]


def serve(
    served: Collection[str],
    assemble: "Callable[[], Mapping[str, Reader]]",
    settings: ServerSettings,
    models: Collection[ModelsInUse] = (),
) -> NoReturn:
    """Common entry point for every launcher: serve until the process is told to stop, then exit it.

    Args:
        served: Names of the modules that are served.
        assemble: Makes their readers, in the processes that read pictures; several modules may share one.
        settings: Address, processes, limits and timeouts.
        models: What the readers read with, for the metrics.

    Raises:
        InvalidSetting: The server cannot listen on the address, or not let in whom it should, or a setting of what it
            answers is wrong.
    """
    Gate(settings)  # the application makes its own; if that fails, it had better do so before processes are started
    # Requests ask for these.
    enabled_adapters(settings.adapters)
    allowed_networks(settings.url_allowed_networks)
    certificate = _certificate(settings)
    listener = listen(settings.host, settings.port)
    return_freed_memory()
    output, log = configure_logging(settings.log_format)
    warn_of_unknown_variables()

    def work_in_process(channel: Channel) -> NoReturn:
        reading = _Reading(assemble, settings)
        max_jobs = settings.max_concurrency + MAX_PAUSED
        work = Work(reading.load, reading.try_out, reading.answer, settings.max_concurrency, max_jobs)
        run_worker(work, channel)

    def start() -> WorkerProcess:
        return WorkerProcess(work_in_process, {output.fileno(), log.fileno()})

    crew = Crew(start, tuple(start() for _ in range(settings.workers)))

    from ppocr_serving.server.run import run  # takes a while; meanwhile the processes load their models

    run(settings, served, listener, output, crew, models, certificate)


def _certificate(settings: ServerSettings) -> "Certificate | None":
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    from ppocr_serving.server.certificate import Certificate  # imports what most servers do without

    return Certificate(settings)


class _Reading:
    """The work of a worker process.

    What it imports stays out of the server's process, which only moves bytes: NumPy, OpenCV and Pillow would take a
    third of its memory.

    Args:
        assemble: Makes the readers of the modules.
        settings: Limits.
    """

    def __init__(self, assemble: "Callable[[], Mapping[str, Reader]]", settings: ServerSettings) -> None:
        self._assemble = assemble
        self._settings = settings

    def load(self) -> None:
        from ppocr_serving.reading.warmup import load_engines

        load_engines(self._readers.values())

    def try_out(self) -> None:
        from ppocr_serving.reading.warmup import try_out

        try_out(self._readers.values())

    def answer(self, job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        return self._answers(job, body, watch, outlet)

    @cached_property
    def _readers(self) -> "Mapping[str, Reader]":
        return self._assemble()

    @cached_property
    def _answers(self) -> "Answers":
        from ppocr_serving.web.answers import Answers

        return Answers(self._readers, self._settings)
