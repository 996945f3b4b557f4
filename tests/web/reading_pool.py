"""A pool whose worker reads pictures with the real models, for applications in process.

The worker is a new interpreter, because the engines' libraries, which other tests have loaded here, do not survive a
fork.
"""

import asyncio
import io
import itertools
import json
import os
import pickle
import socket
import sys
from collections.abc import Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from ppocr_serving.engines import EnginePool
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.specs import ModelsInUse
from ppocr_serving.reading.warmup import load_engines, try_out
from ppocr_serving.settings import ServerSettings, Settings
from ppocr_serving.web.answers import Answers
from ppocr_serving.web.app import Application
from ppocr_serving.web.hubserving import MODULES
from ppocr_serving.web.log import LogStream
from ppocr_serving.workers.members import PoolLimits
from ppocr_serving.workers.messages import Channel
from ppocr_serving.workers.pool import WorkerPool
from ppocr_serving.workers.process import Crew, WorkerProcess
from ppocr_serving.workers.worker import Work, run_worker
from tests.asgi import Answer, ask
from tests.flat_settings import with_values

__all__ = ["Client", "reading"]

_T = TypeVar("_T")

_MAX_JOBS = 4
_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from tests.web.reading_pool import work
work(int(sys.argv[2]), sys.argv[3])
"""


class _Pickler(pickle.Pickler):
    """Send read-only mappings to another process as dictionaries."""

    def reducer_override(self, value: object) -> Any:
        return (dict, (dict(value),)) if isinstance(value, MappingProxyType) else NotImplemented


class Client:
    """A client of applications that share a pool.

    Args:
        pool: The pool.
        served: Names of the modules.
        loop: Where the pool runs.
        output: Receives the applications' standard output.
    """

    def __init__(
        self, pool: WorkerPool, served: Mapping[str, Settings], loop: asyncio.AbstractEventLoop, output: LogStream
    ) -> None:
        self._pool = pool
        self._served = served
        self._loop = loop
        self._output = output
        self._numbers = itertools.count()

    def application(self, settings: ServerSettings, models: Collection[ModelsInUse] = ()) -> Application:
        """Return an application with limits and timeouts of its own."""
        application = Application(self._pool, self._served, settings, self._output, models)
        # A pool tells jobs apart by their numbers, and one that nobody waits for any more may still be in its worker.
        application._numbers = self._numbers
        return application

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine where the pool runs."""
        return self._loop.run_until_complete(coroutine)

    def post(self, application: Application, path: str, body: bytes, **headers: str) -> Answer:
        """Post a body that must be answered."""
        return self.ask(application, "POST", path, body, **headers)

    def ask(self, application: Application, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request that must be answered."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.run(ask(application, method, path, [body], named))
        assert answer is not None
        return answer


@contextmanager
def reading(served: Mapping[str, Settings], settings: ServerSettings) -> Iterator[Client]:
    """Run a pool with one worker that reads pictures.

    Args:
        served: Settings of each module's reader.
        settings: Limits for the worker.
    """
    arguments = io.BytesIO()
    _Pickler(arguments).dump((dict(served), settings))

    def run(channel: Channel) -> NoReturn:
        os.set_inheritable(channel.fileno(), True)
        command = [
            sys.executable,
            "-c",
            _PROGRAM,
            json.dumps(sys.path),
            str(channel.fileno()),
            arguments.getvalue().hex(),
        ]
        os.execv(sys.executable, command)

    processes: list[WorkerProcess] = []

    def start() -> WorkerProcess:
        processes.append(WorkerProcess(run, ()))
        return processes[-1]

    def give_up() -> None:
        raise AssertionError(f"the models cannot be loaded: {processes[-1].last_words}")

    loop = asyncio.new_event_loop()
    limits = PoolLimits(1, _MAX_JOBS, settings.max_concurrency, 64, 600, 0)
    pool = WorkerPool(Crew(start, (start(),)), limits, lambda: None, give_up)
    with open(os.devnull, "wb") as null:  # noqa: PTH123
        output = LogStream(null.fileno())
    loop.call_soon(pool.attach)
    loop.run_until_complete(pool.wait_ready())
    yield Client(pool, served, loop, output)
    pool.stop()
    loop.run_until_complete(pool.wait_stopped())
    while any(Path(f"/proc/{process.pid}").exists() for process in processes):
        loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    os.close(output.fileno())


def work(channel: int, arguments: str) -> NoReturn:
    """Be the worker."""
    served, settings = pickle.loads(bytes.fromhex(arguments))
    engines = EnginePool()
    readers = {
        # Preparing shapes of input after the start takes longer than most tests do.
        name: Reader(settings=with_values(own, kept_shapes=0), pool=engines, roles=MODULES[name].roles)
        for name, own in served.items()
    }
    own_work = Work(
        load=lambda: load_engines(readers.values()),
        try_out=lambda: try_out(readers.values()),
        answer=Answers(readers, settings),
        max_concurrency=settings.max_concurrency,
        max_jobs=_MAX_JOBS,
    )
    run_worker(own_work, Channel(socket.socket(fileno=channel)))
