"""Labelled pictures on disk.

Labels come in one of two forms:

- `NAME.csv` next to each picture `NAME.jpg` (or another format), with one line per text:
  `x1,y1,x2,y2,x3,y3,x4,y4,transcript`, pixels, clockwise from the top left;
- `Label.txt` of PaddleOCR and its labelling tool, in the folder of the pictures or above them: one line per picture,
  its path, a tab, and a JSON list of `{"transcription": ..., "points": [[x, y], ...]}`. Where it is, csv files do not
  count.

The order of the labels is the reading order. A text of `###` marks a region to ignore.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ppocr_serving.vision.pictures import picture_paths

__all__ = ["LabelledLine", "LabelledPicture", "Rectangle", "labelled_line", "labelled_pictures", "read_labels"]

_LABEL_FILE = "Label.txt"
_IGNORED = "###"

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


class LabelledLine(NamedTuple):
    """A text and the axis-aligned rectangle around it."""

    text: str
    rectangle: Rectangle

    @property
    def words(self) -> list[str]:
        """The words as compared: upper case, separated by white space."""
        return self.text.upper().split()

    @property
    def normalized(self) -> str:
        """The text as compared: upper case, no white space."""
        return "".join(self.words)

    @property
    def ignored(self) -> bool:
        """Whether a label marks a region that is not to be evaluated."""
        return self.text == _IGNORED


class LabelledPicture(NamedTuple):
    """A picture file and its labels in reading order."""

    path: Path
    labels: list[LabelledLine]


def labelled_line(text: str, corners: Sequence[Sequence[float]]) -> LabelledLine:
    """Return a text with the rectangle around its corners.

    Args:
        text: The text.
        corners: At least one (x, y) in pixels.

    Raises:
        ValueError: There are no corners, or they are not pairs of coordinates.
    """
    xs, ys = zip(*corners, strict=True)
    return LabelledLine(text, (min(xs), min(ys), max(xs), max(ys)))


def labelled_pictures(folder: Path) -> list[LabelledPicture]:
    """Return the labelled pictures of a folder, without its sub-folders; none if it has no labels.

    Raises:
        OSError: A label file cannot be read.
        ValueError: A label file is damaged, or names a picture that does not exist; the message names the line.
    """
    if (folder / _LABEL_FILE).is_file():
        return _read_label_file(folder / _LABEL_FILE)
    beside = ((path, path.with_suffix(".csv")) for path in picture_paths(folder))
    return [LabelledPicture(path, read_labels(labels)) for path, labels in beside if labels.is_file()]


def read_labels(path: Path) -> list[LabelledLine]:
    """Read the csv file of one picture.

    Raises:
        OSError: It cannot be read.
        ValueError: A line is not a label; the message names it.
    """
    lines = []
    for number, row in enumerate(_read(path).splitlines(), start=1):
        fields = row.split(",", 8)
        try:
            lines.append(labelled_line(fields[8], [(float(fields[i]), float(fields[i + 1])) for i in range(0, 8, 2)]))
        except (IndexError, ValueError):
            raise ValueError(f"{path}:{number}: {row[:60]!r} is not x1,y1,...,x4,y4,transcript") from None
    return lines


def _read_label_file(path: Path) -> list[LabelledPicture]:
    pictures = []
    # Not splitlines(): texts may contain the separators of Unicode, which JSON does not escape.
    for number, row in enumerate(_read(path).split("\n"), start=1):
        if not row.strip():
            continue
        name, _, texts = row.partition("\t")
        try:
            labels = [
                labelled_line(text["transcription"], [(float(x), float(y)) for x, y in text["points"]])
                for text in json.loads(texts)
            ]
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f'{path}:{number}: {row[:60]!r} is not a path, a tab and [{{"transcription": ..., "points": ...}}, ...]'
            ) from None
        pictures.append(LabelledPicture(_picture(path, number, name), labels))
    return pictures


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error.reason} at byte {error.start}); convert it") from None


def _picture(label_file: Path, number: int, name: str) -> Path:
    # The labelling tool writes paths that begin with the folder's name, data sets those that begin in the folder.
    for folder in (label_file.parent, label_file.absolute().parent.parent):
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"{label_file}:{number}: there is no picture {name} in {label_file.parent} or above it")
