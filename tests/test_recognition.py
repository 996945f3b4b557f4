"""What text says: batches, CTC decoding, and the recogniser with its real model."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.engines import Engine, EngineSpec, Float32Array, Precision, Runtime, shared_engine
from ppocr_serving.engines.base import T
from ppocr_serving.errors import EngineError
from ppocr_serving.models import ModelFiles, load_dictionary
from ppocr_serving.recognition import (
    RecognitionOptions,
    Text,
    TextRecognizer,
    decode,
    plan_batches,
)
from ppocr_serving.settings import Settings
from ppocr_serving.tasks import Task
from ppocr_serving.timing import Stopwatch
from tests.drawing import draw_line
from tests.matching import without_spaces

WORDS = [
    "Exit",
    "出口",
    "A much longer line of text than all the others",
    "欢迎光临图书馆阅览室",
    "2026-03-15",
    "No smoking",
]
BATCH_SIZES = {1, 2, 4, 6}
WIDEST = 6400
ALPHABET = ("a", "b", "中", " ")
PATIENCE_SECONDS = 60  # bounds how long a test that fails hangs


@pytest.fixture(scope="session")
def options(settings: Settings) -> RecognitionOptions:
    # OpenVINO gets a line a call, as in the services.
    batch_size = 1 if settings.engine is Runtime.OPENVINO else 6
    return RecognitionOptions(settings.rec_image_shape, (*load_dictionary(settings.dictionary_path()), " "), batch_size)


@pytest.fixture(scope="session")
def recognizer(tasks: dict[str, Task], options: RecognitionOptions) -> TextRecognizer:
    return TextRecognizer(tasks["ocr_rec"].engines, options)


widths_of_lines = st.lists(st.integers(1, 12_000), max_size=60)
usual_widths = st.sampled_from([100, 320, 400])
batch_sizes = st.integers(1, 9)


@given(widths_of_lines, usual_widths, batch_sizes)
def test_every_line_is_in_one_batch(widths: list[int], usual_width: int, batch_size: int) -> None:
    batches = list(plan_batches(widths, usual_width, batch_size))
    assert sorted(itertools.chain.from_iterable(batch.indices for batch in batches)) == list(range(len(widths)))
    sizes = {len(batch.indices) for batch in batches}
    assert sizes <= BATCH_SIZES
    assert max(sizes, default=0) <= batch_size


@given(widths_of_lines, usual_widths, batch_sizes)
def test_batches_are_as_wide_as_their_widest_line_needs(widths: list[int], usual_width: int, batch_size: int) -> None:
    for batch in plan_batches(widths, usual_width, batch_size):
        needed = max(usual_width, *(widths[index] for index in batch.indices))
        if needed > WIDEST:
            assert batch.width == WIDEST
        else:
            # The first steps of the ladder are 320 pixels, so that narrow lines share a shape; further up the steps
            # waste at most 60 %.
            assert needed <= batch.width <= max(320, 1.6 * needed)


@given(st.integers(321, WIDEST - 100))
def test_a_line_wider_than_usual_has_some_padding(width: int) -> None:
    (batch,) = plan_batches([width], 320, 1)
    assert batch.width > width


@given(st.lists(st.integers(1, 12_000), min_size=1, max_size=200), batch_sizes)
def test_few_shapes_are_ever_used(widths: list[int], batch_size: int) -> None:
    assert len({batch.width for batch in plan_batches(widths, 320, batch_size)}) <= 16


@given(widths_of_lines, batch_sizes)
def test_narrow_lines_come_first(widths: list[int], batch_size: int) -> None:
    order = [widths[index] for batch in plan_batches(widths, 320, batch_size) for index in batch.indices]
    assert order == sorted(widths)


@given(st.integers(0, 40))
def test_few_calls_are_made_and_nothing_is_filled_up(count: int) -> None:
    sizes = [len(batch.indices) for batch in plan_batches([100] * count, 320, 6)]
    assert sum(sizes) == count
    assert len(sizes) <= count // 6 + 2


probability_maps = st.builds(
    lambda lines, steps, seed: (
        np.random.default_rng(seed).dirichlet([0.3] * (len(ALPHABET) + 1), (lines, steps)).astype(np.float32)
    ),
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
)


def slow_decode(line: Float32Array) -> Text:
    """Greedy CTC step by step: a class counts where it is no blank and differs from the step before."""
    letters, scores, before = [], [], 0
    for step in line.tolist():
        best = step.index(max(step))
        if best not in (0, before):
            letters.append(ALPHABET[best - 1])
            scores.append(step[best])
        before = best
    return Text("".join(letters), sum(scores) / len(scores) if scores else 0.0)


@given(probability_maps)
def test_decoding_agrees_with_a_plain_reference(probabilities: Float32Array) -> None:
    texts = decode(probabilities, ALPHABET)
    for text, line in zip(texts, probabilities, strict=True):
        expected = slow_decode(line)
        assert text.text == expected.text
        assert type(text.confidence) is float
        assert text.confidence == pytest.approx(expected.confidence, rel=1e-5)


def certain(*classes: int) -> Float32Array:
    return np.eye(len(ALPHABET) + 1, dtype=np.float32)[list(classes)][np.newaxis] * np.float32(0.75)


@pytest.mark.parametrize(
    ("classes", "text"),
    [((0, 1, 1, 0, 1, 2), "aab"), ((3, 3, 3), "中"), ((1, 4, 1), "a a"), ((2, 1, 2), "bab"), ((0, 0), "")],
)
def test_repetitions_are_merged_and_blanks_dropped(classes: tuple[int, ...], text: str) -> None:
    assert decode(certain(*classes), ALPHABET) == [Text(text, 0.75 if text else 0.0)]


@pytest.mark.parametrize("characters", [ALPHABET[:-1], (*ALPHABET, "x")])
def test_a_dictionary_of_another_model_is_an_error(characters: tuple[str, ...]) -> None:
    with pytest.raises(EngineError, match=rf"5 classes apart, but the dictionary has {len(characters)} characters"):
        decode(certain(1), characters)


def test_the_real_model_refuses_a_wrong_dictionary(tasks: dict[str, Task]) -> None:
    recognizer = TextRecognizer(tasks["ocr_rec"].engines, RecognitionOptions((3, 48, 320), ALPHABET))
    with pytest.raises(EngineError, match="use the dictionary that belongs to the model"):
        recognizer([draw_line("Exit")], Stopwatch())


def test_answer_i_belongs_to_crop_i(recognizer: TextRecognizer) -> None:
    numbers = np.random.default_rng(1).permutation(15).tolist()
    texts = [f"{WORDS[number % len(WORDS)]} {100 + number}" for number in numbers]
    answers = recognizer([draw_line(text, margin=6) for text in texts], Stopwatch())
    assert [without_spaces(answer.text) for answer in answers] == [without_spaces(text) for text in texts]


def test_the_order_of_crops_does_not_matter(recognizer: TextRecognizer) -> None:
    crops = [draw_line(word, margin=6) for word in WORDS]
    answers = recognizer(crops, Stopwatch())
    order = np.random.default_rng(2).permutation(len(crops)).tolist()
    shuffled = recognizer([crops[index] for index in order], Stopwatch())
    for index, answer in zip(order, shuffled, strict=True):
        assert answer.text == answers[index].text
        assert answer.confidence == pytest.approx(answers[index].confidence, abs=1e-4)


def test_a_narrow_crop_reads_the_same_with_narrow_companions(recognizer: TextRecognizer) -> None:
    crops = [draw_line(word, margin=6) for word in ("Exit", "出口", "Gate 7")]
    for crop, answer in zip(crops, recognizer(crops, Stopwatch()), strict=True):
        (alone,) = recognizer([crop], Stopwatch())
        assert alone.text == answer.text
        assert alone.confidence == pytest.approx(answer.confidence, abs=1e-4)


def test_no_crops_no_answers(recognizer: TextRecognizer) -> None:
    watch = Stopwatch()
    assert recognizer([], watch) == []
    assert watch.seconds == {}


def test_a_blank_crop_is_an_empty_text(recognizer: TextRecognizer) -> None:
    assert recognizer([np.full((48, 320, 3), 255, dtype=np.uint8)], Stopwatch()) == [Text("", 0.0)]


# ---- several engines at the same time


@pytest.fixture(scope="session")
def lanes(default_models: dict[str, ModelFiles], settings: Settings) -> list[Engine]:
    spec = EngineSpec(default_models["rec"], precision=Precision.F32, threads=1, runtime=settings.engine)
    return [shared_engine(replace(spec, lane=lane)) for lane in range(3)]


def test_several_engines_read_what_one_reads(lanes: list[Engine], options: RecognitionOptions) -> None:
    crops = [draw_line(f"{word} {number}", margin=6) for number in (7, 2026) for word in WORDS]
    alone = TextRecognizer(lanes[:1], options)(crops, Stopwatch())
    assert [without_spaces(text.text) for text in alone] == [
        without_spaces(f"{word} {number}") for number in (7, 2026) for word in WORDS
    ]
    for count in (2, 3):
        together = TextRecognizer(lanes[:count], options)(crops, Stopwatch())
        assert [text.text for text in together] == [text.text for text in alone]
        for text, other in zip(together, alone, strict=True):
            assert text.confidence == pytest.approx(other.confidence, abs=1e-5)


class Observed:
    """An engine that notes the widths it is given, and begins only when all of a group are at work."""

    def __init__(self, engine: Engine, group: threading.Barrier) -> None:
        self.widths: list[int] = []
        self._engine = engine
        self._group = group

    def load(self) -> None:
        """See `Engine.load`."""
        self._engine.load()

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """See `Engine.run`."""
        return read(self(inputs))

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """See `Engine.__call__`."""
        if not self.widths:
            self._group.wait()
        self.widths.append(inputs.shape[3])
        return self._engine(inputs)


@pytest.mark.parametrize("count", [2, 3])
def test_engines_work_at_the_same_time_the_widest_lines_first(
    lanes: list[Engine], options: RecognitionOptions, count: int
) -> None:
    group = threading.Barrier(count, timeout=PATIENCE_SECONDS)
    engines = [Observed(lane, group) for lane in lanes[:count]]
    recognizer = TextRecognizer(engines, replace(options, batch_size=1))
    crops = [draw_line("word " * number, margin=6) for number in (9, 1, 7, 3, 15, 5, 11, 13)]

    texts = recognizer(crops, Stopwatch())

    assert [text.text.count("word") for text in texts] == [9, 1, 7, 3, 15, 5, 11, 13]
    planned = [batch.width for batch in plan_batches([recognizer.line(crop).shape[1] for crop in crops], 320, 1)]
    assert sorted(width for engine in engines for width in engine.widths) == planned
    for engine in engines:
        assert engine.widths == sorted(engine.widths, reverse=True)
    assert sorted(engine.widths[0] for engine in engines) == planned[-count:]


class Breaking:
    """Breaks at every call, once all of a group are at work."""

    def __init__(self, group: threading.Barrier) -> None:
        self._group = group

    def load(self) -> None:
        """There is nothing to load."""

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """See `Engine.run`."""
        return read(self(inputs))

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """See `Engine.__call__`."""
        self._group.wait()
        raise EngineError(f"broken at {inputs.shape}")


@pytest.mark.parametrize("broken", [{0}, {1}, {2}, {1, 2}, {0, 1, 2}])
def test_an_error_of_any_engine_reaches_the_caller(
    lanes: list[Engine], options: RecognitionOptions, broken: set[int]
) -> None:
    crops = [draw_line(word, margin=6) for word in WORDS]
    group = threading.Barrier(len(lanes), timeout=PATIENCE_SECONDS)
    recognizer = TextRecognizer(
        [Breaking(group) if index in broken else Observed(lane, group) for index, lane in enumerate(lanes)],
        replace(options, batch_size=1),
    )
    with pytest.raises(EngineError, match="broken at"):
        recognizer(crops, Stopwatch())
    if 0 not in broken:  # a single line needs no other engine
        (text,) = recognizer(crops[:1], Stopwatch())
        assert text.text == WORDS[0]


def test_more_engines_than_lines_are_no_harm(lanes: list[Engine], options: RecognitionOptions) -> None:
    watch = Stopwatch()
    (text,) = TextRecognizer(lanes, options)([draw_line("Exit", margin=6)], watch)
    assert text.text == "Exit"
    assert list(watch.seconds) == ["rec_prepare", "rec_engine", "rec_decode"]
