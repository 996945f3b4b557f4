"""Reading with two recognisers: a fast one for every line, and an accurate one for the lines that it is unsure of."""

from collections.abc import Iterable, Iterator, Sequence

from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.recognition import Text, TextRecognizer

__all__ = ["LineReader", "ranges"]

# Of a picture with enough lines, these are read first: if most of them are doubtful, as on a poor scan, reading the
# rest twice would take longer than reading it with the second recogniser alone.
_SAMPLE_LINES = 8
_MIN_LINES = 2 * _SAMPLE_LINES
_MOSTLY = 0.75


class LineReader:
    """Read lines, the doubtful ones twice.

    Args:
        first: Reads every line.
        second: Reads the lines that the first one is unsure of; None if there is none.
    """

    def __init__(self, first: TextRecognizer, second: TextRecognizer | None = None) -> None:
        self._first = first
        self._second = second

    def line(self, crop: BgrImage) -> BgrImage:
        """Scale a crop to the height that recognition needs; see `TextRecognizer.line`."""
        return self._first.line(crop)

    def __call__(
        self, lines: Sequence[BgrImage], counts: Sequence[int], reread_score: float, watch: Stopwatch
    ) -> list[Text]:
        """Read the lines of pictures.

        What is read from a picture depends on that picture and the score alone.

        Args:
            lines: (h, w, 3) uint8 BGR each, the lines of all pictures.
            counts: How many of them each picture has.
            reread_score: Lines whose confidence is below this, in [0, 1], are read again; all of them if it is 1, in
                which case the first recogniser is not needed.
            watch: Receives the stages of both recognisers, and the number of lines that the second one has read.

        Returns:
            One text per line, in order.

        Raises:
            EngineError: A network failed.
        """
        if self._second is None or reread_score <= 0:
            return self._first(lines, watch)
        texts: list[Text | None] = [None] * len(lines)
        if reread_score < 1:
            pictures = list(ranges(counts))
            samples = [_sample(picture) for picture in pictures]
            self._read(self._first, [index for sample in samples for index in sample], lines, texts, watch)
            rest = [
                index
                for picture, sample in zip(pictures, samples, strict=True)
                if not _is_mostly_doubtful([texts[index] for index in sample], reread_score, len(picture))
                for index in picture
                if texts[index] is None
            ]
            self._read(self._first, rest, lines, texts, watch)
        doubtful = [index for index, text in enumerate(texts) if text is None or text.confidence < reread_score]
        watch.lines_reread += len(doubtful)
        self._read(self._second, doubtful, lines, texts, watch)
        return [text for text in texts if text is not None]

    def _read(
        self,
        recognizer: TextRecognizer,
        indices: Sequence[int],
        lines: Sequence[BgrImage],
        texts: list[Text | None],
        watch: Stopwatch,
    ) -> None:
        for index, text in zip(indices, recognizer((lines[index] for index in indices), watch), strict=True):
            texts[index] = text


def ranges(counts: Iterable[int]) -> Iterator[range]:
    """Yield consecutive ranges of the given lengths, from 0."""
    start = 0
    for count in counts:
        yield range(start, start + count)
        start += count


def _sample(picture: range) -> list[int]:
    """Return some lines from all over a picture; all of them if it has few."""
    if len(picture) < _MIN_LINES:
        return list(picture)
    return [picture[len(picture) * place // _SAMPLE_LINES] for place in range(_SAMPLE_LINES)]


def _is_mostly_doubtful(sample: Sequence[Text | None], reread_score: float, count: int) -> bool:
    doubtful = sum(text is not None and text.confidence < reread_score for text in sample)
    return count > len(sample) and doubtful >= _MOSTLY * len(sample)
