"""Routes that serverless platforms call in addition to the contract.

Aliyun Function Compute calls `/initialize`, `/pre-stop` and `/pre-freeze` during an instance's life and sends events to
`/invoke`; Tencent SCF sends events to `/event-invoke`. An event is either the body of a prediction or a request that an
API gateway has wrapped in JSON.
"""

import sys
from http import HTTPStatus

import msgspec
from flask import Flask, Response, g, request

from ppocr_serving.errors import InvalidRequest, PathNotServed
from ppocr_serving.reading.readiness import Readiness
from ppocr_serving.web.body import received_body
from ppocr_serving.web.gateway import GatewayEvent, parse_event
from ppocr_serving.web.hubserving import encode_answer
from ppocr_serving.web.log import RequestRecord
from ppocr_serving.web.prediction import Prediction
from ppocr_serving.web.responses import answer_error, json_response

__all__ = ["add_platform_routes"]

_PREFIX = "/predict/"


def add_platform_routes(app: Flask, prediction: Prediction, readiness: Readiness) -> None:
    """Add the platforms' routes to an application.

    Args:
        app: The application.
        prediction: Answers events.
        readiness: Reports when an instance is initialised.
    """

    @app.before_request
    def announce_start() -> None:
        _print_invocation("Start")

    @app.after_request
    def announce_end(response: Response) -> Response:
        _print_invocation("End")
        return response

    @app.post("/initialize")
    def initialize() -> Response:
        readiness.wait()
        return _ok()

    @app.get("/pre-stop")
    @app.get("/pre-freeze")
    def lifecycle() -> Response:
        return _ok()

    @app.post("/invoke")
    @app.post("/event-invoke")
    def invoke() -> Response:
        with received_body(prediction) as payload:
            # A bad request through the gateway is a successful invocation: its client sees the status, and the
            # platform does not retry.
            succeeded = True
            try:
                event = parse_event(payload)
            except InvalidRequest as error:
                response = _in_gateway_form(answer_error(error))
            else:
                if event is None:
                    response = _predict("ocr_system", payload, prediction)
                    succeeded = response.status_code == HTTPStatus.OK
                else:
                    payload.clear()  # its memory is needed for the request
                    response = _in_gateway_form(_answer_event(event, prediction))
        response.status_code = HTTPStatus.OK if succeeded else HTTPStatus.NOT_FOUND
        response.headers["x-fc-status"] = str(response.status_code)
        return response


def _print_invocation(moment: str) -> None:
    # Function Compute uses these two lines to find those of an invocation in the log.
    record: RequestRecord = g.record
    if record.request_id == request.headers.get("X-Fc-Request-Id"):
        sys.stdout.write(f"FC Invoke {moment} RequestId: {record.request_id}\n")
        sys.stdout.flush()


def _answer_event(event: GatewayEvent, prediction: Prediction) -> Response:
    path = event.path.partition("?")[0]
    if not path.startswith(_PREFIX):
        unknown = PathNotServed(f"the path {path[:80]!r} is unknown; post pictures to /predict/ocr_system")
        return answer_error(unknown)
    return _predict(path.removeprefix(_PREFIX), event.body, prediction)


def _predict(name: str, body: bytes | bytearray, prediction: Prediction) -> Response:
    record: RequestRecord = g.record
    try:
        prediction.require(name, record)
        deadline = prediction.deadline(request.headers.get("X-Request-Timeout"), record)
        return json_response(prediction.answer(name, body, record, deadline), HTTPStatus.OK)
    except Exception as error:  # any failure becomes an answer here, to be wrapped in the platform's form
        return answer_error(error)


def _in_gateway_form(response: Response) -> Response:
    headers = {name: value for name, value in response.headers.items() if name in ("Content-Type", "Retry-After")}
    answer = {
        "isBase64Encoded": False,
        "statusCode": response.status_code,
        "headers": headers,
        "body": response.get_data(as_text=True),
    }
    return json_response(msgspec.json.encode(answer), HTTPStatus.OK)


def _ok() -> Response:
    response = json_response(encode_answer(""), HTTPStatus.OK)
    response.headers["x-fc-status"] = str(response.status_code)
    return response
