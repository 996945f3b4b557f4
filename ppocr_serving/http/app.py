"""The Flask application: routes, limits, errors and the log around the four tasks."""

import logging
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files as resources

from flask import Flask, Response, g, request

from ppocr_serving.errors import NotReady, UnsupportedMediaType
from ppocr_serving.http.body import received_body
from ppocr_serving.http.log import RequestRecord
from ppocr_serving.http.platforms import add_platform_routes
from ppocr_serving.http.prediction import Prediction
from ppocr_serving.http.readiness import Readiness
from ppocr_serving.http.responses import answer_error, json_response
from ppocr_serving.settings import Settings
from ppocr_serving.tasks import Task

__all__ = ["create_app", "thread_count"]

_log = logging.getLogger(__name__)

# The platforms' own ids come first, so that their logs and ours can be matched.
_ID_HEADERS = ("X-Fc-Request-Id", "X-Scf-Request-Id", "X-Request-Id")
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNLOGGED = {"healthz", "readyz", "index"}  # asked for every few seconds, and nothing is learnt from it


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
    prediction = Prediction(tasks, settings, readiness)
    page = resources("ppocr_serving.http").joinpath("index.html").read_text(encoding="utf-8")

    @app.before_request
    def begin() -> None:
        g.record = RequestRecord(_request_id())

    @app.post("/predict/<name>")
    def predict(name: str) -> Response:
        record: RequestRecord = g.record
        task = prediction.task(name, record)
        _require_json()
        with received_body(prediction) as body:
            return json_response(prediction.answer(task, body, record), HTTPStatus.OK)

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

    add_platform_routes(app, prediction, readiness)  # before what follows, which then runs within the platforms' marks

    @app.after_request
    def end(response: Response) -> Response:
        record: RequestRecord = g.record
        response.headers["X-Request-Id"] = record.request_id
        if request.endpoint not in _UNLOGGED:
            _log.info(record.line(response.status_code))
        return response

    app.register_error_handler(Exception, answer_error)
    return app


def _request_id() -> str:
    for header in _ID_HEADERS:
        value = request.headers.get(header, "")
        if _SAFE_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex


def _require_json() -> None:
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(
            f"the content type is {request.mimetype[:80]!r}; send the header Content-Type: application/json"
        )
