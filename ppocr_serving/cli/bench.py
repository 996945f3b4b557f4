"""Measure how many requests per second a server answers, and how long each takes.

Requests are sent at the given rate whether or not earlier ones have been answered, as clients that know nothing of each
other do, and times count from when a request was due: those of a server that falls behind grow, as they do for clients.
"""

import argparse
import math
import os
import resource
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ppocr_serving.cli.commands import PROGRAM
from ppocr_serving.cli.inputs import find_inputs
from ppocr_serving.cli.read_options import PASSWORD, add_read_options, read_options
from ppocr_serving.cli.usage import INTERRUPTED, Parser, WrongUsageError, parse, whole_number
from ppocr_serving.errors import LimitExceeded, OcrError
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.options import ReadOptions

if TYPE_CHECKING:
    from ppocr_serving.cli.load_report import Row
    from ppocr_serving.client.open_loop import Arrivals, Endpoint, OpenLoop

__all__ = ["build_parser", "main"]

_NAME: Final = "bench"
_MAX_RATE: Final = 10_000.0
_MAX_SECONDS: Final = 86_400.0
_MAX_REQUESTS: Final = 500_000
_CLIENTS: Final = 1000
_MAX_CLIENTS: Final = 20_000
_MAX_BYTES: Final = 2**30
_OTHER_FILES: Final = 64
"""Room for the files that this process has open besides its connections."""

_WARM_UP: Final = 20
_EXAMPLES: Final = f"""examples:
  {PROGRAM} bench http://127.0.0.1:9000 --rate 5
  {PROGRAM} bench http://ocr.example:9000 scans/ --rate 2 --rate 5 --rate 10 --rate 20
  {PROGRAM} bench http://ocr.example:9000 'scans/**/*.jpg' --rate 50 --seconds 300 --format json > load.json

Run it where it takes nothing from the server: on another machine. The key is taken from PPOCR_API_KEY.
The exit status is 0, 1 if no request was answered with 200, 2 for wrong usage, 130 if interrupted; what was measured by
then is still printed.
"""


