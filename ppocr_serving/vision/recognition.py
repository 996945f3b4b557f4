"""Text recognition by connectionist temporal classification (CTC).

Reference: Graves et al., "Connectionist Temporal Classification", ICML 2006 (greedy decoding).
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_serving.engines import Engine, Float32Array
from ppocr_serving.errors import EngineError
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.geometry import crop_quadrangle, widen
from ppocr_serving.vision.lines import (
    USUAL_NORMALIZATION,
    Interpolation,
    Normalization,
    batch_lines,
    scale_line,
)
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.splitting import Piece, is_one_word, join_pieces, split_line
from ppocr_serving.vision.words import Character, Span, Spans, find_words

__all__ = [
    "COMPATIBLE_WIDTHS",
    "NARROW_WIDTHS",
    "Batch",
    "FindWords",
    "LineQueue",
    "Packing",
    "RecognitionOptions",
    "Text",
    "TextRecognizer",
    "decode",
]

_LONG = (1280, 1600, 2048, 2560, 3200, 4096, 6400)
"""Input widths in pixels of long lines. Wider ones are split: 6400 at a height of 48 are some 300 letters."""

NARROW_WIDTHS = (64, 128, 192, 256, 320, 384, 512, 640, 768, 896, 1024, 1152, *_LONG)
"""Input widths in pixels."""

COMPATIBLE_WIDTHS = (320, 384, 480, 576, 704, 832, 1024, *_LONG)
"""No line is padded to less than 320 pixels, as in PaddleOCR."""

_MARGIN = 16
"""Minimum padding in pixels of a line wider than the narrowest width: without any, the network reads the end of a line
differently."""

FindWords = Callable[[int, Sequence[Character]], Spans]
"""Find the words of a line of a batch by its place there, and by its characters."""

_MAX_LINE_WIDTH = 2**16  # pixels of a line that is split: some 3,000 letters, and 9 MB

_MAX_THREADS = 64  # for all requests together; engine calls beyond the number of engines must wait anyway


class Text(NamedTuple):
    """The text of one line.

    Attributes:
        text: What was read; may be empty.
        confidence: The mean probability of the kept characters in [0, 1]; 0 for an empty text.
        words: Its words and where they are; None unless requested.
        is_upside_down: Whether the line was rotated by 180° to read it, because of itself and not of its page.
    """

    text: str
    confidence: float
    words: Spans | None = None
    is_upside_down: bool = False


class Batch(NamedTuple):
    """Crops that are recognised in one engine call.

    Attributes:
        indices: Which crops, by position.
        width: The width in pixels to which all of them are padded.
    """

    indices: tuple[int, ...]
    width: int


class Packing(NamedTuple):
    """Rules for which lines share an engine call.

    Attributes:
        sizes: Allowed numbers of lines per call, largest first, down to 1.
        max_total_width: Limit in pixels for the lines of a call together, padding included; 1000 take some 10 MB.
    """

    sizes: tuple[int, ...]
    max_total_width: int


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """Input and output of the recogniser.

    Attributes:
        image_shape: Channels, height and width that the network was trained with; its input may have another width.
        characters: Characters of the network's classes 1, 2, ...; class 0 is CTC's blank. If the network has one class
            more, it is the space.
        packing: Rules for which lines share an engine call.
        widths: Input widths in pixels, in ascending order. A line is padded to the next one.
        use_space: Whether there may be that class.
        normalization: How samples become the network's input.
        interpolation: How crops are scaled to the network's height.
        margin: Height of the strips around a box that are read with it, as a share of the height of its line.
        stages: Prefix of the names of the stages.
    """

    image_shape: tuple[int, int, int]
    characters: tuple[str, ...]
    packing: Packing
    widths: tuple[int, ...]
    use_space: bool = True
    normalization: Normalization = USUAL_NORMALIZATION
    interpolation: Interpolation = "linear"
    margin: float = 0.0
    stages: Literal["rec", "reread"] = "rec"


class TextRecognizer:
    """Read lines of text.

    Args:
        engines: (N, 3, H, W) in, (N, T, classes) probabilities out; at least one. Several run at the same time, each
            on a part of the lines.
        options: Their input and output.
    """

    def __init__(self, engines: Sequence[Engine], options: RecognitionOptions) -> None:
        self._engines = tuple(engines)
        self._options = options
        # Starts threads only when needed, so that none exists before a server forks its workers.
        self._threads = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="recognizer")

    def cut(self, image: BgrImage, box: npt.NDArray[np.float32]) -> BgrImage:
        """Cut a line out of a picture, scaled to the network's height.

        Args:
            image: (H, W, 3) uint8 BGR.
            box: (4, 2) float32, clockwise from the text's top left.
        """
        return self.line(crop_quadrangle(image, widen(box, self._options.margin, image.shape[:2])))

    def line(self, crop: BgrImage) -> BgrImage:
        """Scale a crop to the network's height, which is all that recognition needs to keep of it.

        Args:
            crop: (h, w, 3) uint8 BGR, a single line of text.

        Returns:
            (H, w, 3) uint8 BGR with the network's height H. A line that is longer than the network's input, and will be
            split, has at most the crop's own width, so that no pixels are kept that the picture has not, and at most
            65,536 pixels: a strip of one row has few pixels, and would have many times as many.
        """
        options = self._options
        widest = max(options.widths[-1], min(crop.shape[1], _MAX_LINE_WIDTH))
        return scale_line(crop, options.image_shape[1], widest, options.interpolation)

    def lines(self, crops: Iterable[BgrImage], watch: Stopwatch) -> list[BgrImage]:
        """Scale crops as `line` does.

        Args:
            crops: (h, w, 3) uint8 BGR each. Consumed one by one.
            watch: Receives the stage `rec_prepare`.
        """
        lines = []
        for crop in crops:
            with watch(f"{self._options.stages}_prepare"):
                lines.append(self.line(crop))
            del crop  # it may be as large as a picture, and the next one may wait for others
        return lines

    def __call__(self, crops: Iterable[BgrImage], watch: Stopwatch, words: bool = False) -> list[Text]:
        """Recognise crops.

        Args:
            crops: (h, w, 3) uint8 BGR each, single lines of text. Consumed one by one; only lines scaled to the
                network's height are kept, so that crops decoded on demand take little memory.
            watch: Receives the stages `rec_prepare`, `rec_engine` and `rec_decode`.
            words: Find the words of each line.

        Returns:
            One text per crop, in order.

        Raises:
            EngineError: The network failed, or its classes do not fit the dictionary.
        """
        widest = self._options.widths[-1] - _MARGIN
        pieces = [split_line(line, widest) for line in self.lines(crops, watch)]
        texts = iter(self._read_all([piece.image for line in pieces for piece in line], watch, words))
        return [_join(line, list(islice(texts, len(line)))) for line in pieces]

    def _read_all(self, lines: Sequence[BgrImage], watch: Stopwatch, words: bool) -> list[Text]:
        queue = LineQueue([line.shape[1] for line in lines], self._options, len(self._engines))
        watches = [watch.for_thread() for _ in self._engines[: len(lines)]]
        others = [
            self._threads.submit(self._read, place, lines, queue, own, words)
            for place, own in enumerate(watches[1:], start=1)
        ]
        texts: dict[int, Text] = {}
        try:
            if lines:
                texts.update(self._read(0, lines, queue, watches[0], words))
        finally:
            queue.clear()  # if one engine fails, the others need not go on
            wait(others)  # for all of them, before an error in one lets the next request begin
            for other in others:
                texts.update(other.result())
        watch.include(watches)
        return [texts[index] for index in range(len(lines))]

    @property
    def usual_shapes(self) -> list[tuple[int, int, int, int]]:
        """The shapes of the network's input for single ordinary lines."""
        channels, height, _ = self._options.image_shape
        return [(1, channels, height, width) for width in self._options.widths if width < _LONG[0]]

    def _read(
        self, place: int, lines: Sequence[BgrImage], queue: "LineQueue", watch: Stopwatch, words: bool
    ) -> dict[int, Text]:
        engine = self._engines[place]
        texts: dict[int, Text] = {}
        # Half of the engines begin with the narrow lines, half with the wide ones, so that each sees few widths: when
        # the width changes, a call takes a millisecond or two longer.
        while (batch := queue.take(wide=place % 2 == 1)) is not None:
            with watch(f"{self._options.stages}_prepare"):
                height = self._options.image_shape[1]
                taken = [lines[index] for index in batch.indices]
                tensor = batch_lines(taken, height, batch.width, self._options.normalization)
            find = partial(self._find_words, taken, batch.width) if words else None
            with watch(f"{self._options.stages}_engine"):
                try:
                    found = engine.run(tensor, partial(self._decode, watch=watch, find=find))
                finally:
                    if len(batch.indices) * batch.width > self._options.packing.max_total_width:  # one very long line
                        engine.release_memory()
            texts.update(zip(batch.indices, found, strict=True))
        return texts

    def _decode(self, probabilities: Float32Array, watch: Stopwatch, find: "FindWords | None") -> list[Text]:
        with watch(f"{self._options.stages}_decode"):
            return decode(probabilities, self._options.characters, use_space=self._options.use_space, find=find)

    def _find_words(
        self, lines: Sequence[BgrImage], width: int, position: int, characters: Sequence[Character]
    ) -> Spans:
        return Spans(find_words(lines[position], width, characters), self._options.margin)


