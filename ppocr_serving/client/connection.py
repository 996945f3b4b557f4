"""How a server is reached: its address, the key, the times, and what is tried again."""

import os
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from ppocr_serving import __version__
from ppocr_serving.client.answers import error_of_answer
from ppocr_serving.client.errors import ConnectionFailed
from ppocr_serving.errors import InvalidRequest, OcrError

__all__ = ["KEY_VARIABLE", "RETRY_SECONDS", "TIMEOUT", "Again", "Connection"]

KEY_VARIABLE: Final = "PPOCR_API_KEY"
TIMEOUT: Final = 660.0
"""Seconds: a little more than a server takes for a document unless it is set otherwise."""

RETRY_SECONDS: Final = 120.0

_ATTEMPTS: Final = 20
_CONNECT_SECONDS: Final = 10.0
_BUSY: Final = frozenset({429, 503})
_KEY: Final = re.compile(r"[!-~]{1,512}")
_URL: Final = re.compile(r"https?://[^/\s]+", re.IGNORECASE)


class Again(Exception):
    """A failure after which another attempt may succeed; never leaves this package.

    Args:
        error: What the caller is told in the end.
        seconds: After how long; None if the server does not say.
    """

    def __init__(self, error: OcrError, seconds: float | None = None) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        self.seconds = seconds


class Connection:
    """What a client needs to know of a server.

    Args:
        url: Its address, with the path under which a proxy shows it, if there is one.
        api_key: The key; None takes it from `PPOCR_API_KEY`, if that is set.
        timeout: Seconds without a byte from the server after which a call ends.
        retry_seconds: How long a call that is refused, or that finds no server, is tried again; 0 means never.

    Raises:
        InvalidRequest: The address or the key cannot be one.
    """

    def __init__(self, url: str, api_key: str | None, timeout: float, retry_seconds: float) -> None:
        if not _URL.match(url):
            raise InvalidRequest(f"{_shown(url)} is not the address of a server; give it as http://127.0.0.1:9000")
        self._retry_seconds = retry_seconds
        self._timeout = timeout
        headers = {"User-Agent": f"ppocr-serving/{__version__}"}
        key = os.environ.get(KEY_VARIABLE) if api_key is None else api_key
        if key:
            if not _KEY.fullmatch(key):  # no message shows it
                raise InvalidRequest(
                    f"the API key has a character that no key has; give the right one, or set {KEY_VARIABLE}"
                )
            headers["Authorization"] = f"Bearer {key}"
        try:
            self.base_url = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            # What it says of an address with a password may be a part of that.
            reason = "check its port, and escape / # ? @ in the password" if "@" in url else str(error)
            raise InvalidRequest(f"{_shown(url)} is not the address of a server ({reason})") from error
        self.settings: Mapping[str, Any] = {
            "base_url": self.base_url,
            "headers": headers,
            "timeout": httpx2.Timeout(timeout, connect=_CONNECT_SECONDS),
            # How many calls run at a time is up to the caller.
            "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        }
        self.retries: Mapping[str, Any] = {
            "attempts": _ATTEMPTS if retry_seconds > 0 else 1,
            "timeout": retry_seconds or None,
            "wait_initial": 0.2,
            "wait_max": 10.0,
        }

    @property
    def name(self) -> str:
        """The server in messages: its address without user and password."""
        return f"{self.base_url.scheme}://{self.base_url.netloc.decode()}"

    def wait_of(self, error: Exception) -> bool | float:
        """Return the seconds after which a call is tried again, or whether it is, after a time that grows."""
        if not isinstance(error, Again):
            return False
        if error.seconds is None:
            return True
        return error.seconds if error.seconds <= self._retry_seconds else False

    def failure(self, error: httpx2.HTTPError) -> Exception:
        """Return what to raise for a call that got no answer."""
        if isinstance(error, httpx2.ReadTimeout | httpx2.WriteTimeout):
            # It may be computing still: another attempt would only add to its work.
            return ConnectionFailed(f"{self.name} sent nothing for {self._timeout:g} seconds; try a longer timeout")
        reason = str(error).strip() or type(error).__name__
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return Again(ConnectionFailed(f"{self.name} cannot be reached ({reason}); is the server running?"))
        return Again(ConnectionFailed(f"the connection to {self.name} broke off ({reason}); try again"))

    def break_off(self, error: httpx2.HTTPError) -> Exception:
        """Return what to raise for an answer that breaks off after some of it has been used."""
        failure = self.failure(error)
        return failure.error if isinstance(failure, Again) else failure

    def refusal(self, response: httpx2.Response, body: bytes) -> Exception:
        """Return what to raise for an answer that is an error."""
        seconds = _seconds(response.headers.get("Retry-After", ""))
        error = error_of_answer(response.status_code, body, self.name, seconds)
        return Again(error, seconds) if response.status_code in _BUSY else error


def _shown(url: str) -> str:
    """Return an address for a message: its beginning, without user and password."""
    return repr(url.rpartition("@")[2][:80])


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
