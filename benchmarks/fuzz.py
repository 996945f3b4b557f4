"""Throw mutated requests at every door of a server, and check each answer: its form, its status and its time.

    python -m benchmarks.fuzz [--inputs N] [--seed N] [-- COMMAND]

Mutates files, bodies, forms, JSON, queries and content types of valid requests, and sends them from several clients
over kept connections. Every answer must be well-formed for its door, have a known status (never 500), and come in time;
the log must have no traceback; no process may be replaced; and valid requests in between must be answered as they were
at first. Prints a table by door and status, and how to repeat what went wrong. A door that answers its valid requests
with 404 is absent: it is reported, and not tested.

COMMAND starts the server; the default is `python -m ppocr_serving`. The exit status is 1 if anything went wrong.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from benchmarks.door_answers import comparable, examine
from benchmarks.door_probe import Valid, probe
from benchmarks.doors import RECIPES, Asked, Client, Lost, Recipe
from benchmarks.mutations import mutate, mutate_body, mutate_head
from benchmarks.server import check_running, serving, wait_until_ready
from benchmarks.small_files import small_files
from benchmarks.soak_memory import recording
from benchmarks.soak_report import report

__all__ = ["Input", "Tally", "main", "plan_input"]

_GOOD_EVERY: Final = 200  # inputs of a client between two valid requests
_SHOWN: Final = 20
_REQUEST_SECONDS: Final = 20
_ANSWER_SECONDS: Final = _REQUEST_SECONDS + 15  # a process that does not end after the deadline is replaced
_LIMITS: Final = {
    "PPOCR_MAX_BODY_MB": "1",
    # A mutated header may declare many pixels, which take a second to read.
    "PPOCR_MAX_PIXELS": "1000000",
    "PPOCR_REQUEST_TIMEOUT": str(_REQUEST_SECONDS),
    "PPOCR_QUEUE_TIMEOUT": str(_REQUEST_SECONDS),
}


class Input(NamedTuple):
    """One mutated request.

    Attributes:
        kind: What is mutated: `file`, `body`, `head`, or nothing (`valid`).
        file: Name of the file in it.
        asked: The request.
    """

    kind: str
    file: str
    asked: Asked


class Tally:
    """What came of the inputs; clients in several threads add to it.

    Attributes:
        counts: Inputs by door and status.
        failures: A line for each input whose answer was wrong.
        slowest: Seconds of the slowest answer.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.failures: list[str] = []
        self.slowest = 0.0
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """Number of inputs."""
        with self._lock:
            return self.counts.total()

    def add(self, door: str, status: str, seconds: float = 0.0, failure: str = "") -> None:
        """Count an input."""
        with self._lock:
            self.counts[door, status] += 1
            self.slowest = max(self.slowest, seconds)
            if failure:
                self.failures.append(failure)


def plan_input(recipes: Sequence[Recipe], files: Mapping[str, bytes], seed: int, number: int) -> Input:
    """Return an input; the same seed and number give the same one.

    Args:
        recipes: Ways to have a file read.
        files: Small files; the first word of each name is its format.
        seed: The run's.
        number: Which of the run's inputs.
    """
    rng = random.Random(f"{seed}-{number}")  # noqa: S311  # no secrets here
    door = rng.choice(sorted({recipe.door for recipe in recipes}))
    recipe = rng.choice([recipe for recipe in recipes if recipe.door == door])
    formats = sorted({name.split()[0] for name in files})
    if not recipe.takes_pdf and rng.random() < 0.9:
        formats.remove("PDF")
    kind = rng.choices(("file", "body", "head", "valid"), (60, 28, 10, 2))[0]
    file_format = rng.choice(formats)
    name = rng.choice([name for name in files if name.split()[0] == file_format])
    file = mutate(files[name], rng) if kind == "file" or rng.random() < 0.2 else files[name]
    asked = recipe.build(file, {})
    if kind == "body":
        asked = mutate_body(asked, rng)
    elif kind == "head":
        asked = mutate_head(asked, rng)
    return Input(kind, name, asked)


