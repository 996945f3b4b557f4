"""gunicorn as this service runs it: one or more processes, each with threads."""

import logging
import mmap
import os
import socket
import struct
import sys
import threading
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.http import errors as http_errors
from gunicorn.util import write_nonblock
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from ppocr_serving.errors import OcrError
from ppocr_serving.http.app import thread_count
from ppocr_serving.http.contract import encode_error
from ppocr_serving.http.readiness import Readiness
from ppocr_serving.settings import Settings

__all__ = ["Server"]

_log = logging.getLogger(__name__)

# Platforms keep connections open and send the next POST on one that has been idle for minutes; where the server has
# dropped it meanwhile, that request is lost.
_KEEP_ALIVE_SECONDS = 3600
# A worker whose main loop has not come round for this long is taken for dead and replaced. An engine call, which holds
# Python's global lock, takes seconds at the very most.
_STUCK_SECONDS = 120
# A client that neither sends nor takes anything for this long in the middle of a request gives its thread back.
_SILENT_SECONDS = 5
_IDLE_CONNECTIONS = 800  # kept open between requests; platforms allow a process 1024 files

# How malformed HTTP is answered; what is not in this table is a bad request.
_MALFORMED_HTTP = {
    http_errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    http_errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    http_errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    http_errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class _Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """A worker that silent connections cost no thread, and that answers malformed HTTP as the contract says."""

    def enqueue_req(self, conn: Any) -> None:
        """Called by gunicorn for a connection, new ones included.

        gunicorn lets a thread wait for a new connection's first byte; as many silent connections as there are
        threads would keep everybody waiting. Here the connection goes to where gunicorn puts it after that wait.
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
            message = f"the request is no valid HTTP: {' '.join(str(exc).split())[:200]}"
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


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no type hints
    """Serves an application until SIGTERM or SIGINT; requests in flight are finished.

    Args:
        app: What to serve.
        readiness: Warmed up in each process after the fork.
        settings: Host, number of threads and time-outs.
        port: Port to listen on.
        workers: Number of processes.
    """

    def __init__(self, app: Flask, readiness: Readiness, settings: Settings, port: int, workers: int) -> None:
        self._app = app
        self._readiness = readiness
        self._options: dict[str, Any] = {
            "bind": f"[{settings.host}]:{port}" if ":" in settings.host else f"{settings.host}:{port}",
            "workers": workers,
            "worker_class": _Worker,
            "threads": thread_count(settings),
            "worker_connections": thread_count(settings) + _IDLE_CONNECTIONS,
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
        """Serves, and ends the process, or the worker processes that come to their end in here, too."""
        try:
            super().run()
        except SystemExit as end:
            # Taking Python, Paddle and OpenVINO down takes seconds, and waits for threads that are out of time.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(end.code or 0))

    def load_config(self) -> None:
        """Called by gunicorn: hands over the options."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn in each process: the application."""
        return self._app

    def _start_warm_up(self, _worker: Any) -> None:
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        try:
            self._readiness.warm_up()
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
