"""What stands before every path: keys and their limits, origins, and the prefix of a proxy."""

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from ppocr_serving.access import AccessSettings
from ppocr_serving.errors import KeyRequired, QuotaExceeded
from ppocr_serving.web.cors import Cors
from ppocr_serving.web.keys import Keyring
from ppocr_serving.web.prefix import Prefix
from ppocr_serving.web.quotas import Quotas
from ppocr_serving.web.responses import Response

if TYPE_CHECKING:  # whoever only checks the settings does without asyncio
    from ppocr_serving.web.record import RequestRecord
    from ppocr_serving.web.requests import Request

__all__ = ["Gate", "headers_of_error"]

_NO_SNIFFING = (("X-Content-Type-Options", "nosniff"),)


class Gate:
    """Let requests in, or not.

    Args:
        settings: What is required of them.

    Attributes:
        prefix: Of all paths.

    Raises:
        InvalidSetting: One of the settings has a value that is not allowed.
    """

    def __init__(self, settings: AccessSettings) -> None:
        self.prefix = Prefix(settings.path_prefix)
        self._cors = Cors(settings.cors_origins) if settings.cors_origins else None
        needs_key = settings.api_keys or settings.api_keys_file is not None
        self._keyring = Keyring(settings) if needs_key else None
        self._known = self._keyring.keys if self._keyring else ()
        self._quotas = Quotas()

    def preflight(self, request: "Request", methods: Collection[str]) -> Response | None:
        """Answer a browser that asks what a script may send; None if a request is something else.

        Args:
            request: The request.
            methods: Those that its path allows.
        """
        return None if self._cors is None else self._cors.preflight(request.method, request.headers, methods)

    def admit(self, request: "Request", record: "RequestRecord", *, is_metered: bool = True) -> None:
        """Let a request in that needs a key if keys are set; its body need not have arrived.

        Args:
            request: The request.
            record: Receives the name of its key.
            is_metered: Whether it counts for the key's limits, and is subject to them.

        Raises:
            KeyRequired: It has none, or one that is unknown.
            QuotaExceeded: Its key has been used too much.
        """
        if self._keyring is None:
            return
        key = self._keyring.find(request.headers)
        record.key = key.name
        if self._keyring.keys is not self._known:
            self._known = self._keyring.keys
            self._quotas.keep_only({known.name for known in self._known})
        if is_metered:
            self._quotas.admit(key, time.monotonic())

    def charge(self, key: str, pixels: int) -> None:
        """Charge what has been read to a key.

        Args:
            key: Its name; empty if there is none.
            pixels: How many.
        """
        self._quotas.charge(key, pixels)

    def headers(self, request: "Request") -> tuple[tuple[str, str], ...]:
        """Return the headers of every answer, errors included."""
        return _NO_SNIFFING if self._cors is None else (*_NO_SNIFFING, *self._cors.headers(request.headers))


def headers_of_error(error: BaseException) -> tuple[tuple[str, str], ...]:
    """Return the headers that HTTP requires of an error's answer, whatever the form of its body."""
    if isinstance(error, KeyRequired):
        return (("WWW-Authenticate", "Bearer"),)
    if isinstance(error, QuotaExceeded):
        return (("Retry-After", str(error.retry_after)),)
    return ()
