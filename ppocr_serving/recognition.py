"""What the text says: recognition by connectionist temporal classification (CTC).

Reference: Graves et al., "Connectionist Temporal Classification", ICML 2006 (greedy decoding).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ppocr_serving.engines import Engine, Float32Array
from ppocr_serving.errors import EngineError
from ppocr_serving.lines import batch_lines, scale_line
from ppocr_serving.pictures import BgrImage
from ppocr_serving.timing import Stopwatch

__all__ = ["Batch", "RecognitionOptions", "Text", "TextRecognizer", "decode", "plan_batches"]

_BATCH_SIZES = (6, 4, 2, 1)
_WIDTHS = (320, 384, 480, 576, 704, 832, 1024, 1280, 1600, 2048, 2560, 3200, 4096, 6400)
"""Pixels. Lines that are wider still are squeezed: 6400 pixels at a height of 48 are some 300 letters."""

_MARGIN = 16
"""Pixels of padding that a line wider than usual has at least: without any, the network reads the end of a line
differently from PaddleOCR, where most lines are padded to the widest of six."""

_MOST_PIXELS = 3200
"""Of the widths of a batch's lines together, padding included: an engine call takes some 10 MB for 1000 of them."""

_MAX_THREADS = 64  # of all requests at a time; more engine calls than engines wait for each other anyway


class Text(NamedTuple):
    """The text of one line.

    Attributes:
        text: What was read; may be empty.
        confidence: The mean probability of the kept characters in [0, 1]; 0 for an empty text.
    """

    text: str
    confidence: float


class Batch(NamedTuple):
    """Crops that are recognised in one engine call.

    Attributes:
        indices: Which crops, by position.
        width: The width in pixels to which all of them are padded.
    """

    indices: tuple[int, ...]
    width: int


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """How crops are fed to the recogniser and how its answer is read.

    Attributes:
        image_shape: Channels, height and usual width of what the network takes; longer lines make it wider.
        characters: What the network's classes 1, 2, ... stand for; class 0 is CTC's blank.
        batch_size: The most lines in one engine call, at least 1.
    """

    image_shape: tuple[int, int, int]
    characters: tuple[str, ...]
    batch_size: int = _BATCH_SIZES[0]


class TextRecognizer:
    """Reads lines of text.

    Args:
        engines: (N, 3, H, W) in, (N, T, classes) probabilities out; at least one. Several run at the same time, each
            with a part of the lines.
        options: How to use them.
    """

    def __init__(self, engines: Sequence[Engine], options: RecognitionOptions) -> None:
        self._engines = tuple(engines)
        self._options = options
        # Starts threads when it is used and none is idle, so that nothing exists before a server forks its workers.
        self._threads = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="recognizer")

    def line(self, crop: BgrImage) -> BgrImage:
        """Scales a crop to what the network takes, which is all that recognition needs to keep of it.

        Args:
            crop: (h, w, 3) uint8 BGR, a single line of text.

        Returns:
            (H, w, 3) uint8 BGR with the network's height H.
        """
        return scale_line(crop, self._options.image_shape[1], _WIDTHS[-1])

    def __call__(self, crops: Iterable[BgrImage], watch: Stopwatch) -> list[Text]:
        """Recognises crops.

        Args:
            crops: (h, w, 3) uint8 BGR each, single lines of text. Consumed one by one; only lines scaled to the
                network's height are kept, so that crops that are decoded as they are asked for take little memory.
            watch: Receives the stages `rec_prepare`, `rec_engine` and `rec_decode`.

        Returns:
            One text a crop, in their order.

        Raises:
            EngineError: The network failed, or its classes do not fit the dictionary.
        """
        lines = []
        for crop in crops:
            with watch("rec_prepare"):
                lines.append(self.line(crop))
        usual_width = self._options.image_shape[2]
        batches = deque(plan_batches([line.shape[1] for line in lines], usual_width, self._options.batch_size))
        engines = self._engines[: len(batches)]
        watches = [Stopwatch() for _ in engines]
        others = [
            self._threads.submit(self._read, engine, lines, batches, own)
            for engine, own in zip(engines[1:], watches[1:], strict=True)
        ]
        texts: dict[int, Text] = {}
        try:
            if batches:
                texts.update(self._read(engines[0], lines, batches, watches[0]))
        finally:
            batches.clear()  # where one engine fails, the others need not go on
            for other in others:
                texts.update(other.result())
        watch.include(watches)
        return [texts[index] for index in range(len(lines))]

    def _read(
        self, engine: Engine, lines: Sequence[BgrImage], batches: deque[Batch], watch: Stopwatch
    ) -> dict[int, Text]:
        texts: dict[int, Text] = {}
        while True:
            try:
                batch = batches.pop()  # the widest first, so that engines end at about the same time
            except IndexError:  # nothing is left
                return texts
            with watch("rec_prepare"):
                height = self._options.image_shape[1]
                tensor = batch_lines([lines[index] for index in batch.indices], height, batch.width)
            with watch("rec_engine"):
                found = engine.run(tensor, lambda probabilities: self._decode(probabilities, watch))
            texts.update(zip(batch.indices, found, strict=True))

    def _decode(self, probabilities: Float32Array, watch: Stopwatch) -> list[Text]:
        with watch("rec_decode"):
            return decode(probabilities, self._options.characters)


