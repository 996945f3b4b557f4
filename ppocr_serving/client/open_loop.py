"""Load on a server: requests at moments that are fixed beforehand, however long the answers take."""

import asyncio
import random
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Self

import httpx2
import msgspec

from ppocr_serving.client.connection import Connection
from ppocr_serving.client.errors import ConnectionFailed
from ppocr_serving.client.sending import Loaded, fields_of, form_of
from ppocr_serving.reading.options import ReadOptions

__all__ = [
    "ANSWERED",
    "BROKEN_OFF",
    "NO_CONNECTION",
    "TIMED_OUT",
    "UNANSWERED",
    "UNSENT",
    "Arrivals",
    "Endpoint",
    "OpenLoop",
    "Outcome",
    "Refusal",
    "Round",
    "moments_of",
]

Arrivals = Literal["poisson", "constant"]
Endpoint = Literal["v1", "predict"]

ANSWERED: Final = "200"
TIMED_OUT: Final = "timed_out"
NO_CONNECTION: Final = "no_connection"
BROKEN_OFF: Final = "broken_off"
UNSENT: Final = "unsent"
UNANSWERED: Final = "unanswered"

_PREDICT: Final = "predict/ocr_system"
_TIMING: Final = "Server-Timing"
_LEAD_SECONDS: Final = 0.05
"""Between the call and the first moment, so that a request at moment 0 is not late."""


class Outcome(NamedTuple):
    """What became of a request. Times are seconds since its round has started.

    Attributes:
        moment: When it was due.
        began: When it was sent; later than `moment` if this process was late.
        ended: When its answer was complete, or it failed.
        result: The status of its answer, such as `ANSWERED`; or one of `TIMED_OUT`, `NO_CONNECTION`, `BROKEN_OFF`,
            `UNSENT` (too many were under way) and `UNANSWERED` (the round was interrupted).
        timing: What the answer says of the server's times.
    """

    moment: float
    began: float
    ended: float
    result: str
    timing: str = ""

    @property
    def seconds(self) -> float:
        """How long it took from when it was due: that of a request that waits for its turn, here or there, counts."""
        return self.ended - self.moment

    @property
    def lag(self) -> float:
        """By how many seconds this process sent it late."""
        return self.began - self.moment


