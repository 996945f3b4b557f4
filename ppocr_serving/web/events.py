"""Events of serverless platforms: the body of a prediction, or a request that an API gateway has wrapped in JSON."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.web.doors import PREDICT_PREFIX, door_at
from ppocr_serving.web.gateway import event_path, parse_event
from ppocr_serving.web.responses import Response, error_response, json_response
from ppocr_serving.workers.messages import Head

if TYPE_CHECKING:
    from ppocr_serving.web.call import Call  # imports NumPy, which the server's process does without

__all__ = ["answer_event", "invocation_response", "refuse_event"]

_USUAL_PATH = f"{PREDICT_PREFIX}ocr_system"


def answer_event(call: "Call", respond: "Callable[[Call], Response]") -> Response:
    """Answer an event.

    A bad request through the gateway is a successful invocation: its client sees the status, and the platform does not
    retry.

    Args:
        call: What the platform sent.
        respond: Answers a request; errors included.
    """
    try:
        event = parse_event(call.body)
    except InvalidRequest as error:
        return invocation_response(_in_gateway_form(error_response(error, call.request_id)))
    if event is None:
        return invocation_response(respond(call._replace(head=Head(_USUAL_PATH))))
    path, _, query = event.path.partition("?")
    return invocation_response(_in_gateway_form(respond(call._replace(head=Head(path, query), body=event.body))))


def refuse_event(payload: memoryview, error: BaseException, request_id: str) -> Response:
    """Answer an event that no worker has answered, in the form that it asks for.

    Args:
        payload: What the platform sent.
        error: Why there is no answer.
        request_id: The request's id.
    """
    path = event_path(payload)
    if path is None:
        return invocation_response(error_response(error, request_id))
    door = door_at(path.partition("?")[0])
    refuse = error_response if door is None else door.refuse
    return invocation_response(_in_gateway_form(refuse(error, request_id)))


def invocation_response(response: Response) -> Response:
    """Return a response in the form in which platforms expect the outcome of an invocation: 200 or 404."""
    status = HTTPStatus.OK if response.status == HTTPStatus.OK else HTTPStatus.NOT_FOUND
    return Response(status, (*response.headers, ("x-fc-status", str(status.value))), response.body)


def _in_gateway_form(response: Response) -> Response:
    answer = {
        "isBase64Encoded": False,
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": response.body.decode(),
    }
    return json_response(msgspec.json.encode(answer))
