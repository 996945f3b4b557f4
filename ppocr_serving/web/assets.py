"""What stays the same as long as the server runs: clients keep it, and ask whether it is still the same."""

import base64
import hashlib
import re
import zlib
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus

from ppocr_serving.web.responses import Response

__all__ = ["Asset"]

_GZIP = 16 + zlib.MAX_WBITS
_CODINGS = frozenset({"gzip", "x-gzip"})
_REFUSED = re.compile(r"q\s*=\s*0(?:\.0*)?")


class Asset:
    """A body that clients may keep.

    Args:
        media_type: Its media type.
        body: The body.
        headers: Further headers of its answers.
        vary: Names of the request's headers on which it depends.
        is_text: Whether it is sent compressed to clients that accept that.
    """

    def __init__(
        self,
        media_type: str,
        body: bytes,
        headers: tuple[tuple[str, str], ...] = (),
        vary: tuple[str, ...] = (),
        *,
        is_text: bool = False,
    ) -> None:
        self._body = body
        self._is_text = is_text
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:15]).decode()
        self._tag = f'W/"{digest}"'  # weak: compressed or not, it is the same
        if is_text:
            vary = ("Accept-Encoding", *vary)
        varies = (("Vary", ", ".join(vary)),) if vary else ()
        self._kept = (("ETag", self._tag), ("Cache-Control", "no-cache"), *varies, *headers)
        self._headers = (("Content-Type", media_type), *self._kept)

    def response(self, headers: Mapping[str, str]) -> Response:
        """Return it; or only that it is what the client has.

        Args:
            headers: The request's headers, by lower-case name.
        """
        known = headers.get("if-none-match", "")
        if known.strip() == "*" or self._tag.removeprefix("W/") in known:
            return Response(HTTPStatus.NOT_MODIFIED, self._kept, b"")
        if self._is_text and _takes_gzip(headers.get("accept-encoding", "")):
            return Response(HTTPStatus.OK, (*self._headers, ("Content-Encoding", "gzip")), self._compressed)
        return Response(HTTPStatus.OK, self._headers, self._body)

    @cached_property
    def _compressed(self) -> bytes:
        return zlib.compress(self._body, wbits=_GZIP)


def _takes_gzip(accepted: str) -> bool:
    """Return whether it is named without a weight of 0. Clients write the text, so that its length may cost no more."""
    for coding in accepted.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in _CODINGS and not _REFUSED.fullmatch(weight.strip()):
            return True
    return False
