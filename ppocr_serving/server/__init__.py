"""The web server: the only place that knows which one it is."""

import errno
import socket
from collections.abc import Mapping
from typing import NoReturn

from ppocr_serving.errors import InvalidSetting
from ppocr_serving.heap import return_freed_memory
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.warmup import load_engines, try_out
from ppocr_serving.settings import ServerSettings, warn_of_unknown_variables
from ppocr_serving.web.log import configure_logging
from ppocr_serving.web.prediction import Prediction
from ppocr_serving.workers.messages import Channel
from ppocr_serving.workers.process import Crew, WorkerProcess
from ppocr_serving.workers.worker import MAX_PAUSED, Work, run_worker

__all__ = ["serve"]

_BACKLOG = 2048


def serve(readers: Mapping[str, Reader], settings: ServerSettings) -> NoReturn:
    """Common entry point for every launcher: serve until the process is told to stop, then exit it.

    Args:
        readers: Reader of each served module; several modules may share one.
        settings: Address, processes, limits and timeouts.

    Raises:
        InvalidSetting: The server cannot listen on the address.
    """
    listener = _listen(settings.host, settings.port)
    return_freed_memory()
    output, log = configure_logging()
    warn_of_unknown_variables()
    distinct = tuple(dict.fromkeys(readers.values()))
    work = Work(
        load=lambda: load_engines(distinct),
        try_out=lambda: try_out(distinct),
        answer=Prediction(readers, settings),
        max_concurrency=settings.max_concurrency,
        max_jobs=settings.max_concurrency + MAX_PAUSED,
    )

    def work_in_process(channel: Channel) -> NoReturn:
        run_worker(work, channel)

    def start() -> WorkerProcess:
        return WorkerProcess(work_in_process, {output.fileno(), log.fileno()})

    crew = Crew(start, tuple(start() for _ in range(settings.workers)))

    from ppocr_serving.server.run import run  # takes a while; meanwhile the processes load their models

    run(settings, readers, listener, output, crew)


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Connections wait here while the models are being loaded.
        listener.listen(_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSetting(
                f"port {port} is in use; stop the process using it, or choose another one with PORT"
            ) from error
        raise InvalidSetting(f"cannot listen on {host}:{port} ({error.strerror}); set PPOCR_HOST or PORT") from error
    listener.setblocking(False)
    return listener