class LineQueue:
    """Lines to be read, handed out in batches whose shapes come from a small fixed set.

    Every new input shape costs time at its first use and memory permanently, and a server sees every possible width. So
    widths are rounded up in steps of about a fifth, and few batch sizes are used: the rest of a request is split
    (3 = 2 + 1) rather than padded, because an engine call costs little, while an empty line costs as much as a line of
    text.

    Args:
        widths: Each line's width in pixels at the network's height.
        options: `widths` and `packing` are used.
        engines: Number of engines that take lines at the same time. They finish at about the same time because the last
            lines come in small batches.
    """

    def __init__(self, widths: Sequence[int], options: RecognitionOptions, engines: int) -> None:
        self._packing = options.packing
        self._engines = engines
        self._order = sorted(range(len(widths)), key=widths.__getitem__)
        self._padded = [_padded(widths[index], options.widths) for index in self._order]
        self._rest = range(len(widths))
        self._lock = threading.Lock()

    def take(self, wide: bool) -> Batch | None:
        """Return the next batch.

        Args:
            wide: Take the widest of the remaining lines instead of the narrowest.

        Returns:
            None when no lines are left.
        """
        with self._lock:
            if not self._rest:
                return None
            size = next(size for size in self._packing.sizes if self._fits(size, wide))
            part = self._part(size, wide)
            self._rest = self._rest[:-size] if wide else self._rest[size:]
            return Batch(tuple(self._order[part.start : part.stop]), self._padded[part[-1]])

    def clear(self) -> None:
        """Drop the lines that are left."""
        with self._lock:
            self._rest = range(0)

    def _part(self, size: int, wide: bool) -> range:
        return self._rest[-size:] if wide else self._rest[:size]

    def _fits(self, size: int, wide: bool) -> bool:
        if size == 1:
            return True
        if size * self._engines > len(self._rest):
            return False
        part = self._part(size, wide)
        return size * self._padded[part[-1]] <= self._packing.max_total_width


