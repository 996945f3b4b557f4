"""The listening socket, which is there before the event loop."""

import errno
import socket

from ppocr_serving.errors import InvalidSetting

__all__ = ["BACKLOG", "listen", "url_of"]

BACKLOG = 2048
"""Connections that may wait to be accepted."""

# Addresses that stand for all of this machine's, and the one of them that is always there.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address and never waits.

    Raises:
        InvalidSetting: That is not possible; the message says why, and which setting to change.
    """
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # asyncio has short answers sent at once only if it can see that this is TCP; the client's acknowledgement of an
        # answer's head, for which its body would wait, takes up to 40 ms.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Connections wait here while the models are being loaded.
        listener.listen(BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSetting(
                f"port {port} is in use; stop the process using it, or choose another one with PORT"
            ) from error
        raise InvalidSetting(f"cannot listen on {host}:{port} ({error.strerror}); set PPOCR_HOST or PORT") from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, *, is_secure: bool) -> str:
    """Return where clients on this machine reach a listening socket.

    Args:
        listener: The socket.
        is_secure: Whether it speaks TLS.
    """
    host, port = listener.getsockname()[:2]
    host = _LOOPBACK.get(host, host)
    return f"{'https' if is_secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"