class _Plan(NamedTuple):
    """What is to be done.

    Attributes:
        url: The server.
        files: Names and bytes.
        options: How they are read.
        endpoint: Where they are sent.
        rates: Requests per second, one after the other.
        seconds: How long each.
        arrivals: How requests are spread.
        warm_up: Requests before that.
        clients: How many may be under way.
        timeout: Seconds for each.
        is_json: Whether to print JSON.
    """

    url: str
    files: Sequence[tuple[str, bytes]]
    options: ReadOptions
    endpoint: "Endpoint"
    rates: Sequence[float]
    seconds: float
    arrivals: "Arrivals"
    warm_up: int
    clients: int
    timeout: float
    is_json: bool


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ppocr bench`."""
    parser = Parser(
        prog=f"{PROGRAM} bench",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("url", metavar="URL", help="the server, such as http://127.0.0.1:9000")
    parser.add_argument(
        "files",
        nargs="*",
        metavar="PATH",
        help="pictures and PDF files, folders and patterns, as for `read`, of which each request sends the next "
        "(default: two example pictures; times depend on the pictures, so give your own)",
    )
    parser.add_argument(
        "--rate",
        dest="rates",
        action="append",
        required=True,
        metavar="NUMBER",
        help="requests per second; repeat it for several rates, one after the other",
    )
    parser.add_argument("--seconds", default="30", metavar="NUMBER", help="how long each rate lasts (default: 30)")
    parser.add_argument(
        "--warm-up",
        metavar="NUMBER",
        help="requests before that, one at a time, which do not count: the first of its kind takes longer (default: "
        f"each file once, but no more than {_WARM_UP})",
    )
    parser.add_argument(
        "--arrivals",
        choices=("poisson", "constant"),
        default="poisson",
        help="poisson: as many clients send that know nothing of each other, now and then several at once (default); "
        "constant: with the same time between all",
    )
    parser.add_argument(
        "--endpoint",
        choices=("v1", "predict"),
        default="v1",
        help="v1: /v1/read (default); predict: /predict/ocr_system, for pictures only",
    )
    parser.add_argument(
        "--clients",
        metavar="NUMBER",
        help="requests that may be under way; those that find no room are not sent, and counted (default: "
        f"{_CLIENTS}, or as many as `ulimit -n` allows)",
    )
    parser.add_argument(
        "--timeout",
        default="90",
        metavar="SECONDS",
        help="time after which a request counts as not answered (default: 90)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what is printed (default: text)")
    add_read_options(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run `ppocr bench`.

    Args:
        arguments: What follows `bench`.

    Returns:
        0, 1 if no request was answered with 200, 2 for wrong usage, 130 if interrupted.
    """
    try:
        plan = _plan(parse(build_parser(), arguments))
        from ppocr_serving.client.open_loop import OpenLoop  # an extra

        loop = OpenLoop(
            plan.url,
            plan.files,
            endpoint=plan.endpoint,
            options=plan.options,
            clients=plan.clients,
            timeout=plan.timeout,
        )
    except (WrongUsageError, OcrError) as error:
        _complain(str(error))
        return 2
    except ModuleNotFoundError as error:
        _complain(str(error))
        return 1
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    try:
        return _run(loop, plan)
    except OcrError as error:
        _complain(str(error))
    except BrokenPipeError:  # whoever took the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _run(loop: "OpenLoop", plan: _Plan) -> int:
    rows: list[Row] = []
    status = None
    try:
        with loop:
            _measure(loop, plan, rows)
    except KeyboardInterrupt:
        _complain("interrupted")
        status = INTERRUPTED
    _print_end(plan, loop.address, rows)
    if status is not None:
        return status
    return 0 if any(row.answered for row in rows) else 1


def _measure(loop: "OpenLoop", plan: _Plan, rows: "list[Row]") -> None:
    """Measure all rates, and add what is known of them, also of one that is interrupted."""
    from ppocr_serving.cli.load_report import header, line_of, row_of
    from ppocr_serving.client.open_loop import Round, moments_of

    if not plan.is_json:
        print(
            f"{loop.address}: {len(plan.files)} {'file' if len(plan.files) == 1 else 'files'}, {plan.arrivals} "
            f"arrivals, {plan.seconds:g} s per rate, after a warm-up of {plan.warm_up}\n"
            "ms from when a request was due to the end of its answer, of those with 200\n",
            flush=True,
        )
    is_told = False
    for number in range(plan.warm_up):
        refusal = loop.ask(number)
        if refusal is not None and not is_told:
            is_told = True
            name = plan.files[number % len(plan.files)][0]
            _complain(f"{name} is answered with {refusal.status}{f': {refusal.message}' if refusal.message else ''}")
    if not plan.is_json:
        print(header(), flush=True)
    for rate in plan.rates:
        measured = Round()
        try:
            loop.play(moments_of(rate, plan.seconds, plan.arrivals), plan.seconds, measured)
        finally:
            if measured.outcomes:
                rows.append(row_of(rate, measured))
                if not plan.is_json:
                    print(line_of(rows[-1]), flush=True)


def _print_end(plan: _Plan, address: str, rows: "Sequence[Row]") -> None:
    from ppocr_serving.cli.load_report import KEPT_UP_SHARE, highest_kept_up, notes_of, stages_table

    highest = highest_kept_up(rows)
    if plan.is_json:
        document = {
            "address": address,
            "files": len(plan.files),
            "arrivals": plan.arrivals,
            "seconds": plan.seconds,
            "warm_up": plan.warm_up,
            "clients": plan.clients,
            "timeout": plan.timeout,
            "rates": rows,
            "highest_kept_up": highest,
        }
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    for note in (note for row in rows for note in notes_of(row, plan.clients, plan.timeout)):
        print(f"\n{note}")
    if stages := stages_table(rows):
        print(f"\nthe server's own times, mean ms per answer\n\n{stages}")
    if rows:
        kept = "none of these rates was" if highest is None else f"{highest:g}/s is the highest of these rates that was"
        print(f"\n{kept} kept up: all answered with 200, at least {KEPT_UP_SHARE:.0%} as many per second as asked")


def _plan(given: argparse.Namespace) -> _Plan:
    seconds = _number("--seconds", given.seconds, _MAX_SECONDS)
    rates = [_number("--rate", text, _MAX_RATE) for text in given.rates]
    for rate in rates:
        if not 1 <= round(rate * seconds) <= _MAX_REQUESTS:
            raise WrongUsageError(
                f"--rate {rate:g} for {seconds:g} seconds is {rate * seconds:.3g} requests: must be 1 to "
                f"{_MAX_REQUESTS}; give other --seconds"
            )
    files = _files(given.files)
    warm_up = min(len(files), _WARM_UP)
    if given.warm_up is not None:
        warm_up = whole_number("--warm-up", given.warm_up, 0, _MAX_REQUESTS)
    return _Plan(
        url=given.url,
        files=files,
        options=read_options(vars(given), os.environ.get(PASSWORD) or None),
        endpoint=given.endpoint,
        rates=rates,
        seconds=seconds,
        arrivals=given.arrivals,
        warm_up=warm_up,
        clients=_clients(given.clients),
        timeout=_number("--timeout", given.timeout, _MAX_SECONDS),
        is_json=given.format == "json",
    )


def _files(arguments: Sequence[str]) -> list[tuple[str, bytes]]:
    if not arguments:
        from ppocr_serving.web.examples import EXAMPLES, example

        # Not the PDF file: a rate of pictures is what can be reckoned with.
        return [(name, example(name).response({}).body) for name, kind in EXAMPLES.items() if kind.startswith("image/")]
    files = []
    total = 0
    for file in find_inputs(arguments, []):
        with naming_item(f"{file.name}:"):
            files.append((file.name, file.data()))
        total += len(files[-1][1])
        if total > _MAX_BYTES:
            raise LimitExceeded(
                f"the first {len(files)} files have more than {_MAX_BYTES >> 20} MiB, which is as much as is kept in "
                "memory; give fewer files"
            )
    return files


def _clients(text: str | None) -> int:
    """Return how many there may be, and let this process have as many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _MAX_CLIENTS if hard == resource.RLIM_INFINITY else max(1, min(_MAX_CLIENTS, hard - _OTHER_FILES))
    clients = min(_CLIENTS, allowed) if text is None else whole_number("--clients", text, 1, _MAX_CLIENTS)
    if clients > allowed:
        raise WrongUsageError(f"--clients is {clients}, but `ulimit -n` allows {allowed}; raise it, or give fewer")
    needed = clients + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return clients


def _number(option: str, text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= most:
        raise WrongUsageError(f"{option} is {text[:40]!r}: must be a number above 0, at most {most:g}")
    return number


def _complain(message: str) -> None:
    print(f"{_NAME}: {message}", file=sys.stderr)
