"""Clients that do a server no good: silent, slow, in large numbers, or gone before they are answered."""

import json
import resource
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

__all__ = ["attacking", "head", "leave", "post", "receive"]

_DRIP_SECONDS = 0.5
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: do not wait, but discard what has not been sent


def head(size: int, path: str = "/predict/ocr_system", *fields: str) -> bytes:
    """Return the head of a request with a body of `size` bytes."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {size}",
        *fields,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def post(port: int, images: Sequence[str], *fields: str) -> socket.socket:
    """Send a request to read pictures, and return its connection."""
    body = json.dumps({"images": images}).encode()
    connection = socket.create_connection(("127.0.0.1", port), timeout=120)
    connection.sendall(head(len(body), "/predict/ocr_system", *fields) + body)
    return connection


def receive(connection: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def leave(connection: socket.socket, *, by_reset: bool) -> None:
    """Close a connection, politely or not."""
    if by_reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


@contextmanager
def attacking(port: int, silent: int = 0, slow: Sequence[bytes] = ()) -> Iterator[list[socket.socket]]:
    """Keep many connections to a server open until the end of the block.

    Args:
        port: The server's.
        silent: Number of connections that send nothing.
        slow: What each of the others begins with; then it sends a space from time to time.
    """
    _allow_files(silent + len(slow) + 256)
    stop = threading.Event()
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            for _ in range(silent + len(slow))
        ]
        slow_ones = connections[silent:]
        for connection, start in zip(slow_ones, slow, strict=True):
            _send(connection, start)
        thread = threading.Thread(target=_drip, args=(slow_ones, stop))
        thread.start()
        stack.callback(thread.join)
        stack.callback(stop.set)
        yield connections


def _drip(connections: Sequence[socket.socket], stop: threading.Event) -> None:
    while not stop.wait(_DRIP_SECONDS):
        for connection in connections:
            _send(connection, b" ")


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:  # the server has given it up, which is its right
        return


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
