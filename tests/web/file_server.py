"""A server of files on the loopback interface that says exactly what a test wants, byte by byte."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["FileServer", "file_server", "response"]

Answer = Callable[[socket.socket], None]


class FileServer:
    """What runs.

    Attributes:
        port: Its port.
        url: Its base URL.
        requests: The heads of the requests that have come, in order.
    """

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.requests: list[str] = []


def response(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """Return a response.

    Args:
        body: Its body.
        status: Its status.
        *headers: Further headers.
        length: What it declares as its length, if that is a lie.
    """
    declared = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {declared}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def file_server(answer: bytes | Answer, context: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Answer all requests alike.

    Args:
        answer: All bytes of the answer, or what writes them.
        context: For TLS.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = FileServer(listener.getsockname()[1], "http" if context is None else "https")

        def serve(connection: socket.socket) -> None:
            try:
                with connection if context is None else context.wrap_socket(connection, server_side=True) as client:
                    head = b""
                    while b"\r\n\r\n" not in head and (data := client.recv(65536)):
                        head += data
                    server.requests.append(head.decode("latin-1"))
                    if callable(answer):
                        answer(client)
                    else:
                        client.sendall(answer)
            except OSError:  # the client has seen enough
                pass

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
