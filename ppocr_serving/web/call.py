"""A request inside a worker process, on its way to an answer."""

from collections.abc import Mapping
from typing import NamedTuple

from ppocr_serving.errors import PageDeadlineExceeded
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.contract import require_module
from ppocr_serving.web.sinks import Outlet, Sink
from ppocr_serving.workers.messages import Head

__all__ = ["Call", "Record"]


class Record:
    """What is logged and counted about a request.

    Attributes:
        module: What has answered; `-` if nothing that exists was asked for.
        pictures: Pictures in the request.
        pages: Pages that were read: pictures, and pages of documents.
        pixels: Pixels of all of them.
        lines: Items in the answer.
        error: Stable code of the error, empty if there was none.
    """

    def __init__(self) -> None:
        self.module = "-"
        self.pictures = 0
        self.pages = 0
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
        outlet: The way for what leaves before the answer is complete; see `stream` and `next_page`.
    """

    head: Head
    body: bytes | memoryview
    request_id: str
    readers: Mapping[str, Reader]
    settings: ServerSettings
    watch: Stopwatch
    record: Record
    outlet: Outlet

    def reader(self, module: str) -> Reader:
        """Return the reader of a module.

        Args:
            module: What the client requested; may be anything.

        Raises:
            ModuleNotServed: There is none of that name, or it was not started.
        """
        require_module(module, self.readers)
        return self.readers[module]

    def stream(self, status: int, headers: tuple[tuple[str, str], ...]) -> Sink:
        """Begin an answer in parts.

        Until the first part is sent, an error becomes an answer of its own; after that, what the door's `stream_error`
        makes of it is the last part.

        Args:
            status: HTTP status.
            headers: HTTP headers, names and values, without the length.
        """
        return Sink(self.outlet, status, headers)

    def next_page(self) -> None:
        """Begin another page of a document; to be called before each one, with no decoded picture in memory.

        The page then has a deadline of its own, and shorter requests may come first.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The time of the whole request is over.
        """
        self.outlet.next_page()

    def check_request(self) -> None:
        """End the request if it has to end, but not for its page: to write many pages may take longer than to read one.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The time of the whole request is over.
        """
        try:
            self.watch.check()
        except PageDeadlineExceeded:
            self.next_page()
