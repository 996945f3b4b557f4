"""A request inside a worker process, on its way to an answer."""

from collections.abc import Mapping
from typing import NamedTuple

from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.workers.messages import Head

__all__ = ["Call", "Record"]


class Record:
    """What is logged and counted about a request.

    Attributes:
        module: What has answered; `-` if nothing that exists was asked for.
        pictures: Pictures in the request.
        pixels: Pixels of all of them.
        lines: Items in the answer.
        error: Stable code of the error, empty if there was none.
    """

    def __init__(self) -> None:
        self.module = "-"
        self.pictures = 0
        self.pixels = 0
        self.lines = 0
        self.error = ""


class Call(NamedTuple):
    """What the answer to a request is made from.

    Attributes:
        head: What the request says before its body.
        body: Its body.
        request_id: Its id.
        readers: Reader of each served module.
        settings: Limits.
        watch: Receives the time of every stage.
        record: Receives what is logged.
    """

    head: Head
    body: bytes | memoryview
    request_id: str
    readers: Mapping[str, Reader]
    settings: ServerSettings
    watch: Stopwatch
    record: Record
