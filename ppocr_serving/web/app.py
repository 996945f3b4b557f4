"""The ASGI application: routes, limits, errors and the log around what reads pictures."""

import asyncio
import itertools
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from ppocr_serving.errors import (
    DeadlineExceeded,
    InvalidRequest,
    LimitExceeded,
    MethodNotAllowed,
    NotReady,
    OcrError,
    RequestCancelled,
    RequestTimedOut,
)
from ppocr_serving.reading.budget import Budget
from ppocr_serving.reading.specs import ModelsInUse
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.contract import MODULE_NAMES, encode_answer, require_module
from ppocr_serving.web.doors import EVENT, PREDICT, PREDICT_PREFIX, Door, door_at, refuse_at, unknown_path
from ppocr_serving.web.events import invocation_response, refuse_event
from ppocr_serving.web.gate import Gate, headers_of_error
from ppocr_serving.web.log import LogStream
from ppocr_serving.web.metrics import Metrics
from ppocr_serving.web.record import RequestRecord
from ppocr_serving.web.requests import BodyLimits, Receive, Request, SpooledBody
from ppocr_serving.web.responses import (
    Response,
    error_code,
    error_record,
    error_response,
    json_response,
    text_response,
)
from ppocr_serving.web.site import Site
from ppocr_serving.web.streams import ResponseStream, Send
from ppocr_serving.workers.messages import Answer, Head, Job
from ppocr_serving.workers.parts import Parts
from ppocr_serving.workers.pool import WorkerPool
from ppocr_serving.workers.refusals import not_ready

__all__ = ["Application"]

_log = logging.getLogger(__name__)

_BUFFERED_BODIES = 8  # per process: bodies of the maximum size that may be in memory; far more of the usual size fit
_CLOSE = ("Connection", "close")
_TIMES = "Server-Timing"
_CLOSED = frozenset({"/version"})  # of the site: needs a key
# A client has this long after the deadline, or after the end of a job whose answer cannot be completed, to take the
# parts of the answer that it has not taken.
_LAST_PARTS_SECONDS = 10.0


class _Route(NamedTuple):
    """What a path answers.

    Attributes:
        methods: Allowed methods.
        answer: Answers a request.
        is_logged: Whether its requests appear in the log and are counted.
        is_open: Whether its requests need no API key.
        refuse: Returns an error in the form that its clients expect, given the request's id.
        stream_error: Returns what ends an answer of which parts have been sent.
    """

    methods: tuple[str, ...]
    answer: "Callable[[Request, RequestRecord], Awaitable[Response]]"
    is_logged: bool = True
    is_open: bool = False
    refuse: Callable[[BaseException, str], Response] = error_response
    stream_error: Callable[[BaseException, str], bytes] = error_record


