"""Messages between processes, and the files that travel with them."""

import os
import threading

import pytest

from ppocr_serving.workers.messages import (
    Answer,
    Begun,
    Cancel,
    Channel,
    Dropped,
    Head,
    Job,
    Loaded,
    Message,
    Part,
    Progress,
    Ready,
    Received,
    Taken,
    TryOut,
    close_file,
    contents,
    memory_file,
    read_body,
    write_all,
)

JOB = Job(7, Head("/predict/ocr_system"), "id-7", 12.5, 60.0, 30.0)
ANSWER = Answer(
    7, 200, (("Content-Type", "application/json"),), "ocr_rec", 1, 200, 3, "", {"decode": 0.25}, memory_mb=100.5
)


@pytest.mark.parametrize(
    "message",
    [
        JOB,
        Cancel(7),
        Taken(7),
        TryOut(),
        Loaded(99.5),
        Ready(),
        Begun(7),
        Progress(7, computes=False),
        Part(7, 200, (("Content-Type", "application/jsonl"),), b"x" * 2**15, is_in_file=False),
        ANSWER,
        Answer(1, 503),
        Dropped(7),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_message_arrives_as_it_was_sent(message: Message) -> None:
    ours, theirs = Channel.pair()
    ours.send(message)
    theirs.send(message)
    assert theirs.receive() == Received(message, None)
    assert ours.receive() == Received(message, None)
    ours.close()
    assert theirs.receive() is None
    theirs.close()


@pytest.mark.parametrize("data", [b"", b"a", b"ab" * 2**20])
def test_a_file_arrives_with_its_message(data: bytes) -> None:
    ours, theirs = Channel.pair()
    file = memory_file(data)
    ours.send(JOB, file)
    os.close(file)
    received = theirs.receive()
    assert received is not None
    assert received.message == JOB
    assert received.file is not None
    assert read_body(received.file) == data
    view = contents(received.file)
    close_file(received.file)
    assert view == data  # although the descriptor is closed
    for end in (ours, theirs):
        end.close()


def test_messages_keep_their_files_apart() -> None:
    ours, theirs = Channel.pair()
    for number in range(20):
        file = memory_file(str(number).encode()) if number % 3 else None
        ours.send(Cancel(number), file)
        close_file(file)
    for number in range(20):
        received = theirs.receive()
        assert received is not None
        assert received.message == Cancel(number)
        assert (received.file and read_body(received.file)) == (str(number).encode() if number % 3 else None)
        close_file(received.file)
    for end in (ours, theirs):
        end.close()


def test_a_file_grows_by_what_is_written() -> None:
    file = memory_file(b"first ")
    write_all(file, bytearray(b"second ") * 2**17)
    write_all(file, b"third")
    assert contents(file) == b"first " + b"second " * 2**17 + b"third"
    os.close(file)


def test_several_threads_may_send() -> None:
    ours, theirs = Channel.pair()

    def send(first: int) -> None:
        for number in range(first, first + 100):
            ours.send(Cancel(number))

    threads = [threading.Thread(target=send, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    numbers = []
    for _ in range(400):
        received = theirs.receive()
        assert received is not None
        assert isinstance(received.message, Cancel)
        numbers.append(received.message.number)
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(400))
    for first in range(0, 400, 100):
        part = [number for number in numbers if first <= number < first + 100]
        assert part == sorted(part)
    for end in (ours, theirs):
        end.close()


def test_an_end_that_is_gone_is_an_end_for_the_other() -> None:
    ours, theirs = Channel.pair()
    ours.send(JOB)  # never read
    theirs.close()
    assert ours.receive() is None
    with pytest.raises(OSError, match="Broken pipe"):
        ours.send(JOB)
    ours.close()


def test_an_end_that_must_not_wait_does_not() -> None:
    ours, theirs = Channel.pair()
    ours.set_blocking(False)
    with pytest.raises(BlockingIOError):
        ours.receive()

    def send_without_end() -> None:
        while True:
            ours.send(JOB)

    with pytest.raises(BlockingIOError):
        send_without_end()
    assert theirs.receive() == Received(JOB, None)
    for end in (ours, theirs):
        end.close()
