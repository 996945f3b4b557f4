"""Measure how well labelled pictures are read, and how fast.

Each folder with labels is a row of the table, and so is each of its sub-folders; the last row has all pictures
together. The forms of labels are described in benchmarks/labels.py, the measures in benchmarks/metrics.py. Times are
medians over the pictures of a row, each read once by models that are loaded: from the file's bytes to the lines. With
--turn, pictures and labels are turned before.
"""

import argparse
import base64
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from statistics import median
from typing import NamedTuple, get_type_hints
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from benchmarks.drawing import draw_comparison, require_font
from benchmarks.labels import LabelledLine, LabelledPicture, labelled_line, labelled_pictures
from benchmarks.metrics import Score, score
from benchmarks.rows import add_split, row_name
from benchmarks.turning import turn_labelled
from ppocr_serving import Reader, ReadOptions
from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.values import parse_text

__all__ = ["Outcome", "format_table"]

_TOGETHER = "together"
_MEASURES = (
    "line F1",
    "word F1",
    "CER, %",
    "CER with spaces, %",
    "order errors, %",
    "detection precision",
    "detection recall",
)


class Outcome(NamedTuple):
    """One picture, read.

    Attributes:
        picture: The picture and its labels.
        lines: What was read, in reading order.
        score: Comparison of both.
        milliseconds: Time that it took; None if a server read it.
    """

    picture: LabelledPicture
    lines: list[LabelledLine]
    score: Score
    milliseconds: float | None


class _Read(NamedTuple):
    lines: list[LabelledLine]
    milliseconds: float | None


def format_table(rows: Mapping[str, Sequence[Outcome]]) -> str:
    """Format a Markdown table.

    Args:
        rows: The pictures of each row, at least one, by the row's name.
    """
    table = [
        f"| | pictures | {' | '.join(_MEASURES)} | ms per picture |",
        "|---|---|" + "---|" * len(_MEASURES) + "---|",
    ]
    if len(rows) > 1:
        rows = {**rows, _TOGETHER: [outcome for outcomes in rows.values() for outcome in outcomes]}
    for name, outcomes in rows.items():
        measures = " | ".join(_measures(reduce(Score.plus, (outcome.score for outcome in outcomes), Score())))
        times = [outcome.milliseconds for outcome in outcomes if outcome.milliseconds is not None]
        table.append(f"| {name} | {len(outcomes)} | {measures} | {f'{median(times):.1f}' if times else '-'} |")
    return "\n".join(table)


def _measures(total: Score) -> Iterator[str]:
    yield f"{total.lines.f1:.4f}"
    yield f"{total.words.f1:.4f}"
    yield f"{total.characters.percent:.2f}"
    yield f"{total.characters_and_spaces.percent:.2f}"
    yield f"{total.order.percent:.2f}"
    yield f"{total.detection.precision:.4f}"
    yield f"{total.detection.recall:.4f}"


def _find(folders: Sequence[Path], split: re.Pattern[str] | None) -> dict[str, list[LabelledPicture]]:
    """Return the labelled pictures by row."""
    by_folder: dict[Path, list[LabelledPicture]] = {}  # a folder counts once, also if one above it is given too
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; name a folder of labelled pictures")
        parts = (folder, *sorted(path for path in folder.rglob("*") if path.is_dir()))
        by_folder |= {part: labelled_pictures(part) for part in parts if part not in by_folder}
        if not any(by_folder[part] for part in parts):
            raise ValueError(f"{folder} has no labels: no picture with a .csv file next to it, and no Label.txt")
    rows: dict[str, list[LabelledPicture]] = {}
    for folder, pictures in by_folder.items():
        for picture in pictures:
            rows.setdefault(row_name(folder, picture.path, split), []).append(picture)
    return rows


def _reader(profile: str | None, options: ReadOptions) -> Callable[[bytes], _Read]:
    """Return a function that reads a picture file in process, with the environment's settings."""
    reader = Reader(profile)
    for engine in reader.engines:
        engine.load()

    def read(data: bytes) -> _Read:
        start = time.perf_counter()
        lines = reader.read(data, options).lines
        milliseconds = (time.perf_counter() - start) * 1000
        return _Read([labelled_line(line.text, line.box) for line in lines], milliseconds)

    return read


