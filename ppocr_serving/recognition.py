"""What the text says: recognition by connectionist temporal classification (CTC).

Reference: Graves et al., "Connectionist Temporal Classification", ICML 2006 (greedy decoding).
"""

from collections.abc import Iterable, Iterator, Sequence
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
    """

    image_shape: tuple[int, int, int]
    characters: tuple[str, ...]


class TextRecognizer:
    """Reads lines of text.

    Args:
        engine: (N, 3, H, W) in, (N, T, classes) probabilities out.
        options: How to use it.
    """

    def __init__(self, engine: Engine, options: RecognitionOptions) -> None:
        self._engine = engine
        self._options = options

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
        _, height, usual_width = self._options.image_shape
        lines = []
        for crop in crops:
            with watch("rec_prepare"):
                lines.append(scale_line(crop, height, _WIDTHS[-1]))
        texts: dict[int, Text] = {}
        for batch in plan_batches([line.shape[1] for line in lines], usual_width):
            with watch("rec_prepare"):
                tensor = batch_lines([lines[index] for index in batch.indices], height, batch.width)
            with watch("rec_engine"):
                probabilities = self._engine(tensor)
            with watch("rec_decode"):
                texts.update(zip(batch.indices, decode(probabilities, self._options.characters), strict=True))
        return [texts[index] for index in range(len(lines))]


def plan_batches(widths: Sequence[int], usual_width: int) -> Iterator[Batch]:
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

    Yields:
        Batches that together hold every index once, narrow ones first.
    """
    order = sorted(range(len(widths)), key=widths.__getitem__)
    start = 0
    while start < len(order):
        size = next(size for size in _BATCH_SIZES if size <= len(order) - start)
        indices = tuple(order[start : start + size])
        widest = max(usual_width, widths[indices[-1]])
        yield Batch(indices, next((width for width in _WIDTHS if width >= widest), _WIDTHS[-1]))
        start += size


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
