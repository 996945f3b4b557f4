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

# Platforms keep connections open and send the next POST on one that has been idle for minutes; if the server has
# closed it in the meantime, that request is lost.
_KEEP_ALIVE_SECONDS = 3600
# A worker whose main loop has not advanced for this long is considered dead and replaced. A call of Paddle's engine,
# which holds the GIL, takes a few seconds at most.
_STUCK_SECONDS = 120
# From the first to the last byte of a body: 32 MiB in this time is about 2 Mbit/s.
_BODY_SECONDS = 120.0
# A client that neither sends nor receives anything for this long in the middle of a request loses its thread.
_SILENT_SECONDS = 5
# A process over its memory limit exits before its replacement starts, since memory may not suffice for both. If its
# last requests take longer than this, the replacement starts anyway, so that new requests need not wait.
_EXCLUSIVE_SECONDS = 5
# Requests still running after this, plus the time that requests may wait, are cut off: a client could send a byte now
# and then forever.
_RETIRE_SECONDS = 240
_IDLE_CONNECTIONS = 800  # kept open between requests; platforms allow 1024 files per process

# Status for malformed HTTP; anything not in this table is a bad request.
_MALFORMED_HTTP = {
    http_errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    http_errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    http_errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    http_errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class _Body:
    """A request's body, which has a time limit and reports every failure as an OSError.

    Args:
        stream: gunicorn's stream.
        connection: Its reading side is shut down when the time is up; otherwise a client that sends a byte now and then
            could occupy a thread forever.
    """

    def __init__(self, stream: Any, connection: socket.socket) -> None:
        self._stream = stream
        self._connection = connection
        self._watchdog: threading.Timer | None = None
        self._is_late = False

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes; fewer only at the end.

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
        if len(part) < size:  # the end: the time limit does not apply to the answer
            self.stop_watching()
        return part

    def stop_watching(self) -> None:
        """End the time limit, however much of the body has been read."""
        if self._watchdog is not None:
            self._watchdog.cancel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _cut_off(self) -> None:
        self._is_late = True
        with contextlib.suppress(OSError):  # the client may already be gone
            self._connection.shutdown(socket.SHUT_RD)


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no type hints
    """Arbiter that also replaces workers that are slow to retire, not only those that have exited."""

    def setup(self, app: BaseApplication) -> None:
        """Load the configuration, including the number of workers, at startup and on SIGHUP."""
        self._retiring = 0
        super().setup(app)

    def manage_workers(self) -> None:
        """Adjust the number of workers, every second and whenever a worker has exited."""
        retiring = sum(worker.is_slow_to_retire for worker in self.WORKERS.values())
        if retiring != self._retiring:
            self.num_workers += retiring - self._retiring
            self._retiring = retiring
        super().manage_workers()


class _Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """A worker that is replaced when it uses too much memory, and that keeps the contract where gunicorn does not.

    Silent connections do not occupy a thread, and malformed HTTP is answered according to the contract.

    A retiring worker accepts no new connections: they wait, or another worker accepts them. It answers its remaining
    requests, hands over its idle connections, and exits. gunicorn then starts the next worker.
    """

    def __init__(self, *arguments: Any) -> None:
        """Initialize the worker in gunicorn's main process, before the fork."""
        super().__init__(*arguments)
        self._slow_to_retire = mmap.mmap(-1, 1)  # shared with gunicorn's main process
        self._has_finished = False
        self._retiring_since: float | None = None

    @property
    def is_slow_to_retire(self) -> bool:
        """True if a replacement should start before this worker has exited."""
        return bool(self._slow_to_retire[0])

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting connections, including those handed over, in each round of the main loop."""
        enabled = enabled and self._retiring_since is None
        if enabled != self._accepting:
            if enabled:
                self.poller.register(self.app.handover, selectors.EVENT_READ, self._accept_handed_over)
            else:
                self.poller.unregister(self.app.handover)
        super().set_accept_enabled(enabled)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Handle events, and retire if necessary, in each round of the main loop."""
        super().wait_for_and_dispatch_events(timeout)
        # Not while events are handled: some of them may concern a connection that is handed over.
        if self._retiring_since is None and self._has_finished:
            self._has_finished = False
            if self.alive and self.app.memory_limit.claim(self.nr):
                self._retiring_since = time.monotonic()
                self.set_accept_enabled(False)
        if self._retiring_since is not None and self.alive:
            self._retire(time.monotonic() - self._retiring_since)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Note in the main loop that a request has been answered."""
        super().finish_request(conn, fs)
        self._has_finished = True

    def _retire(self, seconds: float) -> None:
        for idle in (self.keepalived_conns, self.pending_conns):
            while idle:
                batch = list(itertools.islice(idle, Handover.max_batch))
                if not self.app.handover.give([conn.sock for conn in batch]):
                    break
                for conn in batch:
                    idle.popleft()
                    self.poller.unregister(conn.sock)
                    conn.sock.close()
                self.nr_conns -= len(batch)
        if not self.nr_conns or seconds > self.app.retire_seconds:
            self.alive = False
        elif seconds > _EXCLUSIVE_SECONDS:
            self._slow_to_retire[0] = 1

    def _accept_handed_over(self, handover: Handover) -> None:
        for connection in handover.take():
            try:
                conn = gthread.TConn(self.cfg, connection, connection.getpeername(), connection.getsockname())
            except OSError:
                connection.close()  # its client is gone
                continue
            conn.init()
            self.nr_conns += 1
            kept: Future[object] = Future()
            kept.set_result(True)
            self.finish_request(conn, kept)

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread, but a new one only once it has sent something.

        gunicorn has a thread wait for a new connection's first byte; as many silent connections as there are threads
        would block every other client. Here the connection goes straight to where gunicorn puts it after that wait.
        """
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        deferred: Future[object] = Future()
        deferred.set_result(gthread._DEFER)
        self.finish_request(conn, deferred)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Answer what never became a request; gunicorn closes the connection afterwards."""
        if not isinstance(exc, http_errors.ParseException):
            _log.error("a connection failed", exc_info=exc)
            status, message = HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; see its log for the reason"
        else:
            status = _MALFORMED_HTTP.get(type(exc), HTTPStatus.BAD_REQUEST)
            message = f"the request is not valid HTTP: {' '.join(str(exc).split())[:200]}"
            _log.info("malformed HTTP: %s, status=%d", type(exc).__name__, status)  # details could leak a secret
        body = encode_error(message, "101")
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            write_nonblock(client, head.encode("ascii") + body)
        except OSError:
            _log.debug("the client of a malformed request has disconnected")


def serve(readers: Mapping[str, Reader], settings: ServerSettings) -> None:
    """Common entry point for every launcher: serve until the process is told to stop.

    Args:
        readers: Reader of each served module; several modules may share one.
        settings: Address, processes, limits and timeouts.

    Raises:
        InvalidSetting: The server cannot listen on the address.
    """
    _require_free(settings.host, settings.port)
    return_freed_memory()
    configure_logging()
    warn_of_unknown_variables()
    readiness = Readiness(readers, settings.queue_timeout)
    Server(create_app(readers, settings, readiness), readiness, settings).run()


def _require_free(host: str, port: int) -> None:
    # gunicorn would retry for five seconds, and end in a stack trace if the address does not belong to this machine.
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSetting(
                f"port {port} is in use; stop the process using it, or choose another one with PORT"
            ) from error
        raise InvalidSetting(f"cannot listen on {host}:{port} ({error.strerror}); set PPOCR_HOST or PORT") from error


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no type hints
    """Serve an application until SIGTERM or SIGINT; requests in flight are finished.

    A process that exceeds its memory limit is replaced without losing a request: new connections wait in the backlog or
    go to another process, requests in flight are answered, and idle connections stay open and pass to the next process,
    with whatever arrives on them in the meantime. The only requests cut off are those that take over four minutes more
    than requests may wait for their turn.

    Args:
        app: The application.
        readiness: Warmed up in each process after the fork.
        settings: Address, processes, number of threads, timeouts and memory limit.

    Attributes:
        memory_limit: Decides when a process is replaced.
        handover: Queue for its connections.
        retire_seconds: Time limit for answering its remaining requests.
    """

    def __init__(self, app: WsgiApplication, readiness: Readiness, settings: ServerSettings) -> None:
        self._app = app
        self._readiness = readiness
        self.memory_limit = MemoryLimit(settings.max_memory_mb)
        self.handover = Handover()
        self.retire_seconds = _RETIRE_SECONDS + settings.queue_timeout
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        # One per running or waiting request, and some for health checks.
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
        """Serve, then exit the process; forked workers exit here, too."""
        try:
            _Arbiter(self).run()
        except SystemExit as end:
            # A regular shutdown of Python, Paddle and OpenVINO takes seconds, and waits for threads whose time is up.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(end.code or 0))

    def load_config(self) -> None:
        """Pass the options to gunicorn."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WsgiApplication:
        """Return the application, in each process."""
        return self._answer

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _Body(environ["wsgi.input"], environ["gunicorn.socket"])
        environ["wsgi.input"] = body
        try:
            return self._app(environ, start_response)
        finally:
            body.stop_watching()  # the timer of an unfinished body must not cut off the next request

    def _start_warm_up(self, _worker: Any) -> None:
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        try:
            # Not after a request that has been waiting: its memory would raise the limit permanently.
            self._readiness.warm_up(when_loaded=self.memory_limit.begin)
            self._was_ready[0] = 1
        except BaseException as error:
            if isinstance(error, OcrError):
                _log.error("cannot start: %s", error)
            else:
                _log.exception("cannot start")
            # On the exit code for a failed start gunicorn gives up, because further workers would fail, too; if one has
            # been ready before, this one is replaced instead.
            os._exit(1 if self._was_ready[0] else Arbiter.WORKER_BOOT_ERROR)

    def _give_up_if_never_ready(self, arbiter: Arbiter, worker: ThreadWorker) -> None:
        # Damaged model files crash the process outside Python, where nothing can catch it. gunicorn would replace it
        # forever.
        is_stopping = not arbiter.LISTENERS
        if not self._was_ready[0] and not is_stopping:
            reason = f"process {worker.pid} died while loading the models; check their files and the free memory"
            _log.error("cannot start: %s", reason)
            raise HaltServer(reason, Arbiter.WORKER_BOOT_ERROR)


def _limit_silence(arbiter: Any) -> None:
    # Connections inherit the options from the listening socket. gunicorn itself has no such timeouts.
    limit = struct.pack("ll", _SILENT_SECONDS, 0)
    for listener in arbiter.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    arbiter.log.error_log.addFilter(_is_worth_logging)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    # gunicorn prints a stack trace for each client that goes silent in the middle of a header.
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