def _client(url: str, options: ReadOptions) -> Callable[[bytes], _Read]:
    """Return a function that has a server read a picture file."""
    address = f"{url.rstrip('/')}/predict/ocr_system"

    def read(data: bytes) -> _Read:
        request: dict[str, object] = {"images": [base64.b64encode(data).decode("ascii")]}
        if given := options.given():  # a server that knows no options is asked without them
            request["options"] = given
        body = json.dumps(request).encode("ascii")
        try:
            with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=120) as response:
                answer = response.read().decode(errors="replace")
        except HTTPError as error:
            raise ValueError(f"{address} answered {error.code}: {error.read(500).decode(errors='replace')}") from None
        except (URLError, TimeoutError) as error:
            reason = getattr(error, "reason", error)
            raise ValueError(f"{address} does not answer ({reason}); start the server, or correct --url") from None
        try:
            (lines,) = json.loads(answer)["results"]
            return _Read([labelled_line(line["text"], line["text_region"]) for line in lines], None)
        except (KeyError, TypeError, ValueError):  # hubserving reports errors with the status 200
            raise ValueError(f"{address} answered without lines: {answer[:500]}") from None

    return read


def _evaluate(
    rows: Mapping[str, Sequence[LabelledPicture]], read: Callable[[bytes], _Read], degrees: int
) -> Iterator[tuple[str, list[Outcome]]]:
    for name, pictures in rows.items():
        outcomes = []
        for picture in pictures:
            try:
                data, labels = turn_labelled(picture.path.read_bytes(), picture.labels, degrees)
                lines, milliseconds = read(data)
            except (OcrError, ValueError) as error:
                raise ValueError(f"{picture.path}: {error}") from error
            outcomes.append(Outcome(picture._replace(labels=labels), lines, score(labels, lines), milliseconds))
        yield name, outcomes


def _show_worst(outcomes: Sequence[Outcome], count: int, folder: Path | None) -> None:
    """Print the pictures with the highest error rates, and draw them if there is a folder to draw into."""
    worst = sorted(outcomes, key=lambda outcome: outcome.score.characters_and_spaces.percent, reverse=True)[:count]
    print("\nworst by CER with spaces:")
    for rank, outcome in enumerate(worst, start=1):
        path, percent = outcome.picture.path, outcome.score.characters_and_spaces.percent
        print(f"{rank:3d}. {percent:.2f} % {path}")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            drawn = draw_comparison(path.read_bytes(), outcome.picture.labels, outcome.lines)
            drawn.save(folder / f"{rank:02d}-{path.stem}.jpg", quality=90)


def _parse_options(assignments: Sequence[str]) -> ReadOptions:
    hints = get_type_hints(ReadOptions, include_extras=True)
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise InvalidRequest(f"--set {assignment} needs a value, as in --set drop_score=0.5")
        values[name] = parse_text(name, text, hints[name], InvalidRequest) if name in hints else text
    return ReadOptions.from_mapping(values)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="LABELLED_DIR", help="pictures with labels")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--profile", help="models to read with, in process; default: as the environment says")
    where.add_argument("--url", help="a running server, for example http://127.0.0.1:9000; default: read in process")
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of each call, such as drop_score=0.5; repeatable",
    )
    parser.add_argument(
        "--turn",
        type=int,
        default=0,
        choices=(0, 90, 180, 270),
        metavar="DEGREES",
        help="turn the pictures clockwise by 90, 180 or 270 degrees before they are read",
    )
    add_split(parser)
    parser.add_argument("--worst", type=int, metavar="N", help="list the N pictures that are read worst")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="draw these, with labels and what was read, into DIR")
    options = parser.parse_args(arguments)
    if options.worst is not None and options.worst < 1:
        parser.error("--worst must be at least 1")
    if options.draw is not None and options.turn:
        parser.error("--draw draws pictures as they are; leave out --turn")
    if options.draw is not None and options.worst is None:
        parser.error("--draw needs --worst N: how many pictures to draw")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = _parse(arguments)
    try:
        if options.draw is not None:
            require_font()
        rows = _find(options.folders, options.split)
        call = _parse_options(options.assignments)
        read = _client(options.url, call) if options.url else _reader(options.profile, call)
        outcomes = dict(_evaluate(rows, read, options.turn))
        print(format_table(outcomes))
        if options.worst is not None:
            _show_worst([each for row in outcomes.values() for each in row], options.worst, options.draw)
    except (OcrError, OSError, ValueError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
