"""The web server: gunicorn with one or more processes, each with threads."""

import contextlib
import errno
import itertools
import logging
import mmap
import os
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.http import errors as http_errors
from gunicorn.util import write_nonblock
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from ppocr_serving.errors import InvalidSetting, OcrError
from ppocr_serving.handover import Handover
from ppocr_serving.heap import return_freed_memory
from ppocr_serving.memory import MemoryLimit
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.readiness import Readiness
from ppocr_serving.settings import ServerSettings, warn_of_unknown_variables
from ppocr_serving.web.app import create_app
from ppocr_serving.web.hubserving import encode_error
from ppocr_serving.web.log import configure_logging

__all__ = ["Server", "serve"]

_log = logging.getLogger(__name__)

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Platforms keep connections open and send the next POST on one that has been idle for minutes; where the server has
# dropped it meanwhile, that request is lost.
_KEEP_ALIVE_SECONDS = 3600
# A worker whose main loop has not come round for this long is taken for dead and replaced. A call of Paddle's engine,
# which holds Python's global lock, takes seconds at the very most.
_STUCK_SECONDS = 120
# From the first to the last byte of a body: 32 MiB in this time are 2 Mbit/s.
_BODY_SECONDS = 120.0
# A client that neither sends nor takes anything for this long in the middle of a request gives its thread back.
_SILENT_SECONDS = 5
# A process that is replaced because of its memory ends before its replacement starts, since both at a time may be more
# than there is. Where its last requests take longer than this, new ones wait no longer and it starts beside them.
_ALONE_SECONDS = 5
# What is left then, after the time that requests may wait, is cut off: a client may send a byte now and then for ever.
_RETIRE_SECONDS = 240
_IDLE_CONNECTIONS = 800  # kept open between requests; platforms allow a process 1024 files

