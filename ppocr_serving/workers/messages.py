"""Messages between the server and a worker process, each with at most one file."""

import contextlib
import mmap
import os
import socket
from typing import NamedTuple

import msgspec

__all__ = [
    "Answer",
    "Begun",
    "Cancel",
    "Channel",
    "Dropped",
    "Head",
    "Job",
    "Loaded",
    "Message",
    "Part",
    "Progress",
    "Ready",
    "Received",
    "Reply",
    "Taken",
    "TryOut",
    "close_file",
    "contents",
    "memory_file",
    "read_body",
    "write_all",
]

_MAX_MESSAGE_BYTES = 2**16  # messages have a few hundred bytes; bodies and answers are in files


class Head(msgspec.Struct, frozen=True):
    """What matters to the answer of all that a request says before its body.

    Attributes:
        path: Its path, as the server knows it.
        query: What follows the question mark, as it was sent.
        content_type: Header `Content-Type`; empty if there is none.
        accept: Header `Accept`; empty if there is none.
    """

    path: str
    query: str = ""
    content_type: str = ""
    accept: str = ""


class Job(msgspec.Struct, frozen=True, tag=True):
    """To a worker: answer a request, whose body is in the file.

    Attributes:
        number: Unique in the life of the server.
        head: What the request asks for; a platform's event carries a request in its body.
        request_id: For the log.
        arrival: When its body was complete, in seconds of `time.perf_counter`, which all processes share.
        seconds: How long it may take from then on.
        page_seconds: How long it may compute for one page.
    """

    number: int
    head: Head
    request_id: str
    arrival: float
    seconds: float
    page_seconds: float


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """To a worker: nobody waits for the answer of a job any more."""

    number: int


class Taken(msgspec.Struct, frozen=True, tag=True):
    """To a worker: the client has taken the oldest part of a job's answer that it had not taken yet."""

    number: int


class TryOut(msgspec.Struct, frozen=True, tag=True):
    """To a worker: read a small picture, with which engines do their first-use initialization."""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """From a worker: its models are loaded.

    Attributes:
        memory_mb: Its resident memory in MiB.
    """

    memory_mb: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it has read the small picture."""


class Begun(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it computes for a job, which has waited for its turn until now."""

    number: int


class Progress(msgspec.Struct, frozen=True, tag=True):
    """From a worker: how a job that has begun gets on.

    Attributes:
        number: The job's.
        computes: Whether it computes from now on, for a page with all or what is left of its time; otherwise it waits,
            for its next turn or for its client.
    """

    number: int
    computes: bool


class Part(msgspec.Struct, frozen=True, tag=True):
    """From a worker: the next part of the answer to a job.

    Attributes:
        number: The job's.
        status: HTTP status; 0 for all but the first part.
        headers: HTTP headers, names and values; empty for all but the first part.
        data: The part, if it is small.
        is_in_file: Whether it is in the file instead.
    """

    number: int
    status: int
    headers: tuple[tuple[str, str], ...]
    data: bytes
    is_in_file: bool


class Answer(msgspec.Struct, frozen=True, tag=True):
    """From a worker: the answer to a job, whose body, or what has not left in parts of it, is in the file.

    Attributes:
        number: The job's.
        status: HTTP status; that of the first part if there was one.
        headers: HTTP headers, names and values.
        module: The module that answered, for the log.
        pictures: Pictures in the request.
        pages: Pages that were read: pictures, and pages of documents.
        pixels: Pixels of all of them.
        lines: Items in the answer.
        reread: Lines that a second recogniser has read; see `Stopwatch`.
        error: Stable code of the error, empty if there was none.
        stages: Time by stage, in seconds.
        waited: Seconds between the job's arrival and its first turn.
        memory_mb: The worker's resident memory in MiB.
    """

    number: int
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    module: str = ""
    pictures: int = 0
    pixels: int = 0
    lines: int = 0
    error: str = ""
    stages: dict[str, float] = {}
    reread: int = 0
    pages: int = 0
    waited: float = 0.0
    memory_mb: float = 0.0


class Reply(NamedTuple):
    """What a job is answered with.

    Attributes:
        answer: All but the body.
        body: The body, or what has not left in parts of it.
    """

    answer: Answer
    body: bytes


class Dropped(msgspec.Struct, frozen=True, tag=True):
    """From a worker: a job has ended without an answer.

    Attributes:
        number: The job's.
        reason: Why another attempt may succeed; empty if nobody waits for the answer, or its time was over.
    """

    number: int
    reason: str = ""


Message = Job | Cancel | Taken | TryOut | Loaded | Ready | Begun | Progress | Part | Answer | Dropped
"""What the two ends send each other."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


class Received(NamedTuple):
    """A message as it arrived.

    Attributes:
        message: The message.
        file: Descriptor of its file, which the receiver closes; None if it has none.
    """

    message: Message
    file: int | None


class Channel:
    """One end of a connection between the server and a worker process.

    Several threads may send at the same time.

    Args:
        connection: A socket that keeps messages apart (`SOCK_SEQPACKET`).
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @staticmethod
    def pair() -> tuple["Channel", "Channel"]:
        """Return two ends that are connected with each other."""
        first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Channel(first), Channel(second)

    def fileno(self) -> int:
        """Return the descriptor to select on: readable while a message waits, and at the end."""
        return self._connection.fileno()

    def set_blocking(self, blocking: bool) -> None:
        """Choose whether `send` and `receive` wait; otherwise they raise BlockingIOError."""
        self._connection.setblocking(blocking)

    def send(self, message: Message, file: int | None = None) -> None:
        """Send a message.

        Args:
            message: What to send.
            file: Descriptor to send with it; the caller's own stays open.

        Raises:
            OSError: The other end is gone, or does not read.
        """
        data = _encoder.encode(message)
        if file is None:
            self._connection.send(data)
        else:
            socket.send_fds(self._connection, [data], [file])

    def receive(self) -> Received | None:
        """Return the next message; None at the end."""
        try:
            data, files, _, _ = socket.recv_fds(self._connection, _MAX_MESSAGE_BYTES, 1)
        except ConnectionResetError:  # the other end died with messages that it had not read
            return None
        if not data:
            return None
        return Received(_decoder.decode(data), files[0] if files else None)

    def end(self) -> None:
        """Send no more; the other end receives the end."""
        with contextlib.suppress(OSError):  # it has already gone
            self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close this end; the other one then receives the end."""
        self._connection.close()


def memory_file(data: bytes | bytearray | memoryview) -> int:
    """Return the descriptor of a new file in memory, without a name, that holds some data."""
    file = os.memfd_create("ppocr", os.MFD_CLOEXEC)
    try:
        write_all(file, data)
    except BaseException:
        os.close(file)
        raise
    return file


def write_all(file: int, data: bytes | bytearray | memoryview) -> None:
    """Add data to a file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def contents(file: int) -> memoryview:
    """Return what is in a file, without copying it; it stays valid after the descriptor has been closed."""
    size = os.fstat(file).st_size
    return memoryview(mmap.mmap(file, size, prot=mmap.PROT_READ) if size else b"")


def read_body(file: int) -> bytes:
    """Return what is in the file of an answer."""
    return os.pread(file, os.fstat(file).st_size, 0)


def close_file(file: int | None) -> None:
    """Close a descriptor, if there is one."""
    if file is not None:
        os.close(file)
