"""The Flask application: routes, limits, errors and the log around the four tasks."""

import logging
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files as resources

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from ppocr_serving.errors import ModuleNotServed, NotReady, OcrError, UnsupportedMediaType
from ppocr_serving.http.admission import Admission
from ppocr_serving.http.body import read_body, require_size
from ppocr_serving.http.contract import decode_pictures, encode_answer, encode_error, parse_request
from ppocr_serving.http.errors import to_http
from ppocr_serving.http.log import RequestRecord
from ppocr_serving.http.readiness import Readiness
from ppocr_serving.settings import Settings
from ppocr_serving.tasks import TASK_NAMES, Task

__all__ = ["create_app", "thread_count"]

_log = logging.getLogger(__name__)

# The platforms' own ids come first, so that their logs and ours can be matched.
_ID_HEADERS = ("X-Fc-Request-Id", "X-Scf-Request-Id", "X-Request-Id")
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RETRY_AFTER_SECONDS = "1"
_UNLOGGED = {"healthz", "readyz", "index"}  # asked for every few seconds, and nothing is learnt from it
_BUFFERED_BODIES = 8  # as many bodies of the largest allowed size may be in memory, and many more of the usual size


def thread_count(settings: Settings) -> int:
    """Threads that a server process needs: one a request that works or waits, and some for health checks."""
    return settings.max_concurrency + settings.max_queue + 8


def create_app(tasks: Mapping[str, Task], settings: Settings, readiness: Readiness) -> Flask:
    """Builds the application.

    Args:
        tasks: What is served, by name.
        settings: Limits and time-outs.
        readiness: Tells when the models are loaded; whoever runs the application lets it warm up.
    """
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # they would be answered with a page
    app.url_map.merge_slashes = False  # a path with a slash too many is unknown, like any other; no redirect
    largest_body = settings.max_body_mb * 2**20
    admission = Admission(
        settings.max_concurrency, settings.max_queue, settings.queue_timeout, _BUFFERED_BODIES * largest_body
    )
    page = resources("ppocr_serving.http").joinpath("index.html").read_text(encoding="utf-8")

    @app.before_request
    def begin() -> None:
        g.record = RequestRecord(_request_id())

    @app.post("/predict/<name>")
    def predict(name: str) -> Response:
        record: RequestRecord = g.record
        record.module = name if name in TASK_NAMES else "-"  # what a client made up does not belong into the log
        task = _served(name, tasks)
        _require_json()
        require_size(request.content_length or 0, largest_body)
        with admission.buffer() as buffer:
            body = read_body(request.environ["wsgi.input"], request.environ["gunicorn.socket"], buffer, largest_body)
            pictures = parse_request(body, settings)
            del body
            record.pictures, record.pixels = len(pictures.files), pictures.pixels
            with admission.turn():
                readiness.wait()
                results = task.run(decode_pictures(pictures.files, settings.max_pixels, record.watch), record.watch)
        record.lines = sum(map(len, results))
        with record.watch("encode"):
            return _json(encode_answer(results), HTTPStatus.OK)

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def readyz() -> Response:
        if not readiness.ready:
            raise NotReady("the models are still being loaded; try again later")
        return Response("ready\n", mimetype="text/plain")

    @app.get("/")
    def index() -> Response:
        return Response(page, mimetype="text/html")

    @app.after_request
    def end(response: Response) -> Response:
        record: RequestRecord = g.record
        response.headers["X-Request-Id"] = record.request_id
        if request.endpoint not in _UNLOGGED:
            _log.info(record.line(response.status_code))
        return response

    app.register_error_handler(Exception, _answer_error)
    return app


def _request_id() -> str:
    for header in _ID_HEADERS:
        value = request.headers.get(header, "")
        if _SAFE_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex


def _served(name: str, tasks: Mapping[str, Task]) -> Task:
    if name in tasks:
        return tasks[name]
    reason = "was not started" if name in TASK_NAMES else "is unknown"
    raise ModuleNotServed(f"module {name[:40]!r} {reason}; this server has {', '.join(tasks)}")


def _require_json() -> None:
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(
            f"the content type is {request.mimetype[:80]!r}; send the header Content-Type: application/json"
        )


def _answer_error(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _answer_http_exception(error)
    how = to_http(error)
    record: RequestRecord = g.record
    record.error = error.code if isinstance(error, OcrError) else type(error).__name__
    if how.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("id=%s failed", record.request_id, exc_info=error)
        message = f"the server failed; its log has the reason under the id {record.request_id}"
    else:
        message = str(error)
    response = _json(encode_error(message, how.status), how.http_status)
    if how.http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    """Routing errors and malformed HTTP: Werkzeug knows the status and the headers, the contract the body."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    allowed = ", ".join(sorted(set(getattr(error, "valid_methods", None) or ()) - {"HEAD", "OPTIONS"}))
    messages = {
        HTTPStatus.NOT_FOUND: f"the path {request.path[:80]!r} is unknown; post pictures to /predict/ocr_system",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed at {request.path[:80]!r}; use {allowed}",
    }
    message = messages.get(HTTPStatus(status), f"{error.name}: {error.description}")
    response = _json(encode_error(message, "101"), status)
    response.headers.extend(
        (name, value) for name, value in error.get_headers(request.environ) if name.lower() == "allow"
    )
    return response


def _json(body: bytes, status: int) -> Response:
    return Response(body, status=status, mimetype="application/json")