def _padded(width: int, steps: Sequence[int]) -> int:
    needed = width if width <= steps[0] else width + _MARGIN
    return next((step for step in steps if step >= needed), steps[-1])


def _join(pieces: Sequence[Piece], texts: Sequence[Text]) -> Text:
    if len(texts) == 1:
        return texts[0]
    count = sum(len(text.text) for text in texts)
    total = sum(text.confidence * len(text.text) for text in texts)
    return Text(join_pieces(pieces, [text.text for text in texts]), total / max(1, count), _join_words(pieces, texts))


def _join_words(pieces: Sequence[Piece], texts: Sequence[Text]) -> Spans | None:
    if texts[0].words is None:
        return None
    length = pieces[-1].start + pieces[-1].image.shape[1]
    words: list[Span] = []
    before = ""
    for piece, text in zip(pieces, texts, strict=True):
        own = text.words.words if text.words is not None else ()
        found = [word.inside(piece.start / length, piece.image.shape[1] / length) for word in own]
        if words and found and is_one_word(before, piece, text.text):
            words[-1:] = [words[-1].joined_with(found.pop(0))]
        words += found
        before = text.text or before
    return Spans(tuple(words), texts[0].words.margin)


def decode(
    probabilities: Float32Array,
    characters: Sequence[str],
    *,
    use_space: bool = True,
    find: FindWords | None = None,
) -> list[Text]:
    """Decode texts from the network's output: the best class of each step, repetitions merged, blanks dropped.

    Args:
        probabilities: (N, T, classes) float32 in [0, 1].
        characters: Characters of the classes 1, 2, ...
        use_space: If there is one class more, it is the space.
        find: Finds the words of each line; None if they are not requested.

    Returns:
        N texts.

    Raises:
        EngineError: The number of classes is not that of the characters plus the blank, and the space.
    """
    classes = probabilities.shape[2]
    space = classes - len(characters) - 1
    if space not in ((0, 1) if use_space else (0,)):
        raise EngineError(
            f"the recogniser outputs {classes} classes, but the dictionary has {len(characters)} characters"
            f"{', to which the blank and the space can be added' if use_space else ' and the blank'}; "
            "set PPOCR_REC_DICT to the dictionary that belongs to the model"
        )
    lines = zip(probabilities, probabilities.argmax(axis=2).tolist(), strict=True)
    return [_decode_line(line, best, characters, index, find) for index, (line, best) in enumerate(lines)]


def _decode_line(
    probabilities: Float32Array, best: Sequence[int], characters: Sequence[str], index: int, find: FindWords | None
) -> Text:
    # A loop over the few steps of a line: right after an engine call, each NumPy call costs some 30 microseconds.
    steps, kept = [], []
    before = 0
    for step, best_class in enumerate(best):
        if best_class not in (0, before):
            steps.append(step)
            kept.append(best_class)
        before = best_class
    if not kept:
        return Text("", 0.0, None if find is None else find(index, ()))
    count = len(characters)
    texts = [characters[kept_class - 1] if kept_class <= count else " " for kept_class in kept]
    found = probabilities[steps, kept]
    words = None
    if find is not None:
        ends = [_end_of_run(best, step) for step in steps]
        middles = [(first + end) / 2 / len(best) for first, end in zip(steps, ends, strict=True)]
        words = find(index, list(map(Character, texts, found.tolist(), middles)))
    return Text("".join(texts), float(found.mean()), words)


def _end_of_run(best: Sequence[int], first: int) -> int:
    """Return the step behind the last one of a run of steps with the same class."""
    end = first + 1
    while end < len(best) and best[end] == best[first]:
        end += 1
    return end
