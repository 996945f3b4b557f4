"""PPOCR_COMPATIBLE: what it changes, and which profiles it works with. How well it agrees is in test_oracle.py."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from ppocr_serving import Reader
from ppocr_serving.engines import Engine, EnginePool, EngineSpec, Float32Array
from ppocr_serving.engines.base import T
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.models import ROLES, compatible_profiles, profile_names
from ppocr_serving.reading.specs import require_models
from ppocr_serving.settings import Settings, load_settings
from ppocr_serving.vision.lines import batch_lines
from tests.drawing import Placed, draw_line, draw_page
from tests.reading.profiles import Prepare, prepare
from tests.services import POOL

__all__ = ["prepare"]  # a fixture

OLD = ("ppocr-v2.0-mobile", "ppocr-v2.0-server", "ppocr-v4-en", "ppocr-v4-mobile")
# In one row, of which the first word stands a little lower: by more than 10 pixels, but less than a quarter of a line.
ROW = draw_page([Placed("Halle", 60, 80, 90), Placed("Exit", 640, 66, 90)], 1000, 240)
NARROW_LINE = draw_line("Exit", size=18, margin=2)


class Recorded:
    """An engine that records its inputs."""

    def __init__(self, engine: Engine, inputs: list[Float32Array]) -> None:
        self._engine = engine
        self._inputs = inputs

    def load(self) -> None:
        """See `Engine.load`."""
        self._engine.load()

    def release_memory(self) -> None:
        """See `Engine.release_memory`."""
        self._engine.release_memory()

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """See `Engine.run`."""
        self._inputs.append(inputs.copy())
        return self._engine.run(inputs, read)

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """See `Engine.__call__`."""
        self._inputs.append(inputs.copy())
        return self._engine(inputs)


class RecordingPool(EnginePool):
    """A pool whose engines record their inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[Float32Array] = []

    def engine(self, spec: EngineSpec) -> Engine:
        """See `EnginePool.engine`."""
        return Recorded(POOL.engine(spec), self.inputs)


def input_of_the_recognizer(settings: Settings) -> Float32Array:
    pool = RecordingPool()
    (text,) = Reader(settings=settings, pool=pool, roles=("rec",)).recognize([NARROW_LINE])
    assert text.text == "Exit"
    (tensor,) = pool.inputs
    return tensor


def enlarged(interpolation: int) -> Float32Array:
    height, width = NARROW_LINE.shape[:2]
    return batch_lines([cv2.resize(NARROW_LINE, (-(-48 * width // height), 48), interpolation=interpolation)], 48, 320)


def test_lines_are_padded_to_320_pixels_in_the_compatible_mode_alone(prepare: Prepare) -> None:
    assert input_of_the_recognizer(prepare("ppocr-v4-mobile", compatible="true")).shape == (1, 3, 48, 320)
    for name in ("ppocr-v4-mobile", "ppocr-v5-mobile", "ppocr-v6-tiny"):
        assert input_of_the_recognizer(prepare(name)).shape[3] < 320


def test_small_lines_are_enlarged_as_the_profile_says_and_linearly_in_the_compatible_mode(prepare: Prepare) -> None:
    linear, cubic = enlarged(cv2.INTER_LINEAR), enlarged(cv2.INTER_CUBIC)
    assert np.abs(linear - cubic).max() > 0.1
    for settings, expected in (
        (prepare("ppocr-v4-mobile", compatible="true"), linear),
        (prepare("ppocr-v4-mobile"), cubic),
        (prepare("ppocr-v6-tiny"), linear),
    ):
        assert settings.models.profile.rec.interpolation == (
            "cubic" if "v4" in settings.models.profile.name else "linear"
        )
        tensor = input_of_the_recognizer(settings)
        np.testing.assert_array_equal(tensor, expected[..., : tensor.shape[3]])


def test_rows_of_large_text_are_split_in_the_compatible_mode_alone(prepare: Prepare) -> None:
    ours, paddleocrs = (
        Reader(settings=prepare("ppocr-v4-mobile", compatible=value), pool=POOL) for value in ("false", "true")
    )
    (page,), (page_in_mode,) = ours.pages([ROW]), paddleocrs.pages([ROW])
    assert [line.text for line in page.lines] == ["Halle", "Exit"]
    assert [line.text for line in page_in_mode.lines] == ["Exit", "Halle"]
    assert ours.detect([ROW]) == [[line.box for line in page.lines]]
    assert paddleocrs.detect([ROW]) == [[line.box for line in page_in_mode.lines]]


def test_the_mode_works_with_the_models_that_paddleocr_has() -> None:
    assert compatible_profiles() == OLD


@pytest.mark.parametrize("name", [name for name in profile_names() if name not in OLD])
def test_the_mode_is_refused_with_newer_profiles(name: str) -> None:
    settings = load_settings(environ={"PPOCR_PROFILE": name, "PPOCR_COMPATIBLE": "true"})
    for begin in (lambda: require_models(settings, ROLES), lambda: Reader(settings=settings, roles=("det",))):
        with pytest.raises(InvalidSetting) as caught:
            begin()
        assert str(caught.value) == (
            f"PPOCR_COMPATIBLE is true, but PaddleOCR 2.10 does not have the models of profile {name}; set it to "
            f"false, or set PPOCR_PROFILE to one of {', '.join(OLD)}"
        )
