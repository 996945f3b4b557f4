"""Recognition: batches, CTC decoding, and the recogniser with its real model."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.engines import Engine, EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.engines.base import T
from ppocr_serving.errors import EngineError
from ppocr_serving.reading.models import characters_of
from ppocr_serving.reading.specs import engine_specs
from ppocr_serving.settings import Settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.lines import scale_line
from ppocr_serving.vision.recognition import (
    COMPATIBLE_WIDTHS,
    Batch,
    LineQueue,
    Packing,
    RecognitionOptions,
    Text,
    TextRecognizer,
    decode,
)
from tests.conftest import models_of
from tests.drawing import draw_line
from tests.matching import without_spaces
from tests.services import POOL, Service

WORDS = [
    "Exit",
    "出口",
    "A much longer line of text than all the others",
    "欢迎光临图书馆阅览室",
    "2026-03-15",
    "No smoking",
]
MIXED = Packing(sizes=(6, 4, 2, 1), max_total_width=3200)
ALONE = Packing(sizes=(1,), max_total_width=1)
WIDEST = 6400
ALPHABET = ("a", "b", "中", " ")
PATIENCE_SECONDS = 60  # bounds how long a failing test hangs


@pytest.fixture(scope="module")
def options(settings: Settings) -> RecognitionOptions:
    characters = characters_of(settings)
    # As in the services.
    packing = ALONE if settings.models.engine is Runtime.OPENVINO else MIXED
    return RecognitionOptions(settings.models.rec_image_shape, characters, packing, COMPATIBLE_WIDTHS)


@pytest.fixture(scope="module")
def recognizer(settings: Settings, options: RecognitionOptions) -> TextRecognizer:
    return TextRecognizer([POOL.engine(spec) for spec in engine_specs(settings, "rec")], options)


# ---- batching


widths_of_lines = st.lists(st.integers(1, 12_000), max_size=60)
packings = st.sampled_from([MIXED, ALONE])


def batches_of(
    widths: list[int], packing: Packing, *, usual_width: int = 320, engines: int = 1, wide: bool = False
) -> list[Batch]:
    """Return all batches of a queue, taken alternately from both ends, or from one end if there is one engine."""
    steps = (usual_width, *(step for step in COMPATIBLE_WIDTHS if step > usual_width))
    queue = LineQueue(widths, RecognitionOptions((3, 48, usual_width), ALPHABET, packing, steps), engines)
    ends = itertools.cycle([wide, not wide][:engines])
    batches = []
    while (batch := queue.take(next(ends))) is not None:
        batches.append(batch)
    return batches


@given(widths_of_lines, packings, st.integers(1, 4), st.booleans())
def test_every_line_is_in_one_batch(widths: list[int], packing: Packing, engines: int, wide: bool) -> None:
    batches = batches_of(widths, packing, engines=engines, wide=wide)
    assert sorted(itertools.chain.from_iterable(batch.indices for batch in batches)) == list(range(len(widths)))
    assert {len(batch.indices) for batch in batches} <= set(packing.sizes)


@given(widths_of_lines, packings, st.sampled_from([100, 320, 400]), st.integers(1, 4))
def test_batches_are_as_wide_as_their_widest_line_needs(
    widths: list[int], packing: Packing, usual_width: int, engines: int
) -> None:
    for batch in batches_of(widths, packing, usual_width=usual_width, engines=engines):
        needed = max(usual_width, *(widths[index] for index in batch.indices))
        if needed > WIDEST:
            assert batch.width == WIDEST
        else:
            # The first steps of the ladder are 320 pixels, so that narrow lines share a shape; further up the steps
            # waste at most 60 %.
            assert needed <= batch.width <= max(320, 1.6 * needed)
        assert len(batch.indices) == 1 or len(batch.indices) * batch.width <= packing.max_total_width


@given(st.integers(321, WIDEST - 100))
def test_a_line_wider_than_usual_has_some_padding(width: int) -> None:
    (batch,) = batches_of([width], ALONE)
    assert batch.width > width


@pytest.mark.parametrize(("packing", "shapes"), [(MIXED, 31), (ALONE, 14)])
@given(data=st.data())
def test_few_shapes_are_used(packing: Packing, shapes: int, data: st.DataObject) -> None:
    met = set()
    for seed in data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=40, max_size=40)):
        random = Random(seed)
        widths = [random.randint(1, random.choice((400, 1200, 12_000))) for _ in range(random.randint(1, 60))]
        met |= {
            (len(batch.indices), batch.width) for batch in batches_of(widths, packing, engines=random.choice((1, 2)))
        }
    assert len(met) <= shapes


@given(widths_of_lines, packings, st.booleans())
def test_lines_come_by_width_from_the_requested_end(widths: list[int], packing: Packing, wide: bool) -> None:
    order = [
        widths[index]
        for batch in batches_of(widths, packing, wide=wide)
        for index in (reversed(batch.indices) if wide else batch.indices)
    ]
    assert order == sorted(widths, reverse=wide)


@given(st.integers(0, 40))
def test_few_calls_are_made_and_no_batch_is_filled_up(count: int) -> None:
    sizes = [len(batch.indices) for batch in batches_of([100] * count, MIXED)]
    assert sum(sizes) == count
    assert len(sizes) <= count // 6 + 2


@given(st.integers(0, 40), st.integers(2, 4))
def test_the_last_lines_come_one_by_one_so_that_every_engine_gets_some(count: int, engines: int) -> None:
    sizes = [
        len(batch.indices) for batch in batches_of([100] * count, Packing((3, 1), max_total_width=960), engines=engines)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes.count(1) >= min(count, 3 * (engines - 1))


def test_nothing_is_left_after_clearing() -> None:
    queue = LineQueue([100] * 9, RecognitionOptions((3, 48, 320), ALPHABET, MIXED, COMPATIBLE_WIDTHS), 1)
    assert queue.take(wide=True) is not None
    queue.clear()
    assert queue.take(wide=True) is None


# ---- CTC decoding


probability_maps = st.builds(
    lambda lines, steps, seed: (
        np.random.default_rng(seed).dirichlet([0.3] * (len(ALPHABET) + 1), (lines, steps)).astype(np.float32)
    ),
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
)


def slow_decode(line: Float32Array) -> Text:
    """Greedy CTC step by step: a class counts if it is not a blank and differs from the step before."""
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


def test_one_class_more_than_the_dictionary_and_the_blank_is_the_space() -> None:
    assert decode(certain(1, 4, 3), ALPHABET[:-1]) == [Text("a 中", 0.75)]
    with pytest.raises(EngineError, match="outputs 5 classes, but the dictionary has 3 characters and the blank"):
        decode(certain(1), ALPHABET[:-1], use_space=False)


@pytest.mark.parametrize("characters", [ALPHABET[:-2], (*ALPHABET, "x")])
def test_a_dictionary_of_another_model_is_an_error(characters: tuple[str, ...]) -> None:
    with pytest.raises(EngineError, match=rf"outputs 5 classes, but the dictionary has {len(characters)} characters"):
        decode(certain(1), characters)


def test_the_real_model_refuses_a_wrong_dictionary(services: dict[str, Service]) -> None:
    options = RecognitionOptions((3, 48, 320), ALPHABET, MIXED, COMPATIBLE_WIDTHS)
    recognizer = TextRecognizer(services["ocr_rec"].engines, options)
    with pytest.raises(EngineError, match="dictionary that belongs to the model"):
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


def test_no_crops_give_no_answers(recognizer: TextRecognizer) -> None:
    watch = Stopwatch()
    assert recognizer([], watch) == []
    assert watch.seconds == {}


def test_a_blank_crop_gives_an_empty_text(recognizer: TextRecognizer) -> None:
    assert recognizer([np.full((48, 320, 3), 255, dtype=np.uint8)], Stopwatch()) == [Text("", 0.0)]


@pytest.mark.thorough_with_paddle
def test_words_of_a_split_line_with_a_blank_piece(recognizer: TextRecognizer) -> None:
    first, last = (scale_line(draw_line(words, margin=6), 48, WIDEST) for words in ("boats sail", "past the harbour"))
    blank = np.full((48, 15_000, 3), 255, dtype=np.uint8)
    (text,) = recognizer([np.hstack([first, blank, last])], Stopwatch(), words=True)
    assert text.words is not None
    assert [word.text for word in text.words.words] == text.text.split()
    assert text.words.words[0].start < 0.1
    assert text.words.words[-1].end > 0.9


@pytest.mark.thorough_with_paddle
def test_words_of_a_split_line_are_those_of_its_text(recognizer: TextRecognizer) -> None:
    # Letters without gaps, as far as the splitting can tell: the words are split.
    line = draw_line("boatssailslowlypasttheoldharbour" * 14, margin=6)
    (text,) = recognizer([line], Stopwatch(), words=True)
    assert text.words is not None
    assert [word.text for word in text.words.words] == text.text.split()
    (without,) = recognizer([line], Stopwatch())
    assert (without.text, without.words) == (text.text, None)


def test_a_line_keeps_few_pixels_whatever_its_shape(recognizer: TextRecognizer) -> None:
    crop = np.full((1, 1_000_000, 3), 255, dtype=np.uint8)
    assert recognizer.line(crop).nbytes < 10e6


# ---- several engines at once


@pytest.fixture(scope="module")
def lanes(settings: Settings) -> list[Engine]:
    model = models_of(settings)["rec"]
    spec = EngineSpec(model, precision=Precision.F32, threads=1, runtime=settings.models.engine)
    return [POOL.engine(replace(spec, lane=lane)) for lane in range(3)]


@pytest.mark.thorough_with_paddle
def test_several_engines_read_the_same_as_one(lanes: list[Engine], options: RecognitionOptions) -> None:
    crops = [draw_line(f"{word} {number}", margin=6) for number in (7, 2026) for word in WORDS]
    options = replace(options, packing=ALONE)
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
    """An engine that records the widths it gets, and starts only once all of its group are at work."""

    def __init__(self, engine: Engine, group: threading.Barrier) -> None:
        self.widths: list[int] = []
        self._engine = engine
        self._group = group

    def load(self) -> None:
        """See `Engine.load`."""
        self._engine.load()

    def release_memory(self) -> None:
        """There is nothing to release."""

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """See `Engine.run`."""
        return read(self(inputs))

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """See `Engine.__call__`."""
        if not self.widths:
            self._group.wait()
        self.widths.append(inputs.shape[3])
        return self._engine(inputs)


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("count", [2, 3])
def test_engines_work_concurrently_from_both_ends(lanes: list[Engine], options: RecognitionOptions, count: int) -> None:
    group = threading.Barrier(count, timeout=PATIENCE_SECONDS)
    engines = [Observed(lane, group) for lane in lanes[:count]]
    recognizer = TextRecognizer(engines, replace(options, packing=ALONE))
    crops = [draw_line("word " * number, margin=6) for number in (9, 1, 7, 3, 15, 5, 11, 13)]

    texts = recognizer(crops, Stopwatch())

    assert [text.text.count("word") for text in texts] == [9, 1, 7, 3, 15, 5, 11, 13]
    planned = [batch.width for batch in batches_of([recognizer.line(crop).shape[1] for crop in crops], ALONE)]
    assert sorted(width for engine in engines for width in engine.widths) == planned
    for place, engine in enumerate(engines):
        assert engine.widths == sorted(engine.widths, reverse=place % 2 == 1)
    first = [engine.widths[0] for engine in engines]
    assert min(first) == planned[0]
    assert max(first) == planned[-1]


class Failing:
    """An engine that fails at every call, once all of its group are at work."""

    def __init__(self, group: threading.Barrier) -> None:
        self._group = group

    def load(self) -> None:
        """There is nothing to load."""

    def release_memory(self) -> None:
        """There is nothing to release."""

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
        [Failing(group) if index in broken else Observed(lane, group) for index, lane in enumerate(lanes)],
        replace(options, packing=ALONE),
    )
    with pytest.raises(EngineError, match="broken at"):
        recognizer(crops, Stopwatch())
    if 0 not in broken:  # a single line needs no other engine
        (text,) = recognizer(crops[:1], Stopwatch())
        assert text.text == WORDS[0]


def test_more_engines_than_lines_do_no_harm(lanes: list[Engine], options: RecognitionOptions) -> None:
    watch = Stopwatch()
    (text,) = TextRecognizer(lanes, options)([draw_line("Exit", margin=6)], watch)
    assert text.text == "Exit"
    assert list(watch.seconds) == ["rec_prepare", "rec_engine", "rec_decode"]