@dataclass
class Round:
    """What became of the requests of a round, which grows while it runs.

    Attributes:
        outcomes: In the order in which they ended.
        seconds: For how long requests were due, or until it was interrupted.
        is_whole: Whether it was not interrupted.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    is_whole: bool = False


class Refusal(NamedTuple):
    """An answer other than 200.

    Attributes:
        status: Its HTTP status.
        message: What it says; empty if that is not known.
    """

    status: int
    message: str


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class _Refused(msgspec.Struct, frozen=True):
    error: _Error = _Error()
    msg: str = ""  # of `/predict/*`


def moments_of(rate: float, seconds: float, arrivals: Arrivals) -> list[float]:
    """Return when requests are due, in seconds since the start; the same ones each time.

    Args:
        rate: Requests per second.
        seconds: For how long.
        arrivals: `constant` leaves the same time between all. `poisson` is what many clients that know nothing of each
            other do: now and then several come at once. It has exactly as many requests as the rate says, because a
            number that varies, too, would make rates hard to compare.
    """
    count = round(rate * seconds)
    if arrivals == "constant":
        return [number / rate for number in range(count)]
    # Given their number, the arrivals of a Poisson process are independent and uniform.
    chance = random.Random(0)  # noqa: S311  # the same arrivals each time are wanted
    return sorted(chance.uniform(0.0, seconds) for _ in range(count))


class OpenLoop:
    """Send files to a server, in turn, and note what becomes of them. Nothing is sent again. Use it in a `with` block.

    Args:
        url: Address of the server, such as http://127.0.0.1:9000; its key is taken from `PPOCR_API_KEY`.
        files: Names and bytes of the files; at least one.
        endpoint: `v1` sends them to `/v1/read`, `predict` to `/predict/ocr_system`.
        options: How they are read.
        clients: How many requests may be under way.
        timeout: Seconds after which a request counts as not answered.

    Raises:
        InvalidRequest: The address or the key cannot be one.
    """

    def __init__(
        self,
        url: str,
        files: Sequence[tuple[str, bytes]],
        *,
        endpoint: Endpoint,
        options: ReadOptions,
        clients: int,
        timeout: float,
    ) -> None:
        self._connection = Connection(url, None, timeout, 0)
        self._client = httpx2.AsyncClient(**{**self._connection.settings, "timeout": None})
        self._requests = [self._request(Loaded(*file), endpoint, options) for file in files]
        self._clients = clients
        self._timeout = timeout
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._runner:
            self._runner.run(self._client.aclose())

    @property
    def address(self) -> str:
        """Where requests are sent, without user and password."""
        return f"{self._connection.name}{self._requests[0].url.path}"

    def ask(self, number: int) -> Refusal | None:
        """Send a request, and wait for its answer.

        Args:
            number: Which file; they are counted from 0 and come in turn.

        Returns:
            What the server says if the answer is not 200.

        Raises:
            ConnectionFailed: There is no answer.
        """
        return self._runner.run(self._ask(number))

    def play(self, moments: Sequence[float], seconds: float, into: Round) -> None:
        """Send a request at each moment, beginning with the first file, and wait until all have been answered.

        Args:
            moments: When they are due, in seconds, ascending.
            seconds: For how long requests are due.
            into: What becomes of them; if it is interrupted, of those until then.

        Raises:
            KeyboardInterrupt: It is interrupted; those under way are given up.
        """
        self._runner.run(self._play(moments, seconds, into))

    def _request(self, file: Loaded, endpoint: Endpoint, options: ReadOptions) -> httpx2.Request:
        """Return a request with its body, which is sent many times as it is: encoding takes time."""
        if endpoint == "v1":
            request: dict[str, Any] = form_of([file], fields_of(options, format="json"))
        else:
            body = {
                "images": [b64encode(file.data).decode()],
                **({"options": given} if (given := options.given()) else {}),
            }
            headers = {"Content-Type": "application/json"}
            request = {"method": "POST", "url": _PREDICT, "content": msgspec.json.encode(body), "headers": headers}
        built = self._client.build_request(**request)
        built.read()
        return built

    def _next(self, number: int) -> httpx2.Request:
        return self._requests[number % len(self._requests)]

    async def _ask(self, number: int) -> Refusal | None:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.send(self._next(number))
        except TimeoutError:
            raise ConnectionFailed(
                f"{self._connection.name} has not answered within {self._timeout:g} seconds; is it busy?"
            ) from None
        except httpx2.HTTPError as error:
            raise self._connection.break_off(error) from error
        if response.status_code == httpx2.codes.OK:
            return None
        try:
            said = msgspec.json.decode(response.content, type=_Refused)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            said = _Refused()
        return Refusal(response.status_code, said.error.message or said.msg)

    async def _play(self, moments: Sequence[float], seconds: float, into: Round) -> None:
        clock = asyncio.get_running_loop().time
        start = clock() + _LEAD_SECONDS
        under_way: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.TaskGroup() as group:
                for number, moment in enumerate(moments):
                    await asyncio.sleep(max(0.0, start + moment - clock()))
                    if len(under_way) >= self._clients:
                        # Were it sent later, a slow server would choose its own load.
                        now = clock() - start
                        into.outcomes.append(Outcome(moment, now, now, UNSENT))
                        continue
                    task = group.create_task(self._send(number, moment, start, into))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
            into.is_whole = True
        finally:
            into.seconds = seconds if into.is_whole else min(seconds, max(0.0, clock() - start))

    async def _send(self, number: int, moment: float, start: float, into: Round) -> None:
        clock = asyncio.get_running_loop().time
        began = clock() - start
        result, timing = UNANSWERED, ""
        try:
            async with asyncio.timeout_at(start + moment + self._timeout):
                response = await self._client.send(self._next(number))
            result, timing = str(response.status_code), response.headers.get(_TIMING, "")
        except TimeoutError:
            result = TIMED_OUT
        except httpx2.ConnectError:
            result = NO_CONNECTION
        except httpx2.HTTPError:
            result = BROKEN_OFF
        finally:
            into.outcomes.append(Outcome(moment, began, clock() - start, result, timing))
