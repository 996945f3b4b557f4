"""Measure accuracy against time for PPOCR_REREAD_SCORE: lines read with less confidence than it are read twice.

Each folder is a row, or several with --split. Every picture is read with each value in turn, so that other load on the
machine affects all of them equally; the first reading of a picture with each value only warms up. Times are medians
over the later ones, averaged over the pictures, from a file's bytes to the answer's bytes. Word F1 and the character
error rate, as defined in benchmarks/metrics.py, cover the labelled pictures (benchmarks/labels.py). `as at 1` is the
line F1 against what is read at 1, by the second recogniser alone; it needs no labels. `second` is the share of the
lines that the second recogniser reads: again, or straight away where most of a picture's lines are doubtful.
"""

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from benchmarks.dial_chart import Curve, draw_chart
from benchmarks.in_process import answer
from benchmarks.labels import LabelledLine, labelled_line, labelled_pictures
from benchmarks.metrics import Score, score
from benchmarks.rows import add_split, row_name
from ppocr_serving import Reader, ReadOptions
from ppocr_serving.cpu import supports_bfloat16
from ppocr_serving.errors import OcrError
from ppocr_serving.settings import load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import picture_paths

__all__ = ["Point", "Reading", "format_table", "summarize"]

_VALUES = (0.0, 0.9, 0.95, 0.97, 0.98, 0.99, 1.0)
_ALWAYS = 1.0

Labels = list[LabelledLine] | None


class Reading(NamedTuple):
    """One picture, read once.

    Attributes:
        lines: What was read, in reading order.
        milliseconds: Time that it took.
        second: Lines that the second recogniser read.
    """

    lines: list[LabelledLine]
    milliseconds: float
    second: int


class Point(NamedTuple):
    """One value of the dial for the pictures of a row.

    Attributes:
        score: Comparison with the labels; None without any.
        agreement: Line F1 against what the second recogniser reads alone.
        milliseconds: Per picture.
        second: Share of the lines that the second recogniser reads.
    """

    score: Score | None
    agreement: float
    milliseconds: float
    second: float


def summarize(readings: Mapping[float, Sequence[Sequence[Reading]]], labels: Sequence[Labels]) -> dict[float, Point]:
    """Summarize the readings of a row.

    Args:
        readings: By value of the dial, 1 among them; for each picture at least one reading.
        labels: For each picture, its labels, or None.
    """
    alone = [picture[-1] for picture in readings[_ALWAYS]]
    lines = sum(reading.second for reading in alone)
    points = {}
    for value, pictures in readings.items():
        last = [picture[-1] for picture in pictures]
        compared = [
            score(expected, reading.lines)
            for expected, reading in zip(labels, last, strict=True)
            if expected is not None
        ]
        same = (score(best.lines, reading.lines) for best, reading in zip(alone, last, strict=True))
        points[value] = Point(
            reduce(Score.plus, compared) if compared else None,
            reduce(Score.plus, same, Score()).lines.f1,
            mean(median(reading.milliseconds for reading in picture) for picture in pictures),
            sum(reading.second for reading in last) / lines if lines else 0.0,
        )
    return points


def format_table(rows: Mapping[tuple[str, str], Mapping[float, Point]]) -> str:
    """Format a Markdown table.

    Args:
        rows: By name and precision, the points by value of the dial.
    """
    table = [
        "| | precision | value | word F1 | CER, % | as at 1 | second | ms per picture |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (name, precision), points in rows.items():
        for value, point in points.items():
            total = point.score
            measures = "- | -" if total is None else f"{total.words.f1:.4f} | {total.characters.percent:.2f}"
            table.append(
                f"| {name} | {precision} | {value:g} | {measures} | {point.agreement:.3f} | {point.second:.0%} "
                f"| {point.milliseconds:.0f} |"
            )
    return "\n".join(table)


def _find(folders: Sequence[Path], split: re.Pattern[str] | None) -> dict[str, dict[Path, Labels]]:
    """Return the pictures and their labels by row."""
    rows: dict[str, dict[Path, Labels]] = {}
    for folder in folders:
        paths = picture_paths(folder)
        if not paths:
            raise ValueError(f"{folder} contains no pictures; give a folder of picture files")
        labelled = {picture.path: picture.labels for picture in labelled_pictures(folder)}
        for path in paths:
            rows.setdefault(row_name(Path(folder.name), path, split), {})[path] = labelled.get(path)
    return rows


def _reader(profile: str | None, precision: str) -> Reader:
    arguments: dict[str, object] = {"precision": precision, "reread_score": _ALWAYS}
    if profile is not None:
        arguments["profile"] = profile
    reader = Reader(settings=load_settings(init_args=arguments))
    for engine in reader.engines:
        engine.load()
    return reader


def _measure(
    reader: Reader, pictures: Sequence[Path], values: Sequence[float], repetitions: int
) -> dict[float, list[list[Reading]]]:
    readings: dict[float, list[list[Reading]]] = {value: [[] for _ in pictures] for value in values}
    for repetition in range(1 + repetitions):
        for index, path in enumerate(pictures):
            data = path.read_bytes()
            for value in values:
                reading = _read(reader, data, value)
                if repetition:
                    readings[value][index].append(reading)
    return readings


def _read(reader: Reader, data: bytes, value: float) -> Reading:
    watch = Stopwatch()
    start = time.perf_counter()
    page = answer(reader, data, watch, ReadOptions(reread_score=value)).page
    milliseconds = (time.perf_counter() - start) * 1000
    return Reading([labelled_line(line.text, line.box) for line in page.lines], milliseconds, watch.lines_reread)


def _curves(rows: Mapping[tuple[str, str], Mapping[float, Point]]) -> list[Curve]:
    curves = []
    for (name, precision), points in rows.items():
        labelled = all(point.score is not None for point in points.values())
        curves.append(
            Curve(
                name,
                precision,
                "word F1" if labelled else "lines as at 1",
                [
                    (f"{value:g}", point.milliseconds, point.agreement if point.score is None else point.score.words.f1)
                    for value, point in sorted(points.items())
                ],
            )
        )
    return curves


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="pictures, with or without labels")
    parser.add_argument("--profile", help="models to read with (default: as the environment says)")
    parser.add_argument(
        "--precision",
        dest="precisions",
        action="append",
        choices=("bf16", "f32"),
        help="what to compute in, repeatable (default: all that this CPU has instructions for)",
    )
    parser.add_argument(
        "--value",
        dest="values",
        type=float,
        action="append",
        help=f"value of the dial, repeatable; 1 is always measured (default: {', '.join(f'{v:g}' for v in _VALUES)})",
    )
    add_split(parser)
    parser.add_argument("--repetitions", type=int, default=3, help="readings of each picture that count (default: 3)")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="draw the curves into this file")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    options.values = sorted({*(options.values or _VALUES), _ALWAYS})
    options.precisions = options.precisions or [*(["bf16"] if supports_bfloat16() else []), "f32"]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = _parse(arguments)
    rows: dict[tuple[str, str], dict[float, Point]] = {}
    try:
        found = _find(options.folders, options.split)
        for precision in dict.fromkeys(options.precisions):
            reader = _reader(options.profile, precision)
            for name, pictures in found.items():
                readings = _measure(reader, list(pictures), options.values, options.repetitions)
                rows[name, precision] = summarize(readings, list(pictures.values()))
        print(format_table(rows))
        if options.chart is not None:
            options.chart.write_text(draw_chart(_curves(rows)), encoding="utf-8")
    except (OcrError, OSError, ValueError) as error:
        print(f"dial: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
