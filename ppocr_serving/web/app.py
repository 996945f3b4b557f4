"""The Flask application: routes, limits, errors and the log around the four modules."""

import logging
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files as resources

from flask import Flask, Response, g, request

from ppocr_serving.errors import NotReady, UnsupportedMediaType
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.readiness import Readiness
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.body import received_body
from ppocr_serving.web.log import RequestRecord
from ppocr_serving.web.platforms import add_platform_routes
from ppocr_serving.web.prediction import Prediction
from ppocr_serving.web.responses import answer_error, json_response

__all__ = ["create_app"]

_log = logging.getLogger(__name__)

# The platforms' own ids come first, so that their logs and ours can be matched.
_ID_HEADERS = ("X-Fc-Request-Id", "X-Scf-Request-Id", "X-Request-Id")
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNLOGGED = {"healthz", "readyz", "index"}  # requested every few seconds, and not informative


def create_app(readers: Mapping[str, Reader], settings: ServerSettings, readiness: Readiness) -> Flask:
    """Build the application.

    Args:
        readers: Reader of each served module.
        settings: Limits and timeouts.
        readiness: Reports whether the models are loaded; the caller must warm it up.
    """
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # the answers would be HTML
    app.url_map.merge_slashes = False  # a path with an extra slash is unknown, not redirected
    prediction = Prediction(readers, settings, readiness)
    page = resources("ppocr_serving.web").joinpath("page", "index.html").read_text(encoding="utf-8")

    @app.before_request
    def begin() -> None:
        g.record = RequestRecord(_request_id())

    @app.post("/predict/<name>")
    def predict(name: str) -> Response:
        record: RequestRecord = g.record
        prediction.require(name, record)
        _require_json()
        deadline = prediction.deadline(request.headers.get("X-Request-Timeout"), record)
        with received_body(prediction) as body:
            return json_response(prediction.answer(name, body, record, deadline), HTTPStatus.OK)

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

    add_platform_routes(app, prediction, readiness)  # before `end`, which then runs within the platforms' marks

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
    if not request.is_json:  # application/json, or application/<anything>+json
        raise UnsupportedMediaType(
            f"the content type is {request.mimetype[:80]!r}; send the header Content-Type: application/json"
        )
