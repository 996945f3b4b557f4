"""Cross-origin resource sharing: which web pages' scripts may use the server."""

import re
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus

from ppocr_serving.errors import InvalidSetting
from ppocr_serving.web.responses import Response

__all__ = ["Cors"]

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_ANY = "*"
_REQUEST_HEADERS = "Accept, Authorization, Content-Type, X-API-Key, X-Request-Id, X-Request-Timeout"
_EXPOSED_HEADERS = "Content-Disposition, Retry-After, Server-Timing, X-OCR-Origin, X-Request-Id"
_MAX_AGE = "7200"  # seconds; no browser keeps the answer of a preflight for longer


class Cors:
    """Tell browsers whose scripts may read the answers.

    Args:
        origins: Such as `https://example.com`, or `*` alone for all.

    Raises:
        InvalidSetting: One of them is not an origin.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._allows_all = _ANY in origins
        if self._allows_all and len(origins) > 1:
            raise InvalidSetting("PPOCR_CORS_ORIGINS has '*' beside other origins; name only '*', or only the origins")
        self._origins = frozenset(origin.lower() for origin in origins)
        for origin in self._origins - {_ANY}:
            if not _ORIGIN.fullmatch(origin):
                raise InvalidSetting(
                    f"PPOCR_CORS_ORIGINS has {origin[:80]!r}; an origin is a scheme, a host and possibly a port, "
                    "such as https://example.com or http://localhost:8080, without a path"
                )

    def headers(self, request_headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the headers of an answer, errors included.

        Args:
            request_headers: The request's headers, by lower-case name.
        """
        exposed = ("Access-Control-Expose-Headers", _EXPOSED_HEADERS)
        if self._allows_all:
            return ("Access-Control-Allow-Origin", _ANY), exposed
        vary = ("Vary", "Origin")
        origin = request_headers.get("origin", "")
        if origin.lower() not in self._origins:
            return (vary,)
        return (
            vary,
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),  # cookies of a proxy that asks users to log in
            exposed,
        )

    def preflight(self, method: str, request_headers: Mapping[str, str], methods: Collection[str]) -> Response | None:
        """Answer a browser that asks what a script may send.

        Args:
            method: The request's method.
            request_headers: Its headers, by lower-case name.
            methods: Those that its path allows.

        Returns:
            An answer without the headers of every answer; None if the request is something else.
        """
        asked = {"origin", "access-control-request-method"} <= request_headers.keys()
        if method != "OPTIONS" or method in methods or not asked:
            return None
        allowed = (
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", _REQUEST_HEADERS),
            ("Access-Control-Max-Age", _MAX_AGE),
        )
        return Response(HTTPStatus.OK, allowed, b"")
