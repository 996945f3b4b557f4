"""Measure recognition accuracy on labelled pictures.

A label file `NAME.csv` lies next to each picture `NAME.jpg` (or another format) and has one line per text:
`x1,y1,x2,y2,x3,y3,x4,y4,transcript`, pixels, clockwise from the top left.

A label and a read line match when their texts are equal (upper case, white space removed) and the axis-aligned
rectangles around their corners have an intersection over union of at least 0.5; each is used once. Precision, recall
and F1 count over all lines of all pictures. "Characters found" is the overlap of the two bags of characters.
"""

import argparse
import base64
import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ppocr_serving.errors import OcrError
from ppocr_serving.vision.pictures import picture_paths

__all__ = ["LabelledLine", "Score", "read_labels", "score"]

_MIN_IOU = 0.5

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


class LabelledLine(NamedTuple):
    """A text and the axis-aligned rectangle around it."""

    text: str
    rectangle: Rectangle

    @property
    def normalized(self) -> str:
        """The text as compared: upper case, no white space."""
        return "".join(self.text.upper().split())


class Score(NamedTuple):
    """Counts over any number of pictures.

    Attributes:
        labels: Lines in the labels.
        predictions: Lines that were read.
        matches: Lines that match.
        label_characters: Characters in the labels.
        found_characters: Labelled characters that were read anywhere in the same picture.
    """

    labels: int = 0
    predictions: int = 0
    matches: int = 0
    label_characters: int = 0
    found_characters: int = 0

    def plus(self, other: "Score") -> "Score":
        """Return the sum of both counts."""
        return Score(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def precision(self) -> float:
        """Share of the read lines that match."""
        return self.matches / self.predictions if self.predictions else 0.0

    @property
    def recall(self) -> float:
        """Share of the labels that match."""
        return self.matches / self.labels if self.labels else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.matches / (self.labels + self.predictions) if self.labels + self.predictions else 0.0

    @property
    def characters_found(self) -> float:
        """Share of the labels' characters that were read."""
        return self.found_characters / self.label_characters if self.label_characters else 0.0


def read_labels(path: Path) -> list[LabelledLine]:
    """Read a label file."""
    lines = []
    for number, row in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        fields = row.split(",", 8)
        try:
            lines.append(_line(fields[8], [(float(fields[i]), float(fields[i + 1])) for i in range(0, 8, 2)]))
        except (IndexError, ValueError):
            raise ValueError(f"{path}:{number}: {row[:60]!r} is not x1,y1,...,x4,y4,transcript") from None
    return lines


def score(labels: Sequence[LabelledLine], predictions: Sequence[LabelledLine]) -> Score:
    """Compare the lines read from one picture with its labels."""
    free = list(predictions)
    matches = 0
    for label in labels:
        for index, line in enumerate(free):
            if line.normalized == label.normalized and _iou(line.rectangle, label.rectangle) >= _MIN_IOU:
                matches += 1
                del free[index]
                break
    wanted = Counter("".join(line.normalized for line in labels))
    found = Counter("".join(line.normalized for line in predictions))
    return Score(len(labels), len(predictions), matches, wanted.total(), (wanted & found).total())


def _line(text: str, corners: Sequence[Sequence[float]]) -> LabelledLine:
    xs, ys = zip(*corners, strict=True)
    return LabelledLine(text, (min(xs), min(ys), max(xs), max(ys)))


def _iou(first: Rectangle, second: Rectangle) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((right - left) * (bottom - top) for left, top, right, bottom in (first, second))
    return width * height / (areas - width * height)


def _reader(url: str | None) -> Callable[[bytes], list[LabelledLine]]:
    """Return a function that reads a picture file: on a server, or in process with the environment's settings."""
    if url is not None:
        return lambda data: _ask(f"{url.rstrip('/')}/predict/ocr_system", data)

    from ppocr_serving import Reader

    reader = Reader()
    return lambda data: [_line(line.text, line.box) for line in reader.read(data).lines]


def _ask(url: str, data: bytes) -> list[LabelledLine]:
    body = json.dumps({"images": [base64.b64encode(data).decode("ascii")]}).encode("ascii")
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        (lines,) = json.load(response)["results"]
    return [_line(line["text"], line["text_region"]) for line in lines]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, metavar="LABELLED_DIR", help="pictures with label files")
    parser.add_argument("--url", help="a running server, for example http://127.0.0.1:9000; default: read in process")
    options = parser.parse_args(arguments)
    pictures = picture_paths(options.directory)
    labelled = [(path, path.with_suffix(".csv")) for path in pictures if path.with_suffix(".csv").is_file()]
    if not labelled:
        print(f"evaluate: {options.directory} has no picture with a .csv file next to it", file=sys.stderr)
        return 1
    total = Score()
    try:
        read = _reader(options.url)
        for picture, labels in labelled:
            total = total.plus(score(read_labels(labels), read(picture.read_bytes())))
    except (OcrError, OSError, ValueError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    print(f"pictures {len(labelled)}  labels {total.labels}  lines read {total.predictions}  matches {total.matches}")
    print(
        f"precision {total.precision:.4f}  recall {total.recall:.4f}  F1 {total.f1:.4f}  "
        f"characters found {total.characters_found:.4f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
