"""What `ppocr bench` says of a load: rates, times, answers, and what of them can be relied on."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ppocr_serving.client.open_loop import ANSWERED, TIMED_OUT, UNSENT, Outcome, Round

__all__ = ["KEPT_UP_SHARE", "Row", "header", "highest_kept_up", "line_of", "notes_of", "row_of", "stages_table"]

KEPT_UP_SHARE: Final = 0.95
"""Share of the requests per second that have to be answered per second, for a rate to count as kept up."""

_PERCENTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
_LAG_MS: Final = 10.0
_LAG_SHARE: Final = 0.1
"""This process is late if 1 request in 100 leaves by more than both: 10 ms, and a tenth of the usual answer's time."""

_COLUMNS: Final = ("asked/s", "answered/s", "requests", *_PERCENTILES, "answers")
_WIDTH: Final = 7
_WHOLE: Final = "total"


class Row(msgspec.Struct, frozen=True):
    """A rate, measured. Times are milliseconds.

    Attributes:
        asked: Requests per second that were due.
        answered: Answers with 200 per second.
        requests: How many were due.
        seconds: For how long.
        is_whole: Whether it was not interrupted.
        is_late: Whether this process could not keep to the moments at which requests were due.
        is_kept_up: Whether all requests were answered with 200, as fast as they came.
        ms: From when a request was due to the end of its answer, of those with 200, as percentiles; None if there are
            none, or if `is_late`.
        lag_ms: By how much this process sent requests late, as percentiles; None if it has sent none.
        answers: How many requests had which result.
        stages_ms: What the server says of its times: the mean of each stage.
    """

    asked: float
    answered: float
    requests: int
    seconds: float
    is_whole: bool
    is_late: bool
    is_kept_up: bool
    ms: Mapping[str, float] | None
    lag_ms: Mapping[str, float] | None
    answers: Mapping[str, int]
    stages_ms: Mapping[str, float]


def row_of(rate: float, measured: Round) -> Row:
    """Return what a round says of its rate."""
    answered = [outcome for outcome in measured.outcomes if outcome.result == ANSWERED]
    ms = _percentiles([outcome.seconds for outcome in answered])
    lag_ms = _percentiles([outcome.lag for outcome in measured.outcomes if outcome.result != UNSENT])
    is_late = lag_ms is not None and lag_ms["p99"] > max(_LAG_MS, _LAG_SHARE * (ms["p50"] if ms else 0.0))
    per_second = _per_second(answered, measured.seconds)
    has_all = bool(answered) and len(answered) == len(measured.outcomes)
    return Row(
        asked=rate,
        answered=per_second,
        requests=len(measured.outcomes),
        seconds=measured.seconds,
        is_whole=measured.is_whole,
        is_late=is_late,
        is_kept_up=measured.is_whole and has_all and not is_late and per_second >= KEPT_UP_SHARE * rate,
        ms=None if is_late else ms,
        lag_ms=lag_ms,
        answers=dict(Counter(outcome.result for outcome in measured.outcomes).most_common()),
        stages_ms=_stages(answered),
    )


def header() -> str:
    """Return the first two lines of the table, in Markdown."""
    cells = [f"{name:>{_width(name)}}" for name in _COLUMNS]
    return f"| {' | '.join(cells)} |\n|{'|'.join('-' * (len(cell) + 1) + ':' for cell in cells)}|"


def line_of(row: Row) -> str:
    """Return a line of the table."""
    times = ["-" if row.ms is None else f"{row.ms[name]:.0f}" for name in _PERCENTILES]
    answers = ", ".join(f"{result.replace('_', ' ')}: {count}" for result, count in row.answers.items())
    values = (f"{row.asked:g}", f"{row.answered:.2f}", str(row.requests), *times, answers)
    return f"| {' | '.join(f'{value:>{_width(name)}}' for name, value in zip(_COLUMNS, values, strict=True))} |"


def notes_of(row: Row, clients: int, timeout: float) -> list[str]:
    """Return what has to be known of a line of the table.

    Args:
        row: The line.
        clients: How many requests may have been under way.
        timeout: Seconds after which a request counts as not answered.
    """
    notes = []
    if row.is_late and row.lag_ms is not None:
        notes.append(
            f"this command itself was late: 1 request in 100 left more than {row.lag_ms['p99']:.0f} ms after it was "
            "due, so no times are shown; run it on another machine, or at a lower rate"
        )
    if unsent := row.answers.get(UNSENT):
        notes.append(f"{_requests(unsent)} not sent, because {clients} were under way (--clients)")
    if timed_out := row.answers.get(TIMED_OUT):
        notes.append(f"{_requests(timed_out)} without an answer after {timeout:g} seconds (--timeout)")
    if not row.is_whole:
        notes.append(f"interrupted after {row.seconds:.1f} seconds")
    return [f"{row.asked:g}/s: {note}" for note in notes]


def highest_kept_up(rows: Sequence[Row]) -> float | None:
    """Return the highest rate that was kept up, if one was."""
    return max((row.asked for row in rows if row.is_kept_up), default=None)


def stages_table(rows: Sequence[Row]) -> str:
    """Return the server's own times as a table, in Markdown; empty if no answer had them."""
    told = [row for row in rows if row.stages_ms]
    names = list(dict.fromkeys(name for row in told for name in row.stages_ms))
    if not told:
        return ""
    if _WHOLE in names:
        names = [*(name for name in names if name != _WHOLE), _WHOLE]
    width = max(map(len, names))
    heads = " | ".join(f"{f'{row.asked:g}/s':>{_WIDTH}}" for row in told)
    lines = [f"| {'':{width}} | {heads} |", f"|{'-' * (width + 2)}|{'|'.join(['-' * (_WIDTH + 1) + ':'] * len(told))}|"]
    for name in names:
        cells = " | ".join(f"{row.stages_ms.get(name, 0.0):>{_WIDTH}.1f}" for row in told)
        lines.append(f"| {name:{width}} | {cells} |")
    return "\n".join(lines)


def _requests(count: int) -> str:
    return "1 request was" if count == 1 else f"{count} requests were"


def _width(column: str) -> int:
    return max(_WIDTH if column in _PERCENTILES else 0, len(column))


def _per_second(answered: Sequence[Outcome], seconds: float) -> float:
    """Return the answers per second until the last one, without the time of a single one.

    Requests are due for some seconds; the answers come as much later as one takes. What is longer than that is a queue
    that has grown.
    """
    if not answered or not seconds:
        return 0.0
    quickest = min(outcome.seconds for outcome in answered)
    return round(len(answered) / max(seconds, max(outcome.ended for outcome in answered) - quickest), 3)


def _percentiles(seconds: Sequence[float]) -> dict[str, float] | None:
    """Return milliseconds by name: the smallest value that so large a share of all does not exceed."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return {name: round(1000 * ordered[math.ceil(share * len(ordered)) - 1], 1) for name, share in _PERCENTILES.items()}


def _stages(answered: Sequence[Outcome]) -> dict[str, float]:
    """Return the mean milliseconds of each stage over all answers; one that does not take place takes none."""
    sums: defaultdict[str, float] = defaultdict(float)
    # The answer with the most stages comes first, so that they are in their order.
    for outcome in sorted(answered, key=lambda outcome: -outcome.timing.count(";")):
        for entry in outcome.timing.split(","):
            name, _, milliseconds = entry.strip().partition(";dur=")
            try:
                spent = float(milliseconds)
            except ValueError:  # a proxy's, which may have no time
                continue
            sums[name] += spent
    return {name: round(total / len(answered), 1) for name, total in sums.items()}
