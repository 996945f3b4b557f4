"""A program: the real server, whose worker answers in parts as the request says, without models.

Usage: streaming_server.py PORT

The body of a request is a JSON object: `parts` of `size` bytes each, `wait` seconds before each, and `then` one of
`end`, `fail`, `die`, `late` (overstay the page's deadline once), `hang`, `whole` (no parts at all).
"""

import json
import os
import signal
import sys
import time
from functools import cache
from typing import NoReturn

from msgspec.structs import replace

from ppocr_serving.errors import EngineError, PageDeadlineExceeded
from ppocr_serving.server.listener import listen
from ppocr_serving.server.run import run
from ppocr_serving.settings import load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web import answers as answers_module
from ppocr_serving.web import app as app_module
from ppocr_serving.web.answers import Answers
from ppocr_serving.web.call import Call
from ppocr_serving.web.log import configure_logging
from ppocr_serving.web.responses import Response, json_response
from ppocr_serving.workers.messages import Channel, Job, Reply
from ppocr_serving.workers.outlet import Outlet
from ppocr_serving.workers.process import Crew, WorkerProcess
from ppocr_serving.workers.worker import MAX_PAUSED, Work, run_worker

LINES = (("Content-Type", "application/jsonl"),)


def nothing() -> None:
    """There is nothing to load."""


def line(number: int, size: int) -> bytes:
    """Return a part: a number, padded to a line of so many bytes."""
    return str(number).encode().rjust(size - 1, b".") + b"\n"


def read(call: Call) -> Response:
    """Answer as the request says."""
    asked = json.loads(bytes(call.body))
    call.record.module = "ocr_system"
    if asked["then"] == "whole":
        return json_response(b"{}")
    sink = call.stream(200, LINES)
    for number in range(asked["parts"]):
        call.next_page()
        call.record.pictures += 1
        pause(call.watch, asked.get("wait", 0))
        sink.send(line(number, asked["size"]))
    match asked["then"]:
        case "fail":
            raise EngineError("the secret reason")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "late":
            call.next_page()
            try:
                pause(call.watch, 3600)
            except PageDeadlineExceeded as error:
                sink.send(f"page: {error}\n".encode())
            call.next_page()
        case "hang":
            call.next_page()
            time.sleep(3600)
    return sink.end(b"end\n")


def pause(watch: Stopwatch, seconds: float) -> None:
    """Compute for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with watch("rec_engine"):
            time.sleep(0.002)


def main() -> None:
    """Serve until the process is stopped."""
    settings = replace(load_settings().server, port=int(sys.argv[1]))
    listener = listen(settings.host, settings.port)
    output, log = configure_logging()
    app_module._LAST_PARTS_SECONDS = 1
    answers_module._function_behind = cache(lambda _: read)
    answers = Answers({}, settings)

    def answer(job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        return answers(job, body, watch, outlet)

    def work(channel: Channel) -> NoReturn:
        run_worker(
            Work(nothing, nothing, answer, settings.max_concurrency, settings.max_concurrency + MAX_PAUSED), channel
        )

    def start() -> WorkerProcess:
        return WorkerProcess(work, {output.fileno(), log.fileno()})

    run(settings, ["ocr_system"], listener, output, Crew(start, tuple(start() for _ in range(settings.workers))), ())


if __name__ == "__main__":
    main()
