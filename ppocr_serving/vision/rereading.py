"""Reading with two recognisers: a fast one for every line, and an accurate one for the lines that it is unsure of."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.recognition import Text, TextRecognizer

__all__ = ["CroppedLine", "LineReader", "ranges", "spread"]

# Of a picture with enough lines, these are read first: if most of them are doubtful, as on a poor scan, reading the
# rest twice would take longer than reading it with the second recogniser alone.
_SAMPLE_LINES = 8
_MIN_LINES = 2 * _SAMPLE_LINES
_MOSTLY = 0.75


class CroppedLine(NamedTuple):
    """A line as both recognisers want it.

    Attributes:
        first: (h, w, 3) uint8 BGR for the first recogniser, and for the classifier.
        second: The same for the second one, which may want a wider margin.
    """

    first: BgrImage
    second: BgrImage

    def changed(self, change: Callable[[BgrImage], BgrImage]) -> Self:
        """Return the line with its pictures changed; once if both recognisers get the same one."""
        first = change(self.first)
        return self._replace(first=first, second=first if self.second is self.first else change(self.second))

    def upside_down(self) -> Self:
        """Return the line rotated by 180°."""
        return self.changed(_rotate)


class LineReader:
    """Read lines, the doubtful ones twice.

    Args:
        first: Reads every line.
        second: Reads the lines that the first one is unsure of; None if there is none.
    """

    def __init__(self, first: TextRecognizer, second: TextRecognizer | None = None) -> None:
        self._first = first
        self._second = second

    def cut(self, image: BgrImage, box: npt.NDArray[np.float32], reread_score: float) -> CroppedLine:
        """Cut a line out of a picture.

        Args:
            image: (H, W, 3) uint8 BGR.
            box: (4, 2) float32, clockwise from the text's top left.
            reread_score: The score that it will be read with.
        """
        first = self._first.cut(image, box)
        if self._second is None or reread_score <= 0:
            return CroppedLine(first, first)
        # Cut now: the picture is no longer kept when it is known which lines are doubtful.
        return CroppedLine(first, self._second.cut(image, box))

    def __call__(
        self,
        lines: Sequence[CroppedLine],
        counts: Sequence[int],
        reread_score: float,
        watch: Stopwatch,
        words: bool = False,
    ) -> list[Text]:
        """Read the lines of pictures.

        What is read from a picture depends on that picture and the score alone.

        Args:
            lines: The lines of all pictures.
            counts: How many of them each picture has.
            reread_score: Lines whose confidence is below this, in [0, 1], are read again; all of them if it is 1, in
                which case the first recogniser is not needed.
            watch: Receives the stages of both recognisers, and the number of lines that the second one has read.
            words: Find the words of each line.

        Returns:
            One text per line, in order.

        Raises:
            EngineError: A network failed.
        """
        if self._second is None or reread_score <= 0:
            return self._first((line.first for line in lines), watch, words)
        first, second = self._first, self._second
        texts: dict[int, Text] = {}
        if reread_score < 1:
            pictures = list(ranges(counts))
            samples = [_sample(picture) for picture in pictures]
            sampled = [index for sample in samples for index in sample]
            texts |= _by_index(sampled, first((lines[index].first for index in sampled), watch, words))
            rest = [
                index
                for picture, sample in zip(pictures, samples, strict=True)
                if not _is_mostly_doubtful([texts[index] for index in sample], reread_score, len(picture))
                for index in picture
                if index not in texts
            ]
            texts |= _by_index(rest, first((lines[index].first for index in rest), watch, words))
        every = range(len(lines))
        doubtful = [index for index in every if index not in texts or texts[index].confidence < reread_score]
        watch.lines_reread += len(doubtful)
        texts |= _by_index(doubtful, second((lines[index].second for index in doubtful), watch, words))
        return [texts[index] for index in every]


def ranges(counts: Iterable[int]) -> Iterator[range]:
    """Yield consecutive ranges of the given lengths, from 0."""
    start = 0
    for count in counts:
        yield range(start, start + count)
        start += count


def spread(indices: Sequence[int], most: int) -> list[int]:
    """Return at most `most` of the indices, from all over them; all if there are no more."""
    count = min(most, len(indices))
    return [indices[len(indices) * place // count] for place in range(count)]


def _by_index(indices: Sequence[int], read: Sequence[Text]) -> dict[int, Text]:
    return dict(zip(indices, read, strict=True))


def _rotate(line: BgrImage) -> BgrImage:
    return np.ascontiguousarray(line[::-1, ::-1])


def _sample(picture: range) -> list[int]:
    """Return some lines from all over a picture; all of them if it has few."""
    if len(picture) < _MIN_LINES:
        return list(picture)
    return spread(picture, _SAMPLE_LINES)


def _is_mostly_doubtful(sample: Sequence[Text], reread_score: float, count: int) -> bool:
    doubtful = sum(text.confidence < reread_score for text in sample)
    return count > len(sample) and doubtful >= _MOSTLY * len(sample)