def plan_batches(widths: Sequence[int], usual_width: int, batch_size: int) -> Iterator[Batch]:
    """Groups lines into batches whose shapes come from a small fixed set.

    Every new input shape is paid for, with time at its first use and with memory for good, and a server sees every
    width there is. So widths are rounded up to a ladder whose steps are about a fifth, and batch sizes are taken
    from `_BATCH_SIZES`: the rest of a request is split (5 = 4 + 1) rather than filled up, because an engine call
    costs little while a line of padding costs as much as a line of text.

    No line is padded to less than the usual width of the network, as in PaddleOCR: narrower is faster, but changes
    what is read.

    Args:
        widths: Each line's width in pixels at the network's height.
        usual_width: Pixels that the network was trained with.
        batch_size: The most lines in a batch, at least 1.

    Yields:
        Batches that together hold every index once, narrow ones first.
    """
    order = sorted(range(len(widths)), key=widths.__getitem__)
    start = 0
    while start < len(order):
        most = min(batch_size, len(order) - start)
        batches = (_batch(order[start : start + size], widths, usual_width) for size in _BATCH_SIZES if size <= most)
        batch = next(batch for batch in batches if len(batch.indices) * batch.width <= max(batch.width, _MOST_PIXELS))
        yield batch
        start += len(batch.indices)


def _batch(indices: Sequence[int], widths: Sequence[int], usual_width: int) -> Batch:
    widest = widths[indices[-1]]
    needed = usual_width if widest <= usual_width else widest + _MARGIN
    return Batch(tuple(indices), next((width for width in _WIDTHS if width >= needed), _WIDTHS[-1]))


def decode(probabilities: Float32Array, characters: Sequence[str]) -> list[Text]:
    """Reads texts out of the network's answer: the best class of each step, repetitions merged, blanks dropped.

    Args:
        probabilities: (N, T, classes) float32 in [0, 1].
        characters: What the classes 1, 2, ... stand for.

    Returns:
        N texts.

    Raises:
        EngineError: There are more or fewer classes than characters and the blank.
    """
    classes = probabilities.shape[2]
    if classes != len(characters) + 1:
        raise EngineError(
            f"the recogniser tells {classes} classes apart, but the dictionary has {len(characters)} characters and "
            f"the blank; use the dictionary that belongs to the model"
        )
    best = probabilities.argmax(axis=2)
    confidences = np.take_along_axis(probabilities, best[:, :, np.newaxis], axis=2)[:, :, 0]
    kept = best != 0
    kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    return [
        Text("".join([characters[index - 1] for index in row[keep]]), float(scores[keep].mean()) if keep.any() else 0.0)
        for row, scores, keep in zip(best, confidences, kept, strict=True)
    ]
