"""The listening socket."""

import asyncio
import socket
from contextlib import closing

import pytest

from ppocr_serving.server.listener import listen, url_of


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_answers_are_sent_at_once(host: str) -> None:
    async def run() -> int:
        connected: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            connected.set_result(option)
            writer.close()

        async with await asyncio.start_server(note, sock=listen(host, 0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.close()
            return await connected

    assert asyncio.run(run())


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "is_secure", "start"),
    [
        ("0.0.0.0", False, "http://127.0.0.1:"),
        ("127.0.0.1", True, "https://127.0.0.1:"),
        ("::", False, "http://[::1]:"),
        ("::1", True, "https://[::1]:"),
    ],
)
def test_a_client_on_this_machine_can_connect_to_the_address(host: str, is_secure: bool, start: str) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with closing(listen(host, 0)) as listener:
        port = listener.getsockname()[1]
        url = url_of(listener, is_secure=is_secure)
        assert url == f"{start}{port}/"
        address = url.partition("://")[2].rpartition(":")[0].strip("[]")
        socket.create_connection((address, port), timeout=10).close()
