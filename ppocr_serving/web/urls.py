"""Files from URLs in requests, fetched without letting a request reach what only this machine can reach.

An address is checked where it is connected to: the name of a host is looked up once, and what it says later does not
matter. Redirects are checked like the first URL.
"""

import contextlib
import http.client
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, Self
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.addresses import IpAddress, IpNetwork, allowed_networks, is_public

__all__ = ["Fetcher", "UrlLimits", "fetch"]

_PORTS: Final = {"http": 80, "https": 443}
_SECONDS: Final = 10.0
_MAX_URL_CHARACTERS: Final = 4096
_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MAX_ADDRESSES: Final = 3  # of one host that are tried
_CHUNK: Final = 2**16
_SAFE: Final = "%:/?#[]@!$&'()*+,;=-._~"
_REFUSED: Final = "its host has no public address; the operator can allow others with PPOCR_URL_ALLOWED_NETWORKS"


class UrlLimits(NamedTuple):
    """What may be fetched.

    Attributes:
        is_allowed: Whether anything may.
        max_bytes: Most bytes of all files of a request together.
        networks: Networks that are not public and may be connected to, at any port.
        seconds: How long all files of a request together may take.
    """

    is_allowed: bool
    max_bytes: int
    networks: tuple[IpNetwork, ...] = ()
    seconds: float = _SECONDS

    @classmethod
    def of(cls, settings: ServerSettings) -> Self:
        """Return what the settings allow.

        Raises:
            InvalidSetting: A network is not one.
        """
        networks = allowed_networks(settings.url_allowed_networks)
        return cls(settings.url_input, settings.max_body_mb * 2**20, networks)


class _Place(NamedTuple):
    """Where a URL points.

    Attributes:
        scheme: `http` or `https`.
        host: Name or address, without brackets.
        port: Port.
        path: Path with the query, as it is sent.
    """

    scheme: str
    host: str
    port: int
    path: str


class Fetcher:
    """Fetch the files of a request one after the other, within the limits all together.

    Args:
        limits: What may be fetched; the time begins now.
    """

    def __init__(self, limits: UrlLimits) -> None:
        self._limits = limits
        self._room = limits.max_bytes
        self._end = time.monotonic() + limits.seconds

    def fetch(self, url: str) -> bytes:
        """Return the bytes of a file, which may be anything; raises as the function `fetch`."""
        if not self._limits.is_allowed:
            raise InvalidRequest(
                "URLs are not fetched; send the file itself, or have the operator set PPOCR_URL_INPUT=true"
            )
        with _naming(url):
            data = _fetch(url, self._limits._replace(max_bytes=self._room), self._end)
        self._room -= len(data)
        return data


def fetch(url: str, limits: UrlLimits) -> bytes:
    """Fetch a file.

    Args:
        url: Where it is.
        limits: What may be fetched.

    Returns:
        The bytes of the file, which may be anything.

    Raises:
        InvalidRequest: URLs are not allowed, this one is not, or there is no file.
        LimitExceeded: The file is too large.
    """
    return Fetcher(limits).fetch(url)


@contextmanager
def _naming(url: str) -> Iterator[None]:
    """Turn what goes wrong with a URL into errors that name it, without what may be a secret."""
    shown = repr(re.sub("//[^/?]*@", "//", url).partition("?")[0][:80])
    try:
        yield
    except (InvalidRequest, LimitExceeded) as error:
        raise type(error)(f"url {shown}: {error}") from error
    except ssl.SSLError as error:
        raise InvalidRequest(f"url {shown}: its certificate or its TLS is not accepted ({error.reason})") from error
    except TimeoutError as error:
        raise InvalidRequest(f"url {shown}: takes too long; send the file itself") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = type(error).__name__
        raise InvalidRequest(f"url {shown}: cannot be fetched ({reason}); send the file itself") from error


def _fetch(url: str, limits: UrlLimits, end: float) -> bytes:
    for _ in range(_MAX_REDIRECTS + 1):
        place = _parse(url)
        with _Connection(place, _addresses(place, limits, end), end) as connection:
            response = connection.get()
            if response.status not in _REDIRECTS:
                return connection.contents(response, limits.max_bytes)
            url = urljoin(url, response.getheader("Location", ""))
    raise InvalidRequest(f"has more than {_MAX_REDIRECTS} redirects; give the address of the file itself")


