"""A client of the ASGI application, in process."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ppocr_serving.web.app import Application

__all__ = ["Answer", "ask"]


class Answer(NamedTuple):
    """A response as the application sent it.

    Attributes:
        status: HTTP status.
        headers: Values by name.
        body: The body.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


async def ask(
    application: Application,
    method: str,
    path: str,
    parts: Iterable[bytes] = (b"",),
    headers: Mapping[str, str] | None = None,
    *,
    ends: bool = True,
    leaves: "asyncio.Future[None] | None" = None,
) -> Answer | None:
    """Send a request.

    Args:
        application: Who answers.
        method: HTTP method.
        path: Path, with the query if there is one.
        parts: The body, in pieces.
        headers: Values by name.
        ends: Whether the body ends with the last of them.
        leaves: The client leaves when this is done.

    Returns:
        The response; None if there was none.
    """
    pieces = list(parts)
    messages = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) or not ends}
        for number, piece in enumerate(pieces, 1)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await (asyncio.Event().wait() if leaves is None else asyncio.shield(leaves))
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    plain, _, query = path.partition("?")
    scope = {
        "method": method,
        "path": plain,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    await application(scope, receive, send)
    if not sent:
        return None
    start, *bodies = sent
    assert start["type"] == "http.response.start"
    assert {message["type"] for message in bodies} == {"http.response.body"}
    received = {name.decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(message["body"] for message in bodies)
    assert received.get("Content-Length", str(len(body))) == str(len(body))  # one in parts has none
    return Answer(start["status"], received, body)
