"""The server's process: an event loop for all clients."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Collection
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NoReturn

from uvicorn.config import Config
from uvicorn.server import ServerState

from ppocr_serving.reading.specs import ModelsInUse
from ppocr_serving.server.connections import Connection, Connections
from ppocr_serving.server.listener import BACKLOG, url_of
from ppocr_serving.server.tls import TlsProtocol
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.app import Application
from ppocr_serving.web.log import LogStream
from ppocr_serving.workers.members import PoolLimits
from ppocr_serving.workers.pool import WorkerPool
from ppocr_serving.workers.process import Crew, flush_output
from ppocr_serving.workers.refusals import stopping
from ppocr_serving.workers.worker import FAILED_START, MAX_PAUSED

if TYPE_CHECKING:
    from ppocr_serving.server.certificate import Certificate

__all__ = ["run"]

_log = logging.getLogger(__name__)

# Connections are accepted a few at a time, so that the others are read in between: one whose request has arrived must
# not count as silent only because hundreds come at the same moment.
_ACCEPTED_AT_ONCE = 8
_SWEEP_SECONDS = 0.5
# How long connections in the backlog have to be accepted, and the last answers to be written.
_FLUSH_SECONDS = 0.2
# Clients have this long to take what is left of large answers when everything else has ended.
_LAST_BYTES_SECONDS = 2.0
_POLL_SECONDS = 0.02
_FOREVER = 10 * 365 * 86_400.0  # seconds
# Function Compute reuses connections that have been idle for more than 15 minutes, and loses the request if one has
# been closed. Its gateway sends whole requests.
_FUNCTION_COMPUTE = ("FC_CUSTOM_LISTEN_PORT", "FC_FUNCTION_NAME", "FC_ACCOUNT_ID")


def run(
    settings: ServerSettings,
    served: Collection[str],
    listener: socket.socket,
    output: LogStream,
    crew: Crew,
    models: Collection[ModelsInUse],
    certificate: "Certificate | None" = None,
) -> NoReturn:
    """Serve until the process is told to stop, then exit it.

    Args:
        settings: Limits and timeouts.
        served: Names of the modules that are served.
        listener: The listening socket.
        output: Standard output.
        crew: The worker processes.
        models: What they read with, for the metrics.
        certificate: For TLS; None means plain HTTP.
    """
    _adopt_log_of_uvicorn()
    server = _Server(settings, listener, certificate)
    url = url_of(listener, is_secure=certificate is not None)
    pool = WorkerPool(
        crew,
        PoolLimits(
            processes=settings.workers,
            max_jobs=settings.max_concurrency + MAX_PAUSED,
            max_running=settings.workers * settings.max_concurrency,
            max_waiting=settings.workers * settings.max_queue,
            queue_timeout=settings.queue_timeout,
            max_memory_mb=settings.max_memory_mb,
        ),
        when_ready=lambda: _log.info("ready: %s at %s", ", ".join(served), url),
        give_up=lambda: server.exit(FAILED_START),
    )
    asyncio.run(server.run(pool, Application(pool, served, settings, output, models)))
    raise AssertionError("the server exits the process")


class _Server:
    """Run the event loop until SIGTERM or SIGINT; requests in flight are finished.

    Args:
        settings: Limits and timeouts.
        listener: The listening socket.
        certificate: For TLS; None means plain HTTP.
    """

    def __init__(self, settings: ServerSettings, listener: socket.socket, certificate: "Certificate | None") -> None:
        self._settings = settings
        self._listener = listener
        self._certificate = certificate
        self._state = ServerState()
        requests = settings.workers * (settings.max_queue + settings.max_concurrency + MAX_PAUSED)
        header_seconds = _FOREVER if _is_on_function_compute() else settings.header_timeout
        self._connections = Connections(self._state, header_seconds, requests)

    async def run(self, pool: WorkerPool, application: Application) -> None:
        """Serve, then exit the process."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_failure)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        config = self._config(application)
        pool.attach()
        server = await loop.create_server(lambda: self._accept(config), sock=self._listener, backlog=_ACCEPTED_AT_ONCE)
        self._listener.listen(BACKLOG)
        sweeping = loop.create_task(self._sweep(pool))
        await stop.wait()
        await self._stop(pool, application, server)
        sweeping.cancel()
        pool.stop()
        await pool.wait_stopped()  # whoever starts a server in place of this one needs its memory
        self.exit(0)

    def exit(self, code: int) -> NoReturn:
        """Exit the process at once: a regular shutdown of Python, Paddle and OpenVINO takes seconds."""
        flush_output()
        os._exit(code)

    def _accept(self, config: Config) -> Connection | TlsProtocol:
        connection = Connection(self._connections, config, self._state)
        if self._certificate is None:
            return connection
        return TlsProtocol(self._connections, connection, self._certificate.context, self._settings.header_timeout)

    def _config(self, application: Application) -> Config:
        idle_seconds = _FOREVER if _is_on_function_compute() else self._settings.idle_timeout
        return Config(
            application,
            http=Connection,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=idle_seconds,  # type: ignore[arg-type]  # fractions are fine
        )

    async def _sweep(self, pool: WorkerPool) -> None:
        while True:
            self._state.default_headers = [(b"Date", formatdate(usegmt=True).encode("ascii"))]
            try:
                self._connections.sweep()
                if self._certificate is not None:
                    self._certificate.refresh()
                pool.reap_orphans()
            except Exception:  # the next round may do better, and without it nothing would have a time limit
                _log.exception("a round of time limits fails")
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _stop(self, pool: WorkerPool, application: Application, server: asyncio.Server) -> None:
        """Answer what has begun, and tell everybody else to go elsewhere."""
        application.announce_stop()
        await asyncio.sleep(self._settings.drain_seconds)
        application.refuse(stopping())
        # Connections in the backlog are accepted, and their requests refused like all others.
        await asyncio.sleep(_FLUSH_SECONDS)
        server.close()
        end = time.monotonic() + self._settings.graceful_timeout
        while self._connections.answering and time.monotonic() < end:
            await asyncio.sleep(_POLL_SECONDS)
        pool.fail_all(stopping())
        await asyncio.sleep(_FLUSH_SECONDS)
        self._connections.shut_down()
        end = time.monotonic() + _LAST_BYTES_SECONDS
        while self._connections.unsent and time.monotonic() < end:
            await asyncio.sleep(_POLL_SECONDS)


def _is_on_function_compute() -> bool:
    return any(name in os.environ for name in _FUNCTION_COMPUTE)


def _adopt_log_of_uvicorn() -> None:
    logger = logging.getLogger("uvicorn.error")
    logger.handlers[:] = logging.getLogger("ppocr_serving").handlers
    logger.setLevel(logging.ERROR)  # its warnings are about clients, and name nothing
    logger.propagate = False


def _log_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, OSError):  # a client that has gone, or no file for one more
        return
    _log.error("the event loop: %s", context.get("message", ""), exc_info=error)