def _parse(url: str) -> _Place:
    if len(url) > _MAX_URL_CHARACTERS:
        raise InvalidRequest(f"has {len(url)} characters; the limit is {_MAX_URL_CHARACTERS}")
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in url):
        raise InvalidRequest("has white space or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _host(parts)
    except ValueError as error:  # UnicodeError included
        raise InvalidRequest("is not a valid URL") from error
    if parts.scheme not in _PORTS:
        raise InvalidRequest(f"its scheme is {parts.scheme[:20]!r}; allowed: http, https")
    if "@" in parts.netloc:
        raise InvalidRequest("has a user name or password; such URLs are not fetched")
    if not host:
        raise InvalidRequest("names no host")
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return _Place(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path)


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        return str(ipaddress.IPv6Address(host.partition("%")[0] if "%25" in host else host))
    return host.encode("idna").decode("ascii")


def _addresses(place: _Place, limits: UrlLimits, end: float) -> list[IpAddress]:
    """Return the addresses of a host that may be connected to, at least one."""
    found = _look_up(place.host, end)
    own = [address for address in found if any(address in network for network in limits.networks)]
    if place.port != _PORTS[place.scheme] and not own:
        raise InvalidRequest(f"its port is {place.port}; allowed: {_PORTS[place.scheme]}")
    usable = own or [address for address in found if is_public(address)]
    if not usable:
        raise InvalidRequest(_REFUSED)
    return usable[:_MAX_ADDRESSES]


def _look_up(host: str, end: float) -> list[IpAddress]:
    """Return the addresses of a host, none if there is none; the system's own look-up has no time limit."""
    answer: queue.SimpleQueue[list[IpAddress]] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answer.put([ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries])
        except (OSError, ValueError):
            answer.put([])

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        return answer.get(timeout=max(0.0, end - time.monotonic()))
    except queue.Empty:
        raise TimeoutError from None


class _Connection(http.client.HTTPConnection):
    """A connection to one of some addresses, which ends at a time whatever the other side does.

    Args:
        place: What to get.
        addresses: Addresses of its host.
        end: When the connection ends, in seconds of `time.monotonic`.
    """

    def __init__(self, place: _Place, addresses: Sequence[IpAddress], end: float) -> None:
        # The port's default, which `Host` leaves out, is that of the scheme.
        self.default_port = _PORTS[place.scheme]
        super().__init__(f"[{place.host}]" if ":" in place.host else place.host, place.port)
        self._place = place
        self._addresses = addresses
        self._end = end
        self._is_over = False
        self._watchdog: threading.Timer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self.close()

    def connect(self) -> None:
        """Connect to the first address that answers."""
        plain = self._first_socket()
        if self._place.scheme == "http":
            self.sock = plain
            self._watch(plain)
            return
        context = ssl.create_default_context()
        # The time limit is set before the other side can take part in the handshake.
        secure = context.wrap_socket(plain, server_hostname=self._place.host, do_handshake_on_connect=False)
        self.sock = secure
        self._watch(secure)
        secure.do_handshake()

    def get(self) -> http.client.HTTPResponse:
        """Return the response, whose body has not been read."""
        with self._in_time():
            self.request("GET", self._place.path, headers={"User-Agent": "ppocr-serving", "Connection": "close"})
            return self.getresponse()

    def contents(self, response: http.client.HTTPResponse, max_bytes: int) -> bytes:
        """Return the body of a response that must be a file of a limited size."""
        if response.status != http.client.OK:
            raise InvalidRequest(f"answers with status {response.status}; give the address of a file")
        encoding = response.getheader("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise InvalidRequest("answers with a compressed body, which was not asked for; send the file itself")
        body = bytearray()
        with self._in_time():
            declared = response.length or 0
            while declared <= max_bytes and len(body) <= max_bytes and (chunk := response.read(_CHUNK)):
                body += chunk
        if max(declared, len(body)) > max_bytes:
            raise LimitExceeded(f"is larger than the limit of {max_bytes} bytes")
        if len(body) < declared:
            raise InvalidRequest("ends before the file is complete")
        return bytes(body)

    def _first_socket(self) -> socket.socket:
        failure = OSError("no address")
        for address in self._addresses:
            remaining = self._end - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            try:
                return socket.create_connection((str(address), self._place.port), remaining)
            except OSError as error:
                failure = error
        raise failure

    def _watch(self, connection: socket.socket) -> None:
        """Cut the connection when its time is over: the time-outs of sockets begin anew with every byte."""
        self._watchdog = threading.Timer(max(0.0, self._end - time.monotonic()), self._cut, (connection,))
        self._watchdog.daemon = True
        self._watchdog.start()

    def _cut(self, connection: socket.socket) -> None:
        self._is_over = True
        with contextlib.suppress(OSError):  # it has already ended
            # Not the method of a TLS socket, which another thread is using.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._is_over:
                raise TimeoutError from error
            raise
        if self._is_over:
            raise TimeoutError
