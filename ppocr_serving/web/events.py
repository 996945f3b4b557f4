"""Events of serverless platforms: the body of a prediction, or a request that an API gateway has wrapped in JSON."""

import base64
import re
from collections.abc import Callable, Collection
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.web.doors import PREDICT_PREFIX, refuse_at
from ppocr_serving.web.gateway import event_path, parse_event
from ppocr_serving.web.prefix import Prefix
from ppocr_serving.web.responses import Response, error_response, json_response
from ppocr_serving.web.site import Site
from ppocr_serving.workers.messages import Head

if TYPE_CHECKING:
    from ppocr_serving.web.call import Call  # imports NumPy, which the server's process does without

__all__ = ["answer_event", "invocation_response", "refuse_event"]

_BINARY = re.compile(r"image/|application/(?:pdf|octet-stream)\b")
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
    site = _site(call.settings.path_prefix)
    if event.method in ("GET", "HEAD") and path in site.paths:
        return invocation_response(_in_gateway_form(site.response(path, {})))
    head = Head(path, query or event.query, event.content_type, event.accept)
    return invocation_response(_in_gateway_form(respond(call._replace(head=head, body=event.body))))


def refuse_event(payload: memoryview, error: BaseException, request_id: str, adapters: Collection[str]) -> Response:
    """Answer an event that no worker has answered, in the form that it asks for.

    Args:
        payload: What the platform sent.
        error: Why there is no answer.
        request_id: The request's id.
        adapters: Those that are switched on.
    """
    path = event_path(payload)
    if path is None:
        return invocation_response(error_response(error, request_id))
    refuse = refuse_at(path.partition("?")[0], adapters)
    return invocation_response(_in_gateway_form(refuse(error, request_id)))


@cache
def _site(path_prefix: str) -> Site:
    return Site(Prefix(path_prefix))


def invocation_response(response: Response) -> Response:
    """Return a response in the form in which platforms expect the outcome of an invocation: 200 or 404."""
    status = HTTPStatus.OK if response.status == HTTPStatus.OK else HTTPStatus.NOT_FOUND
    return Response(status, (*response.headers, ("x-fc-status", str(status.value))), response.body)


def _in_gateway_form(response: Response) -> Response:
    headers = dict(response.headers)
    is_binary = _BINARY.match(headers.get("Content-Type", "")) is not None
    answer = {
        "isBase64Encoded": is_binary,
        "statusCode": response.status,
        "headers": headers,
        "body": base64.b64encode(response.body).decode() if is_binary else response.body.decode(),
    }
    return json_response(msgspec.json.encode(answer))
