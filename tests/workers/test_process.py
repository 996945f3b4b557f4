"""One worker process: what it keeps of the server's, and how its end is described."""

import os
import select
import signal
import socket
from typing import NoReturn

import pytest

from ppocr_serving.workers.messages import Channel, Dropped, Received, memory_file
from ppocr_serving.workers.process import WorkerProcess, describe_exit


def wait_for_end(channel: Channel) -> NoReturn:
    channel.send(Dropped(0))
    assert channel.receive() is None
    os._exit(0)


def end_of(process: WorkerProcess) -> int:
    """Wait until a process has ended, and return its status."""
    _, status = os.waitpid(process.pid, 0)
    while process.read_output():
        pass
    return status


def started(process: WorkerProcess) -> None:
    select.select([process.channel], [], [])
    assert process.channel.receive() == Received(Dropped(0), None)


def test_a_worker_holds_no_connection_of_a_client_and_no_body() -> None:
    server, client = socket.socketpair()
    body = memory_file(b"a body")
    kept, _ = files = os.pipe()

    def list_files(channel: Channel) -> NoReturn:
        for file in (server.fileno(), body):
            try:
                os.fstat(file)
            except OSError:
                pass
            else:
                os._exit(1)
        os.fstat(kept)
        wait_for_end(channel)

    process = WorkerProcess(list_files, ())
    started(process)
    server.close()
    assert client.recv(1) == b""  # although the worker lives
    process.close()
    os.waitpid(process.pid, 0)
    client.close()
    for file in (body, *files):
        os.close(file)


def test_a_worker_keeps_the_files_of_the_log() -> None:
    log, reader = socket.socketpair()

    def write_to_log(channel: Channel) -> NoReturn:
        log.sendall(b"a line")
        wait_for_end(channel)

    process = WorkerProcess(write_to_log, {log.fileno()})
    started(process)
    assert reader.recv(10) == b"a line"
    process.kill()
    assert describe_exit(end_of(process)) == "signal SIGKILL"
    process.kill()  # although it has ended
    process.close()
    for end in (log, reader):
        end.close()


def test_a_worker_ends_with_the_server_alone() -> None:
    process = WorkerProcess(wait_for_end, ())
    started(process)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(process.pid, number)
    assert os.waitpid(process.pid, os.WNOHANG) == (0, 0)
    process.channel.close()
    assert describe_exit(end_of(process)) == "exit code 0"
    assert process.last_words == ""
    process.close()


def test_a_worker_that_returns_has_failed() -> None:
    def fail(_channel: Channel) -> NoReturn:
        os.write(1, b"first line\n\n second  line\n")
        raise RuntimeError("cannot happen")

    process = WorkerProcess(fail, ())
    assert describe_exit(end_of(process)) == "exit code 1"
    assert process.last_words.startswith("first line second line")
    process.close()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit code 0"),
        (3 << 8, "exit code 3"),
        (9, "signal SIGKILL"),
        (11 | 128, "signal SIGSEGV"),
        (40, "signal 40"),
    ],
)
def test_the_end_of_a_process_is_described(status: int, words: str) -> None:
    assert describe_exit(status) == words