class _Fuzzer:
    """Clients that send inputs, and valid requests in between."""

    def __init__(self, port: int, valid: Sequence[Valid], options: argparse.Namespace, tally: Tally) -> None:
        self._port = port
        self._valid = valid
        self._recipes = [one.recipe for one in valid]
        self._files = small_files()
        self._options = options
        self._tally = tally
        self._numbers = iter(range(options.start, options.start + options.inputs))
        self._deadline = time.monotonic() + (options.seconds or float("inf"))

    def run(self) -> None:
        """Send all inputs."""
        with ThreadPoolExecutor(self._options.clients) as pool:
            for future in [pool.submit(self._send_some) for _ in range(self._options.clients)]:
                future.result()

    def _send_some(self) -> None:
        with Client(self._port, _ANSWER_SECONDS) as client:
            for sent, number in enumerate(self._numbers):  # shared: each idle client takes the next
                if time.monotonic() > self._deadline:
                    return
                self._send(client, number)
                if sent % _GOOD_EVERY == 0:
                    self._send_valid(client, self._valid[sent // _GOOD_EVERY % len(self._valid)])

    def _send(self, client: Client, number: int) -> None:
        planned = plan_input(self._recipes, self._files, self._options.seed, number)
        door = planned.asked.door
        where = f"--seed {self._options.seed} --start {number} --inputs 1 ({door}, {planned.kind}, {planned.file})"
        try:
            answer = client.ask(planned.asked)
        except Lost as error:
            self._tally.add(door, "lost", failure=f"{where}: {error}")
            return
        outcome = examine(planned.asked, answer)
        if self._options.show:
            print(f"{where}\n{planned.asked}\n{answer}")
        problem = outcome.problem or (answer.seconds > _ANSWER_SECONDS and f"took {answer.seconds:.1f} s")
        self._tally.add(door, str(outcome.status), answer.seconds, f"{where}: {problem}" if problem else "")

    def _send_valid(self, client: Client, valid: Valid) -> None:
        try:
            answer = client.ask(valid.asked)
        except Lost as error:
            self._tally.add(valid.recipe.door, "lost", failure=f"{valid.recipe.name}, a valid request: {error}")
            return
        is_same = comparable(answer) in valid.answers
        failure = f"{valid.recipe.name}, a valid request: another answer {answer.status} {answer.body[:200]!r}"
        self._tally.add(valid.recipe.door, str(answer.status), answer.seconds, "" if is_same else failure)


def _fuzz(options: argparse.Namespace) -> Iterator[str]:
    """Run the fuzzer and print the table; yield a line for each thing that went wrong."""
    tally = Tally()
    recipes = [recipe for recipe in RECIPES.values() if not options.door or recipe.door in options.door]
    command = options.command or [sys.executable, "-m", "ppocr_serving"]
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        serving(command, Path(folder), _LIMITS) as (process, url),
        recording(process.pid, lambda: tally.total) as memory,
    ):
        log = Path(folder, "log")
        wait_until_ready(process, url, log)
        memory.mark_ready()
        port = urlsplit(url).port or 0
        found = probe(port, recipes, small_files()["PNG"])
        yield from found.wrong
        if not found.present:
            yield "no door answers a valid request"
            return
        start = time.monotonic()
        _Fuzzer(port, found.present, options, tally).run()
        seconds = time.monotonic() - start
        check_running(process, log, "before the last answer")
        text = log.read_text(encoding="utf-8", errors="replace")
        replaced, most = memory.replaced_workers(), max(sample.total_peak for sample in memory.samples)
    _print_table(tally, found.absent)
    print(
        f"\n{tally.total} inputs in {seconds:.0f} s; wrong: {len(tally.failures)}; "
        f"slowest answer {tally.slowest:.1f} s; most memory {most / 1e6:.0f} MB; "
        f"processes replaced: {replaced}; log {len(text) / 1e6:.1f} MB"
    )
    yield from tally.failures[:_SHOWN]
    if len(tally.failures) > _SHOWN:
        yield f"{len(tally.failures) - _SHOWN} more inputs went wrong"
    if tracebacks := text.count("Traceback"):
        yield f"the log has {tracebacks} tracebacks"
    if replaced:
        yield f"{replaced} processes were replaced"


def _print_table(tally: Tally, absent: Sequence[str]) -> None:
    statuses = sorted({status for _, status in tally.counts})
    print(f"| door | inputs | {' | '.join(statuses)} |")
    print("|---|" + "---|" * (1 + len(statuses)))
    for door in sorted({door for door, _ in tally.counts}):
        counts = [tally.counts[door, status] for status in statuses]
        print(f"| {door} | {sum(counts)} | {' | '.join(map(str, counts))} |")
    for door in absent:
        print(f"| {door} | absent |{' |' * len(statuses)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000, help="number of inputs (default: 2000)")
    parser.add_argument("--seconds", type=float, help="stop after this time, whatever is left")
    parser.add_argument("--seed", type=int, default=0, help="seed of the inputs (default: 0)")
    parser.add_argument("--start", type=int, default=0, help="number of the first input (default: 0)")
    parser.add_argument("--clients", type=int, default=8, help="clients at once (default: 8)")
    doors = sorted({recipe.door for recipe in RECIPES.values()})
    parser.add_argument("--door", action="append", choices=doors, help="only this door; may be repeated")
    parser.add_argument("--show", action="store_true", help="print each request and its answer")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="command that starts the server, after --")
    options = parser.parse_args(arguments)
    return report(_fuzz(options), "fuzz")


if __name__ == "__main__":
    sys.exit(main())
