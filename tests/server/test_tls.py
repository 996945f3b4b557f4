"""TLS connections with the server's own protocol, in an event loop of the test: what needs no pictures."""

import asyncio
import gc
import resource
import socket
import ssl
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from ppocr_serving.access import AccessSettings
from ppocr_serving.server.certificate import Certificate
from ppocr_serving.server.connections import Connection, Connections
from ppocr_serving.server.tls import TlsProtocol
from tests.certificates import Pair, make_certificate

PATIENCE_SECONDS = 60
LARGE = 16 << 20
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

Application = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def client(pair: Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pair.cert))


class Tls:
    """A server of an ASGI application, and its address."""

    def __init__(self, connections: Connections, state: ServerState, port: int) -> None:
        self.connections = connections
        self.state = state
        self.port = port

    async def connect(self, context: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context)


def answering(size: int) -> Application:
    """Return an application that answers before the request's body arrives."""

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"%d" % size)]})
        await send({"type": "http.response.body", "body": b"x" * size})

    return answer


@contextmanager
def files_limited_to(number: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run(
    pair: Pair,
    application: Application,
    test: Callable[[Tls], Awaitable[None]],
    handshake_seconds: float = 3600,
    requests: int = 1,
) -> None:
    """Run a test against a server."""

    async def serve() -> None:
        certificate = Certificate(AccessSettings(tls_cert=pair.cert, tls_key=pair.key))
        state = ServerState()
        connections = Connections(state, 3600, requests)
        config = Config(application, http=Connection, ws="none", lifespan="off", log_config=None)

        def accept() -> TlsProtocol:
            own = Connection(connections, config, state)
            return TlsProtocol(connections, own, certificate.context, handshake_seconds)

        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)

        async def sweep() -> None:
            while True:
                connections.sweep()
                await asyncio.sleep(0.05)

        sweeping = asyncio.create_task(sweep())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await test(Tls(connections, state, server.sockets[0].getsockname()[1]))
        finally:
            sweeping.cancel()
            server.close()
            for connection in list(state.connections):
                assert isinstance(connection, Connection)
                connection.transport.abort()
            await asyncio.sleep(0.05)

    asyncio.run(serve())


def test_answers_come_one_after_the_other_over_a_connection(pair: Pair, client: ssl.SSLContext) -> None:
    async def test(server: Tls) -> None:
        reader, writer = await server.connect(client)
        for _ in range(3):
            writer.write(GET)
            answer = await reader.readuntil(b"\r\n\r\nxxx")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
        await writer.wait_closed()

    run(pair, answering(3), test)


def test_a_large_answer_reaches_a_client_that_takes_long_to_read_it(pair: Pair, client: ssl.SSLContext) -> None:
    async def test(server: Tls) -> None:
        reader, writer = await server.connect(client)
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await reader.readuntil(b"\r\n\r\n")
        assert server.connections.unsent > 2**20
        await asyncio.sleep(7)  # longer than a TLS connection may take to end
        assert len(await reader.read(-1)) == LARGE
        writer.close()
        await writer.wait_closed()

    run(pair, answering(LARGE), test)


def test_the_rest_of_a_refused_body_does_not_destroy_the_answer(pair: Pair, client: ssl.SSLContext) -> None:
    body = b"x" * LARGE

    def send(port: int) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as plain,
            client.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            head = f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {LARGE}\r\n\r\n"
            connection.sendall(head.encode() + body)
            return connection.recv(1000)

    async def test(server: Tls) -> None:
        answer = await asyncio.get_running_loop().run_in_executor(None, send, server.port)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")

    run(pair, answering(3), test)


def test_the_application_learns_that_a_client_has_left(
    pair: Pair, client: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    has_left = asyncio.Event()

    async def wait(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        has_left.set()

    async def test(server: Tls) -> None:
        for is_polite in (True, False):
            has_left.clear()
            _, writer = await server.connect(client)
            writer.write(GET)
            while not server.connections.answering:
                await asyncio.sleep(0.01)
            if is_polite:
                writer.close()
            else:
                writer.transport.abort()
            await has_left.wait()

    run(pair, wait, test)
    assert not caplog.records


def test_a_connection_that_has_ended_takes_next_to_no_memory(pair: Pair, client: ssl.SSLContext) -> None:
    async def use(server: Tls, times: int) -> None:
        for _ in range(times):
            reader, writer = await server.connect(client)
            writer.write(GET)
            await reader.readuntil(b"xxx")
            writer.close()
            await writer.wait_closed()
        while server.state.connections:
            await asyncio.sleep(0.01)

    async def test(server: Tls) -> None:
        await use(server, 3)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            await use(server, 20)
            sizes = [trace.size - TlsProtocol.max_size for trace in tracemalloc.take_snapshot().traces]
            assert sum(0 <= size < 256 for size in sizes) < 5
        finally:
            tracemalloc.stop()
            gc.enable()

    run(pair, answering(3), test)


def test_a_handshake_that_takes_too_long_is_ended(pair: Pair) -> None:
    async def test(server: Tls) -> None:
        begun = time.monotonic()
        silent, slow = [await server.connect(None) for _ in range(2)]
        slow[1].write(b"\x16\x03\x01\x02\x00")  # a handshake's first bytes
        assert await silent[0].read() == b""
        assert await slow[0].read() == b""
        assert time.monotonic() - begun >= 0.5
        for _, writer in (silent, slow):
            writer.close()

    run(pair, answering(3), test, handshake_seconds=0.5)


def test_plain_http_gets_no_answer(pair: Pair) -> None:
    async def test(server: Tls) -> None:
        reader, writer = await server.connect(None)
        writer.write(GET)
        answer = await reader.read()
        assert b"HTTP" not in answer
        writer.close()

    run(pair, answering(3), test)


def test_tls_of_before_1_2_is_refused(pair: Pair) -> None:
    old = ssl.create_default_context(cafile=str(pair.cert))
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.minimum_version = ssl.TLSVersion.TLSv1

    async def test(server: Tls) -> None:
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await server.connect(old)
        writer.close()
        with pytest.warns(DeprecationWarning, match="deprecated"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await server.connect(old)

    run(pair, answering(3), test)


def test_clients_in_the_handshake_give_way_when_there_are_too_many(pair: Pair, client: ssl.SSLContext) -> None:
    async def test(server: Tls) -> None:
        silent = [await server.connect(None) for _ in range(40)]  # the limit is a quarter of 128 files
        reader, writer = await server.connect(client)
        writer.write(GET)
        assert (await reader.readuntil(b"xxx")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await silent[0][0].read() == b""
        for _, opened in (*silent, (reader, writer)):
            opened.close()

    with files_limited_to(128):
        run(pair, answering(3), test, requests=1000)
