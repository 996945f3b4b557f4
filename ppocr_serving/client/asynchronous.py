"""A client for programs with an event loop of asyncio."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
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

__all__ = ["AsyncOcrClient"]


class AsyncOcrClient:
    """As `OcrClient`, with methods to wait for. Close it with `aclose`, or use it in an `async with` block.

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
        self._client = httpx2.AsyncClient(**self._connection.settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncOcrClient({self._connection.name!r})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def read(self, source: Source, options: ReadOptions | None = None) -> Document:
        """Read as `OcrClient.read` does."""
        return document_of(await self.read_item(source, options), source)

    async def read_item(self, source: Source, options: ReadOptions | None = None) -> Item:
        """Read as `OcrClient.read_item` does."""
        with naming_source(source):
            file = await asyncio.to_thread(load, source)
            body = await self._fetch(form_of([file], fields_of(options, format="json", partial="true")))
            item = item_of(body, self._connection.name)
            return item._replace(document=Document(item.document.pages, file.name, item.document.error))

    async def read_many(
        self, sources: Iterable[Source], options: ReadOptions | None = None, *, concurrency: int = 4
    ) -> AsyncGenerator[Document, None]:
        """Read files, several at a time.

        Args:
            sources: As in `read`; consumed one by one.
            options: As in `read`.
            concurrency: How many are under way at a time, at least 1.

        Yields:
            One document per source, in order. For a source that cannot be read, it has no pages and an `error`.
        """
        waiting: deque[asyncio.Task[Document]] = deque()
        try:
            for source in sources:
                waiting.append(asyncio.create_task(self._read_or_error(source, options)))
                if len(waiting) >= concurrency:
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def read_pages(
        self, source: Source, options: ReadOptions | None = None, *, times: dict[str, float] | None = None
    ) -> AsyncGenerator[Page, None]:
        """Read as `OcrClient.read_pages` does."""
        with naming_source(source):
            file = await asyncio.to_thread(load, source)
            records = Records(self._connection.name, times)
            async with self._answer(form_of([file], fields_of(options, format="jsonl"))) as response:
                try:
                    async for line in response.aiter_lines():
                        for page in records.page(line):
                            yield page
                except httpx2.HTTPError as error:
                    raise self._connection.break_off(error) from error
            records.require_complete()

    async def write(
        self,
        sources: Iterable[Source],
        format: str,  # noqa: A002
        options: ReadOptions | None = None,
    ) -> bytes:
        """Read files, and return them in one format, as `OcrClient.write` does."""
        files = await asyncio.to_thread(load_all, sources)
        return await self._fetch(form_of(files, fields_of(options, format=find_format(format).name, partial="false")))

    async def capabilities(self) -> dict[str, Any]:
        """Return what the server can do, as `OcrClient.capabilities` does."""
        return capabilities_of(await self._fetch({"method": "GET", "url": "v1/capabilities"}), self._connection.name)

    async def _read_or_error(self, source: Source, options: ReadOptions | None) -> Document:
        try:
            return await self.read(source, options)
        except OcrError as error:
            return Document((), name_of(source), error)

    async def _fetch(self, request: dict[str, Any]) -> bytes:
        return (await self._send(request)).content

    @asynccontextmanager
    async def _answer(self, request: dict[str, Any]) -> AsyncGenerator[httpx2.Response, None]:
        response = await self._send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def _send(self, request: dict[str, Any], *, stream: bool = False) -> httpx2.Response:
        """Return the answer to a request, of which nothing has been used yet: until then it may be tried again."""
        try:
            async for attempt in stamina.retry_context(self._connection.wait_of, **self._connection.retries):
                with attempt:
                    return await self._send_once(request, stream)
        except Again as again:
            raise again.error from again.__cause__
        raise AssertionError("the last attempt neither returned nor raised")

    async def _send_once(self, request: dict[str, Any], stream: bool) -> httpx2.Response:
        try:
            response = await self._client.send(self._client.build_request(**request), stream=stream)
            if response.is_success:
                return response
            body = await response.aread()
        except httpx2.HTTPError as error:
            raise self._connection.failure(error) from error
        raise self._connection.refusal(response, body)
