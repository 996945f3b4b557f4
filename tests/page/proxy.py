"""A small reverse proxy, real enough for a browser, that holds, breaks off or refuses what a test says."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.served.server import Served

__all__ = ["Proxy", "proxy_for"]

_HOP_BY_HOP: Final = {"connection", "transfer-encoding", "keep-alive", "content-length"}
# Nothing is asserted about this: it only bounds how long a failing test hangs.
_SECONDS: Final = 120
_PART: Final = 65536


class Proxy(ThreadingHTTPServer):
    """Pass requests on to a server, and its answers back as they come.

    Args:
        served: The server.
        prefix: What paths begin with here, and not at the server, which is told so.

    Attributes:
        served: The server.
        url: What the browser opens; with the prefix.
        prefix: As given.
        paths: What was asked for, in order.
        body: The last one that has been sent whole.
    """

    daemon_threads = True

    def __init__(self, served: Served, prefix: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.served = served
        self.prefix = prefix
        self.url = f"http://127.0.0.1:{self.server_port}{prefix}"
        self.paths: list[str] = []
        self.body = b""
        self._open = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Pass everything on, and forget what was asked for."""
        self.is_failing = self._breaks = False
        self.paths.clear()
        self.release()

    def fail(self) -> None:
        """Answer as if the server were missing."""
        self.is_failing = True

    def hold_bodies(self) -> None:
        """Receive no more than the beginning of a body, until `release` is called."""
        self.holds_bodies = True
        self._open.clear()

    def hold_after(self, records: int) -> None:
        """Send so many lines of an answer that has records, and the others when `release` is called."""
        self.records = records
        self._open.clear()

    def break_off(self) -> None:
        """Break off the connection of an answer that is held."""
        self._breaks = True
        self._open.set()

    def release(self) -> None:
        """Pass on what was held."""
        self.holds_bodies = False
        self.records = -1
        self._open.set()

    def may_go_on(self, records: int) -> bool:
        """Wait while an answer is held after so many records; return False if it is to be broken off."""
        if records == self.records:
            self.wait()
        return records != self.records or not self._breaks

    def wait(self) -> bool:
        """Wait while something is held."""
        return self._open.wait(_SECONDS)

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: browsers leave when they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""

    def _pass_on(self) -> None:
        self.close_connection = True
        proxy = self.server
        proxy.paths.append(self.path)
        body = b"".join(self._body(int(self.headers.get("Content-Length", 0))))
        if proxy.is_failing:  # now, because browsers that are still sending may miss the answer
            self.send_error(HTTPStatus.BAD_GATEWAY)
            return
        proxy.body = body
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        if proxy.prefix:
            headers["X-Forwarded-Prefix"] = proxy.prefix
        with closing(HTTPConnection("127.0.0.1", proxy.served.port, timeout=_SECONDS)) as connection:
            path = self.path.removeprefix(proxy.prefix) or "/"
            connection.request(self.command, path, body, headers)
            self._answer(connection.getresponse())

    def _body(self, size: int) -> Iterator[bytes]:
        while size and (part := self.rfile.read(min(size, _PART))):
            yield part
            size -= len(part)
            if self.server.holds_bodies:
                self.server.wait()

    def _answer(self, response: HTTPResponse) -> None:
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        is_stream = response.headers.get_content_type() == "application/x-ndjson"
        records = 0
        while not is_stream or self.server.may_go_on(records):
            part = response.readline() if is_stream else response.read1(_PART)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            if not part:
                return
            records += 1


@contextmanager
def proxy_for(served: Served, prefix: str = "") -> Iterator[Proxy]:
    """Run a proxy, and end it at the end of the block.

    Args:
        served: The server.
        prefix: What paths begin with here.
    """
    with Proxy(served, prefix) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.reset()
            proxy.shutdown()
            thread.join()
