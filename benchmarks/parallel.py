"""Compare how processes and threads share the CPUs: throughput, latency, fairness and memory with several clients.

For each way of sharing, a server is started with `python -m ppocr_serving`. It reads the pictures alternately for one
client that sends one after the other, and for several clients that do so at the same time. Throughput is the median
over the rounds. Fairness is the number of answers of the client that got the fewest, divided by that of the client that
got the most, while all of them were sending. Memory is the resident memory of all processes that answer, at the end.
"""

import argparse
import base64
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.server import ServerFailed, serving, wait_until_ready
from ppocr_serving.cpu import available_cpus
from ppocr_serving.vision.pictures import picture_paths

_COMMAND = (sys.executable, "-m", "ppocr_serving")


class Round(NamedTuple):
    """Results of one round.

    Attributes:
        per_second: Answers per second, all clients together.
        seconds: How long each request took.
        fairness: Fewest answers per client divided by the most; 1 for a single client.
    """

    per_second: float
    seconds: list[float]
    fairness: float


def play(url: str, bodies: Sequence[bytes], clients: int, duration: float) -> Round:
    """Let clients send requests for a while, one after another, each on its own connection.

    Args:
        url: The server.
        bodies: Requests; each client starts with a different one.
        clients: Number of clients.
        duration: Seconds after which no further request is sent.

    Raises:
        ServerFailed: An answer was not 200.
    """
    start = threading.Barrier(clients)
    ends_at = [0.0]

    def client(number: int) -> list[float]:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=600)
        seconds: list[float] = []
        if start.wait() == 0:
            ends_at[0] = time.perf_counter() + duration
        start.wait()
        try:
            while time.perf_counter() < ends_at[0]:
                body = bodies[(number * len(bodies) // clients + len(seconds)) % len(bodies)]
                begin = time.perf_counter()
                connection.request("POST", "/predict/ocr_system", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200:
                    raise ServerFailed(f"a request was answered with status {answer.status}: {content[:200]!r}")
                seconds.append(time.perf_counter() - begin)
        finally:
            connection.close()
        return seconds

    with ThreadPoolExecutor(clients) as pool:
        begin = time.perf_counter()
        answers = list(pool.map(client, range(clients)))
        elapsed = time.perf_counter() - begin
    counts = [len(seconds) for seconds in answers]
    return Round(sum(counts) / elapsed, list(chain.from_iterable(answers)), min(counts) / max(counts))


def _resident_mb(pid: int) -> float:
    """Return the resident memory of a server's child processes, in millions of bytes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    pages = sum(int(Path(f"/proc/{child}/statm").read_text(encoding="ascii").split()[1]) for child in children)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _measure(bodies: Sequence[bytes], workers: int, threads: int, options: argparse.Namespace) -> str:
    variables = {"PPOCR_WORKERS": str(workers), "PPOCR_THREADS": str(threads)}
    with (
        tempfile.TemporaryDirectory(prefix="parallel-") as folder,
        serving(_COMMAND, Path(folder), variables) as (process, url),
    ):
        wait_until_ready(process, url, Path(folder, "log"))
        play(url, bodies, options.clients, options.seconds)  # the first use of a shape is not measured
        one, many = [], []
        for _ in range(options.rounds):
            one.append(play(url, bodies, 1, options.seconds))
            many.append(play(url, bodies, options.clients, options.seconds))
        memory = _resident_mb(process.pid)
    alone, together = median(one_.per_second for one_ in one), median(many_.per_second for many_ in many)
    waits = [seconds for many_ in many for seconds in many_.seconds]
    cells = [
        f"{workers} x {threads}",
        f"{alone:.1f}",
        f"{together:.1f}",
        f"{together / alone:.2f}",
        f"{median(seconds for one_ in one for seconds in one_.seconds) * 1000:.0f}",
        f"{median(waits) * 1000:.0f}",
        f"{quantiles(waits, n=20)[-1] * 1000:.0f}",
        f"{median(many_.fairness for many_ in many):.2f}",
        f"{memory:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _sharing(text: str) -> tuple[int, int]:
    workers, _, threads = text.partition("x")
    return int(workers), int(threads)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    cpus = available_cpus()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, metavar="DIR", help="pictures")
    parser.add_argument("--clients", type=int, default=8, help="concurrent clients (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds per round (default: 10)")
    parser.add_argument(
        "--sharing",
        type=_sharing,
        action="append",
        metavar="WORKERSxTHREADS",
        help=f"number of processes x threads of each (default: 1x1, 1x{cpus} and {cpus}x1)",
    )
    options = parser.parse_args(arguments)
    paths = picture_paths(options.directory)
    if not paths:
        print(f"parallel: {options.directory} has no pictures", file=sys.stderr)
        return 1
    if min(options.clients, options.rounds) < 1 or options.seconds <= 0:
        print("parallel: --clients and --rounds must be at least 1, and --seconds above 0", file=sys.stderr)
        return 1
    bodies = [json.dumps({"images": [base64.b64encode(path.read_bytes()).decode()]}).encode() for path in paths]
    print(
        f"| processes x threads | 1 client, pictures/s | {options.clients} clients, pictures/s | ratio | 1 client, ms "
        f"| {options.clients} clients, ms | 95 % below, ms | fairness | MB |\n|{'---|' * 9}"
    )
    try:
        for workers, threads in options.sharing or sorted({(1, 1), (1, cpus), (cpus, 1)}):
            print(_measure(bodies, workers, threads, options), flush=True)
    except (ServerFailed, OSError) as error:
        print(f"parallel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