# How malformed HTTP is answered; what is not in this table is a bad request.
_MALFORMED_HTTP = {
    http_errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    http_errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    http_errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    http_errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class _Body:
    """A request's body, which takes a bounded time and fails as a stream does.

    Args:
        stream: gunicorn's own.
        connection: Its reading side is shut down when the time is over; a client that sends a byte now and then would
            keep a thread for ever.
    """

    def __init__(self, stream: Any, connection: socket.socket) -> None:
        self._stream = stream
        self._connection = connection
        self._watchdog: threading.Timer | None = None
        self._is_late = False

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, and fewer only at the end.

        Raises:
            OSError: The body is malformed, breaks off, or takes too long.
        """
        if self._watchdog is None:
            self._watchdog = threading.Timer(_BODY_SECONDS, self._cut_off)
            self._watchdog.daemon = True
            self._watchdog.start()
        try:
            part: bytes = self._stream.read(size)
        except http_errors.ParseException as error:
            raise OSError("the body is malformed") from error
        if self._is_late:
            raise TimeoutError("the body takes too long")
        if len(part) < size:  # the end: the answer may take as long as it likes
            self.stop_watching()
        return part

    def stop_watching(self) -> None:
        """Give the connection back, however much of the body has been read."""
        if self._watchdog is not None:
            self._watchdog.cancel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _cut_off(self) -> None:
        self._is_late = True
        with contextlib.suppress(OSError):  # the client may have gone meanwhile
            self._connection.shutdown(socket.SHUT_RD)


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no type hints
    """Also replace workers that are slow to retire, not only those that have ended."""

    def setup(self, app: BaseApplication) -> None:
        """Called by gunicorn at the start and at SIGHUP: takes the number of workers from the configuration."""
        self._retiring = 0
        super().setup(app)

    def manage_workers(self) -> None:
        """Called by gunicorn every second, and whenever a worker has ended."""
        retiring = sum(worker.is_slow_to_retire for worker in self.WORKERS.values())
        if retiring != self._retiring:
            self.num_workers += retiring - self._retiring
            self._retiring = retiring
        super().manage_workers()


class _Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """A worker that is replaced when it has too much memory, and that keeps to the contract where gunicorn does not.

    Silent connections cost it no thread, and malformed HTTP is answered as the contract says.

    One that retires takes no new connections: they wait, or another worker takes them. It answers the requests that it
    has, hands its idle connections over, and ends. gunicorn starts the next worker then.
    """

    def __init__(self, *arguments: Any) -> None:
        """Called by gunicorn, before the fork."""
        super().__init__(*arguments)
        self._slow_to_retire = mmap.mmap(-1, 1)  # gunicorn's main process has to see it
        self._has_finished = False
        self._retires_since: float | None = None

    @property
    def is_slow_to_retire(self) -> bool:
        """True if a replacement should start before this worker has ended."""
        return bool(self._slow_to_retire[0])

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called by gunicorn in each round of its main loop."""
        enabled = enabled and self._retires_since is None
        if enabled != self._accepting:
            if enabled:
                self.poller.register(self.app.handover, selectors.EVENT_READ, self._accept_handed_over)
            else:
                self.poller.unregister(self.app.handover)
        super().set_accept_enabled(enabled)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Called by gunicorn in each round of its main loop."""
        super().wait_for_and_dispatch_events(timeout)
        # Not among the events: some of them may be about a connection that is handed over.
        if self._retires_since is None and self._has_finished:
            self._has_finished = False
            if self.alive and self.app.memory_limit.claim(self.nr):
                self._retires_since = time.monotonic()
                self.set_accept_enabled(False)
        if self._retires_since is not None and self.alive:
            self._retire(time.monotonic() - self._retires_since)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Called by gunicorn in its main loop when a request has been answered."""
        super().finish_request(conn, fs)
        self._has_finished = True

    def _retire(self, seconds: float) -> None:
        for idle in (self.keepalived_conns, self.pending_conns):
            while idle:
                batch = list(itertools.islice(idle, Handover.most))
                if not self.app.handover.give([conn.sock for conn in batch]):
                    break
                for conn in batch:
                    idle.popleft()
                    self.poller.unregister(conn.sock)
                    conn.sock.close()
                self.nr_conns -= len(batch)
        if not self.nr_conns or seconds > self.app.retire_seconds:
            self.alive = False
        elif seconds > _ALONE_SECONDS:
            self._slow_to_retire[0] = 1

    def _accept_handed_over(self, handover: Handover) -> None:
        for connection in handover.take():
            try:
                conn = gthread.TConn(self.cfg, connection, connection.getpeername(), connection.getsockname())
            except OSError:
                connection.close()  # its client has gone
                continue
            conn.init()
            self.nr_conns += 1
            kept: Future[object] = Future()
            kept.set_result(True)
            self.finish_request(conn, kept)

    def enqueue_req(self, conn: Any) -> None:
        """Called by gunicorn for a connection, new ones included.

        gunicorn lets a thread wait for a new connection's first byte; as many silent connections as there are
        threads would block every other client. Here the connection goes to where gunicorn puts it after that wait.
        """
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        deferred: Future[object] = Future()
        deferred.set_result(gthread._DEFER)
        self.finish_request(conn, deferred)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Called by gunicorn for what never became a request; it closes the connection afterwards."""
        if not isinstance(exc, http_errors.ParseException):
            _log.error("a connection failed", exc_info=exc)
            status, message = HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log has the reason"
        else:
            status = _MALFORMED_HTTP.get(type(exc), HTTPStatus.BAD_REQUEST)
            message = f"the request is not valid HTTP: {' '.join(str(exc).split())[:200]}"
            _log.info("malformed HTTP: %s, status=%d", type(exc).__name__, status)  # no details: they can hold a secret
        body = encode_error(message, "101")
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            write_nonblock(client, head.encode("ascii") + body)
        except OSError:
            _log.debug("the client of a malformed request went away")


def serve(readers: Mapping[str, Reader], settings: ServerSettings) -> None:
    """Common entry point for every launcher: serve until the process is told to stop.

    Args:
        readers: What is served, by module; several modules may share a reader.
        settings: Address, processes, limits and time-outs.

    Raises:
        InvalidSetting: The address cannot be listened on.
    """
    _require_free(settings.host, settings.port)
    return_freed_memory()
    configure_logging()
    warn_of_unknown_variables()
    readiness = Readiness(readers, settings.queue_timeout)
    Server(create_app(readers, settings, readiness), readiness, settings).run()


def _require_free(host: str, port: int) -> None:
    # gunicorn would try for five seconds, and end in a stack trace where the address is not this machine's.
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSetting(
                f"port {port} is in use; stop what listens there, or choose another one with PORT"
            ) from error
        raise InvalidSetting(
            f"{host}:{port}: cannot be listened on ({error.strerror}); set PPOCR_HOST or PORT"
        ) from error


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no type hints
    """Serve an application until SIGTERM or SIGINT; requests in flight are finished.

    A process that has more memory than allowed is replaced. That loses no request: new connections wait in the backlog
    or are another process's, what is in flight is answered, and idle connections stay open and are the next process's,
    with whatever arrives on them meanwhile. What is cut off is a request that takes more than four minutes longer than
    requests may wait for their turn.

    Args:
        app: What to serve.
        readiness: Warmed up in each process after the fork.
        settings: Address, processes, number of threads, time-outs and the limit of memory.

    Attributes:
        memory_limit: When a process is to be replaced.
        handover: Where its connections go.
        retire_seconds: How long it may take to answer the requests that it has.
    """

    def __init__(self, app: WsgiApplication, readiness: Readiness, settings: ServerSettings) -> None:
        self._app = app
        self._readiness = readiness
        self.memory_limit = MemoryLimit(settings.max_memory_mb)
        self.handover = Handover()
        self.retire_seconds = _RETIRE_SECONDS + settings.queue_timeout
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        # One per request that computes or waits, and some for health checks.
        threads = settings.max_concurrency + settings.max_queue + 8
        self._options: dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": _Worker,
            "threads": threads,
            "worker_connections": threads + _IDLE_CONNECTIONS,
            "keepalive": _KEEP_ALIVE_SECONDS,
            "timeout": _STUCK_SECONDS,
            "graceful_timeout": settings.graceful_timeout,
            "control_socket_disable": True,  # it would be written to the home directory, which may be read-only
            "when_ready": _limit_silence,
            "post_worker_init": self._start_warm_up,
            "child_exit": self._give_up_if_never_ready,
        }
        self._was_ready = mmap.mmap(-1, 1)  # one byte that all processes share
        super().__init__()

    def run(self) -> None:
        """Serve, and end the process, or the worker processes that come to their end in here, too."""
        try:
            _Arbiter(self).run()
        except SystemExit as end:
            # Taking Python, Paddle and OpenVINO down takes seconds, and waits for threads that are out of time.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(end.code or 0))

    def load_config(self) -> None:
        """Called by gunicorn: hands over the options."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WsgiApplication:
        """Called by gunicorn in each process: the application."""
        return self._answer

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _Body(environ["wsgi.input"], environ["gunicorn.socket"])
        environ["wsgi.input"] = body
        try:
            return self._app(environ, start_response)
        finally:
            body.stop_watching()  # a body that is not read to its end must not end the next request

    def _start_warm_up(self, _worker: Any) -> None:
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        try:
            # Not after a request that has been waiting: what that takes would raise the limit for good.
            self._readiness.warm_up(when_loaded=self.memory_limit.begin)
            self._was_ready[0] = 1
        except BaseException as error:
            if isinstance(error, OcrError):
                _log.error("cannot start: %s", error)
            else:
                _log.exception("cannot start")
            # At the code for a failed start gunicorn gives up, because further workers would fail likewise; where one
            # has been ready before, this one is replaced.
            os._exit(1 if self._was_ready[0] else Arbiter.WORKER_BOOT_ERROR)

    def _give_up_if_never_ready(self, arbiter: Arbiter, worker: ThreadWorker) -> None:
        # Damaged model files crash the process where no Python code can catch it. gunicorn would replace it for ever.
        is_stopping = not arbiter.LISTENERS
        if not self._was_ready[0] and not is_stopping:
            reason = f"process {worker.pid} died while it loaded the models; check their files and the free memory"
            _log.error("cannot start: %s", reason)
            raise HaltServer(reason, Arbiter.WORKER_BOOT_ERROR)


def _limit_silence(arbiter: Any) -> None:
    # Connections inherit the options from the listening socket. gunicorn itself has no such time-outs.
    limit = struct.pack("ll", _SILENT_SECONDS, 0)
    for listener in arbiter.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    arbiter.log.error_log.addFilter(_is_worth_logging)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    # gunicorn prints a stack trace for each client that falls silent in the middle of a header.
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
