"""A client for programs without an event loop."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx2
import stamina

from ppocr_serving.client.answers import Records, capabilities_of, document_of, item_of
from ppocr_serving.client.connection import RETRY_SECONDS, TIMEOUT, Again, Connection
from ppocr_serving.client.sending import Source, fields_of, form_of, load, load_all
from ppocr_serving.errors import OcrError
from ppocr_serving.outputs import Item
from ppocr_serving.outputs.formats import find_format
from ppocr_serving.reading.files import name_of, naming_source
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Document, Page

__all__ = ["OcrClient"]


class OcrClient:
    """Read the text in pictures and files through a server. Close it after use, or use it in a `with` block.

    A client is thread-safe. Calls that the server refuses for the moment (503, 429) are tried again when it says, and
    those that do not reach it after a while; a call whose answer has begun to be used never is.

    Args:
        url: Address of the server, such as http://127.0.0.1:9000.
        api_key: The key, if the server requires one; None takes it from `PPOCR_API_KEY`, if that is set.
        timeout: Seconds without a byte from the server after which a call ends.
        retry_seconds: For how long calls are tried again; 0 means never.

    Raises:
        InvalidRequest: The address or the key cannot be one.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, timeout: float = TIMEOUT, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._connection = Connection(url, api_key, timeout, retry_seconds)
        self._client = httpx2.Client(**self._connection.settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"OcrClient({self._connection.name!r})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, source: Source, options: ReadOptions | None = None) -> Document:
        """Read one picture, or the pages of a TIFF, GIF or PDF file.

        Args:
            source: A file's path, or a file's bytes.
            options: Options of this call; None leaves everything to the server.

        Returns:
            As `ppocr_serving.Reader.read`.

        Raises:
            InvalidRequest: The source cannot be read, or is not a picture or PDF; the message names the path, if any.
            LimitExceeded: It has more bytes, pages or pixels than the server allows.
            Overloaded: The server has refused the call until the last attempt; so do `NotReady` and `QuotaExceeded`.
            KeyRequired: The key is missing or wrong.
            ConnectionFailed: The server could not be reached, or did not answer in time.
            OcrError: Another error of the server.
        """
        return document_of(self.read_item(source, options), source)

    def read_item(self, source: Source, options: ReadOptions | None = None) -> Item:
        """Read as `read` does, and return also what made the document, and how long that took.

        Args:
            source: As for `read`.
            options: As for `read`.

        Returns:
            For `ppocr_serving.outputs.write`; without the pictures. A document that the server cannot read has an
            `error`.

        Raises:
            OcrError: As for `read`, if the server does not answer with a document.
        """
        with naming_source(source):
            file = load(source)
            body = self._fetch(form_of([file], fields_of(options, format="json", partial="true")))
            item = item_of(body, self._connection.name)
            return item._replace(document=Document(item.document.pages, file.name, item.document.error))

    def read_many(self, sources: Iterable[Source], options: ReadOptions | None = None) -> Iterator[Document]:
        """Read files one after the other.

        Args:
            sources: As in `read`; consumed one by one.
            options: As in `read`.

        Yields:
            One document per source, in order. For a source that cannot be read, it has no pages and an `error`.
        """
        for source in sources:
            try:
                yield self.read(source, options)
            except OcrError as error:
                yield Document((), name_of(source), error)

    def read_pages(
        self, source: Source, options: ReadOptions | None = None, *, times: dict[str, float] | None = None
    ) -> Generator[Page, None, None]:
        """Read as `read` does, each page as soon as the server has read it.

        Args:
            source: As for `read`.
            options: As for `read`.
            times: Receives the seconds of every stage, at the end.

        Raises:
            OcrError: As for `read`; `ConnectionFailed`, too, if the answer ends before the last page.
        """
        with naming_source(source):
            request = form_of([load(source)], fields_of(options, format="jsonl"))
            records = Records(self._connection.name, times)
            with self._answer(request) as response:
                try:
                    for line in response.iter_lines():
                        yield from records.page(line)
                except httpx2.HTTPError as error:
                    raise self._connection.break_off(error) from error
            records.require_complete()

    def write(self, sources: Iterable[Source], format: str, options: ReadOptions | None = None) -> bytes:  # noqa: A002
        """Read files, and return them in one format, written by the server.

        Args:
            sources: As in `read`; sent together.
            format: One of `ppocr_serving.outputs.FORMATS`.
            options: As in `read`.

        Raises:
            OcrError: As for `read`, if one of the files or pages cannot be read; `details` says which.
        """
        files = load_all(sources)
        return self._fetch(form_of(files, fields_of(options, format=find_format(format).name, partial="false")))

    def capabilities(self) -> dict[str, Any]:
        """Return what the server can do: languages, formats, options with their defaults, limits.

        Raises:
            OcrError: As for `read`.
        """
        return capabilities_of(self._fetch({"method": "GET", "url": "v1/capabilities"}), self._connection.name)

    def _fetch(self, request: dict[str, Any]) -> bytes:
        return self._send(request).content

    @contextmanager
    def _answer(self, request: dict[str, Any]) -> Iterator[httpx2.Response]:
        response = self._send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _send(self, request: dict[str, Any], *, stream: bool = False) -> httpx2.Response:
        """Return the answer to a request, of which nothing has been used yet: until then it may be tried again."""
        try:
            for attempt in stamina.retry_context(self._connection.wait_of, **self._connection.retries):
                with attempt:
                    return self._send_once(request, stream)
        except Again as again:
            raise again.error from again.__cause__
        raise AssertionError("the last attempt neither returned nor raised")

    def _send_once(self, request: dict[str, Any], stream: bool) -> httpx2.Response:
        try:
            response = self._client.send(self._client.build_request(**request), stream=stream)
            if response.is_success:
                return response
            body = response.read()
        except httpx2.HTTPError as error:
            raise self._connection.failure(error) from error
        raise self._connection.refusal(response, body)