class Application:
    """Answer HTTP requests as clients and platforms expect.

    Args:
        pool: Computes the answers.
        served: Names of the modules that are served.
        settings: Limits and timeouts.
        output: Standard output, for the marks by which Function Compute finds an invocation's lines in the log.
        models: What the processes read with, for the metrics.
    """

    def __init__(
        self,
        pool: WorkerPool,
        served: Collection[str],
        settings: ServerSettings,
        output: LogStream,
        models: Collection[ModelsInUse] = (),
    ) -> None:
        self._pool = pool
        self._served = dict.fromkeys(served)
        self._settings = settings
        self._output = output
        self._budget = Budget(_BUFFERED_BODIES * settings.workers * settings.max_body_mb * 2**20)
        self._limits = BodyLimits(settings.max_body_mb * 2**20, settings.body_timeout)
        self._numbers = itertools.count()
        self._gate = Gate(settings)
        self._site = Site(self._gate.prefix)
        self._constants: dict[str, Response] = {}
        self._is_draining = False
        self._refusal: OcrError | None = None
        self._metrics = Metrics()
        self._models = models
        self._routes: dict[str, _Route] = {
            **{
                path: _Route(("GET", "HEAD"), self._show, is_logged=False, is_open=path not in _CLOSED)
                for path in self._site.paths
            },
            "/healthz": _Route(("GET", "HEAD"), self._healthz, is_logged=False, is_open=True),
            "/readyz": _Route(("GET", "HEAD"), self._readyz, is_logged=False, is_open=True),
            # Aliyun Function Compute calls these during an instance's life.
            "/initialize": _Route(("POST",), self._initialize, is_open=True),
            "/pre-stop": _Route(("GET", "HEAD"), self._lifecycle, is_open=True),
            "/pre-freeze": _Route(("GET", "HEAD"), self._lifecycle, is_open=True),
        }
        if settings.metrics:
            self._routes["/metrics"] = _Route(("GET", "HEAD"), self._show_metrics, is_logged=False)

    @property
    def paths(self) -> Mapping[str, tuple[str, ...]]:
        """The methods of each path that this process answers by itself."""
        return {path: route.methods for path, route in self._routes.items()}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; ASGI's entry point."""
        request = Request(scope, receive)
        request.path = self._gate.prefix.remove_from(request.path)
        record = RequestRecord(request.request_id)
        # Function Compute uses these two lines to find those of an invocation in the log.
        mark = (
            f"RequestId: {request.request_id}\n" if request.headers.get("x-fc-request-id") == request.request_id else ""
        )
        if mark:
            self._output.write(f"FC Invoke Start {mark}")
        stream = ResponseStream(partial(self._start, request, send), send)
        door = door_at(request.path, self._settings.adapters)
        record.door = "" if door is None else door.name
        route = self._route(door, stream, request)
        try:
            response = self._gate.preflight(request, route.methods) or await self._answer(route, request, record)
        except Exception as error:
            record.error = error_code(error)
            if stream.has_begun:
                response = Response(stream.status, (), route.stream_error(error, request.request_id))
            else:
                response = route.refuse(error, request.request_id)
                response = response._replace(headers=(*response.headers, *headers_of_error(error)))
            if isinstance(error, MethodNotAllowed):
                response = response._replace(headers=(*response.headers, ("Allow", route.methods[0])))
        record.is_noted = True
        if record.answer is not None:
            self._gate.charge(record.key, record.answer.pixels)
        if route.is_logged:
            outcome = record.outcome(response.status)
            _log.info(outcome)
            self._metrics.note(outcome)
        if mark:
            self._output.write(f"FC Invoke End {mark}")
        if record.error == RequestCancelled.code:
            return
        if stream.has_begun:
            await stream.end(response.body)
            return
        headers = response.headers
        if response.status != HTTPStatus.NOT_MODIFIED:  # there, it would be that of the body which is not sent
            headers = (*headers, ("Content-Length", str(len(response.body))))
        await self._start(request, send, response.status, headers)
        await send({"type": "http.response.body", "body": response.body})

    def announce_stop(self) -> None:
        """Stop being ready, so that load balancers send no more requests; requests are still answered."""
        self._is_draining = True

    def refuse(self, error: OcrError) -> None:
        """Answer those that wait, and everything that comes, with an error; what has begun goes on."""
        self._is_draining = True
        self._refusal = error
        self._budget.refuse_arriving(error)
        self._pool.refuse(error)

    async def _answer(self, route: _Route, request: Request, record: RequestRecord) -> Response:
        if request.method not in route.methods:
            raise MethodNotAllowed(
                f"{request.method[:20]} is not allowed at {request.path[:80]!r}; use {route.methods[0]}"
            )
        if not route.is_open:
            self._gate.admit(request, record, is_metered=record.door != "")
        return await route.answer(request, record)

    async def _start(
        self, request: Request, send: Send, status: int, response_headers: tuple[tuple[str, str], ...]
    ) -> None:
        """Send the head of a response."""
        headers = [*response_headers, *self._gate.headers(request), ("X-Request-Id", request.request_id)]
        if request.must_close or self._refusal is not None:
            headers.append(_CLOSE)
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})

    def _route(self, door: Door | None, stream: ResponseStream, request: Request) -> _Route:
        if door is None:
            nowhere = _Route(
                (request.method,), _nowhere, is_open=True, refuse=refuse_at(request.path, self._settings.adapters)
            )
            return self._routes.get(request.path) or nowhere
        if door is EVENT:
            return _Route(door.methods, partial(self._invoke, stream))
        read = partial(self._read, door, stream)
        return _Route(door.methods, read, refuse=door.refuse, stream_error=door.stream_error)

    async def _read(self, door: Door, stream: ResponseStream, request: Request, record: RequestRecord) -> Response:
        if door is PREDICT:
            name = request.path.removeprefix(PREDICT_PREFIX)
            if name in MODULE_NAMES:  # arbitrary input does not belong in the log
                record.module = name
            require_module(name, self._served)
        elif door.module:
            require_module(door.module, self._served)
        head = request.head()
        door.check(head)
        if door.name in self._constants:
            return self._constants[door.name]
        async with self._job(door, head, request) as (job, body):
            response = await self._compute(job, body, request, record, stream)
        if door.is_constant and response.status == HTTPStatus.OK:
            kept = tuple(header for header in response.headers if header[0] != _TIMES)
            self._constants[door.name] = response._replace(headers=kept)
        return response

    async def _invoke(self, stream: ResponseStream, request: Request, record: RequestRecord) -> Response:
        try:
            async with self._job(EVENT, Head(request.path), request) as (job, body):
                try:
                    return await self._compute(job, body, request, record, stream)
                except RequestCancelled:
                    raise
                except Exception as error:
                    record.error = error_code(error)
                    return refuse_event(body.contents(), error, request.request_id, self._settings.adapters)
        except (LimitExceeded, RequestCancelled, RequestTimedOut):
            raise
        except Exception as error:  # before the body has arrived, nobody knows whether it is a gateway's event
            record.error = error_code(error)
            return invocation_response(error_response(error, request.request_id))

    @asynccontextmanager
    async def _job(self, door: Door, head: Head, request: Request) -> AsyncIterator[tuple[Job, SpooledBody]]:
        """Receive the body of a request, which is held until the end of the block."""
        page_seconds = self._settings.request_timeout
        allowed = self._settings.document_timeout if door.takes_documents else page_seconds
        seconds = _seconds(request.headers.get("x-request-timeout"), allowed)
        if self._refusal is not None:
            raise self._refusal
        async with request.body(self._budget, self._limits) as body:
            arrival = time.perf_counter()
            yield Job(next(self._numbers), head, request.request_id, arrival, seconds, page_seconds), body

    async def _compute(
        self, job: Job, body: SpooledBody, request: Request, record: RequestRecord, stream: ResponseStream
    ) -> Response:
        """Have a worker answer a request, as long as its client waits for it.

        Returns:
            The answer, or what is left of it once `stream` has begun.
        """
        parts = Parts()
        answering = asyncio.ensure_future(self._pool.answer(job, body, parts, partial(self._note_unsent, record)))
        sending = asyncio.ensure_future(stream.forward(parts))
        leaving = asyncio.ensure_future(request.hang_up())
        try:
            await asyncio.wait({answering, sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():  # it has failed, or the answer is as good as there
                sending.result()
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                failed = answering.exception() is not None
                rest = 0.0 if failed else max(0.0, job.arrival + job.seconds - time.perf_counter())
                seconds = rest + _LAST_PARTS_SECONDS
                await asyncio.wait({sending, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() and not answering.exception():
                record.answer = answering.result().answer
            if leaving.done() and not (answering.done() and sending.done()):
                raise RequestCancelled("the client has left before its request was answered")
            all_is_taken = sending.done()
        finally:
            for task in (answering, sending, leaving):
                task.cancel()
            await asyncio.wait({sending})  # so that nothing else is sent meanwhile
        answer, answer_body = answering.result()
        if not all_is_taken:
            raise DeadlineExceeded(f"the answer was not taken within {job.seconds:g} seconds; take it faster")
        headers = (*answer.headers, (_TIMES, record.server_timing()))
        return Response(stream.status or answer.status, headers, answer_body)

    def _note_unsent(self, record: RequestRecord, answer: Answer) -> None:
        """Take note of what a process has done for a request whose answer was given up."""
        if not record.is_noted:  # the request's own line will have it
            record.answer = answer
            return
        self._gate.charge(record.key, answer.pixels)
        self._metrics.note_work(record.key, answer)
        _log.info(
            "id=%s ends in its process: pictures=%d pages=%d pixels=%d lines=%d",
            *(record.request_id, answer.pictures, answer.pages, answer.pixels, answer.lines),
        )

    async def _show(self, request: Request, _record: RequestRecord) -> Response:
        return self._site.response(request.path, request.headers)

    async def _healthz(self, _request: Request, _record: RequestRecord) -> Response:
        return text_response("ok\n")

    async def _readyz(self, _request: Request, _record: RequestRecord) -> Response:
        if self._is_draining:
            raise NotReady("the server is stopping; send requests to another one")
        if not self._pool.is_ready:
            raise not_ready()
        return text_response("ready\n")

    async def _show_metrics(self, _request: Request, _record: RequestRecord) -> Response:
        from ppocr_serving.web.exposition import exposition  # takes a while, and many servers are never asked

        state = self._pool.state()
        ready = state.is_ready and not self._is_draining
        return exposition(self._metrics, state._replace(is_ready=ready), self._models)

    async def _initialize(self, _request: Request, _record: RequestRecord) -> Response:
        await self._pool.wait_ready()
        return _done()

    async def _lifecycle(self, _request: Request, _record: RequestRecord) -> Response:
        return _done()


def _done() -> Response:
    return json_response(encode_answer(""), headers=(("x-fc-status", str(HTTPStatus.OK.value)),))


async def _nowhere(request: Request, _record: RequestRecord) -> Response:
    raise unknown_path(request.path)


def _seconds(requested: str | None, allowed: float) -> float:
    """Return how long a request may take: as the settings say, or less if the client asks for that."""
    if requested is None:
        return allowed
    try:
        seconds = float(requested)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise InvalidRequest(f"X-Request-Timeout must be a number of seconds above 0, got {requested[:40]!r}")
    return min(seconds, allowed)
