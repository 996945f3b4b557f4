"""Events of serverless platforms: the body of a prediction, or a request that an API gateway has wrapped in JSON."""

from collections.abc import Callable
from http import HTTPStatus

import msgspec

from ppocr_serving.errors import InvalidRequest, PathNotServed
from ppocr_serving.web.gateway import GatewayEvent, is_event, parse_event
from ppocr_serving.web.responses import Response, error_response, json_response

__all__ = ["answer_event", "invocation_response", "refuse_event"]

_PREFIX = "/predict/"

Predict = Callable[[str, bytes | memoryview], Response]


def answer_event(payload: memoryview, predict: Predict, request_id: str) -> Response:
    """Answer an event.

    A bad request through the gateway is a successful invocation: its client sees the status, and the platform does not
    retry.

    Args:
        payload: What the platform sent.
        predict: Answers the body of a prediction, given the name of a module and the body; errors included.
        request_id: The request's id.
    """
    try:
        event = parse_event(payload)
    except InvalidRequest as error:
        return invocation_response(_in_gateway_form(error_response(error, request_id)))
    if event is None:
        return invocation_response(predict("ocr_system", payload))
    return invocation_response(_in_gateway_form(_answer_request(event, predict, request_id)))


def refuse_event(payload: memoryview, error: BaseException, request_id: str) -> Response:
    """Answer an event that no worker has answered, in the form that it asks for.

    Args:
        payload: What the platform sent.
        error: Why there is no answer.
        request_id: The request's id.
    """
    response = error_response(error, request_id)
    return invocation_response(_in_gateway_form(response) if is_event(payload) else response)


def invocation_response(response: Response) -> Response:
    """Return a response in the form in which platforms expect the outcome of an invocation: 200 or 404."""
    status = HTTPStatus.OK if response.status == HTTPStatus.OK else HTTPStatus.NOT_FOUND
    return Response(status, (*response.headers, ("x-fc-status", str(status.value))), response.body)


def _answer_request(event: GatewayEvent, predict: Predict, request_id: str) -> Response:
    path = event.path.partition("?")[0]
    if not path.startswith(_PREFIX):
        unknown = PathNotServed(f"the path {path[:80]!r} is unknown; post pictures to /predict/ocr_system")
        return error_response(unknown, request_id)
    return predict(path.removeprefix(_PREFIX), event.body)


def _in_gateway_form(response: Response) -> Response:
    answer = {
        "isBase64Encoded": False,
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": response.body.decode(),
    }
    return json_response(msgspec.json.encode(answer))
