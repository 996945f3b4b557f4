"""Request bodies as the web server passes them on: read with a deadline, failing with stream errors."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from gunicorn.http.errors import ParseException

from ppocr_serving import server
from ppocr_serving.server import _Body


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the client's and the server's."""
    client, served = socket.socketpair()
    with client, served:
        yield client, served


def test_a_slow_body_is_cut_off(pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_BODY_SECONDS", 0.2)
    client, served = pair
    done = threading.Event()

    def send() -> None:
        with contextlib.suppress(BrokenPipeError):  # once cut off
            while not done.wait(0.01):
                client.sendall(b" ")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with served.makefile("rb") as stream, pytest.raises(TimeoutError):
            _Body(stream, served).read(10**6)
    finally:
        done.set()
        sender.join()


def test_a_connection_outlives_a_partly_read_body(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_BODY_SECONDS", 0.1)
    client, served = pair
    client.sendall(b"ab")
    with served.makefile("rb") as stream:
        body = _Body(stream, served)
        assert body.read(1) == b"a"
        body.stop_watching()
        assert not threading.Event().wait(0.3)  # longer than the body may take
        client.sendall(b"c")
        assert stream.read(2) == b"bc"


def test_malformed_chunks_raise_a_stream_error(pair: tuple[socket.socket, socket.socket]) -> None:
    class Malformed:
        def read(self, _size: int) -> bytes:
            raise ParseException("invalid chunk size")

    body = _Body(Malformed(), pair[1])
    with pytest.raises(OSError, match="malformed"):
        body.read(1)
    body.stop_watching()
