"""Handover of connections between processes: they stay open, and data that arrives meanwhile is kept."""

import socket
from collections.abc import Iterator

import pytest

from ppocr_serving.handover import Handover


def connections(count: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """Return both ends of TCP connections: the clients' and the server's."""
    with socket.create_server(("127.0.0.1", 0), backlog=count) as listener:
        clients = [socket.create_connection(listener.getsockname()) for _ in range(count)]
        return clients, [listener.accept()[0] for _ in range(count)]


@pytest.fixture
def handover() -> Iterator[Handover]:
    queue = Handover()
    yield queue
    queue._sender.close()
    queue._receiver.close()


@pytest.mark.parametrize("count", [1, 2, Handover.max_batch])
def test_data_sent_during_the_handover_arrives(handover: Handover, count: int) -> None:
    clients, ours = connections(count)
    clients[0].sendall(b"before ")

    assert handover.give(ours)
    for connection in ours:
        connection.close()
    for number, client in enumerate(clients):
        client.sendall(b"meanwhile %d" % number)

    taken = handover.take()
    assert len(taken) == count
    for number, (connection, client) in enumerate(zip(taken, clients, strict=True)):
        assert connection.getpeername() == client.getsockname()
        assert connection.recv(100) == (b"before " if number == 0 else b"") + b"meanwhile %d" % number
        connection.sendall(b"answer")
        assert client.recv(100) == b"answer"
        connection.close()
        client.close()
    assert handover.take() == []


def test_a_connection_that_does_not_fit_stays_with_the_sender(handover: Handover) -> None:
    clients, ours = connections(1)
    given = 0
    while handover.give(ours):
        given += 1

    assert given >= 100
    taken = [connection for _ in range(given) for connection in handover.take()]
    assert len(taken) == given
    assert handover.take() == []
    clients[0].sendall(b"still open")
    assert ours[0].recv(100) == b"still open"
    for connection in (*clients, *ours, *taken):
        connection.close()
