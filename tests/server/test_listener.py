"""The listening socket."""

import asyncio
import socket

import pytest

from ppocr_serving.server.listener import listen


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
