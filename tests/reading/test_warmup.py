"""Loading: what every picture needs first, the second recogniser in the background."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.engines import EnginePool, Float32Array
from ppocr_serving.engines.base import T
from ppocr_serving.engines.openvino import OpenVinoEngine
from ppocr_serving.errors import EngineError, ModelNotFound
from ppocr_serving.models.profile import ROLES, Role
from ppocr_serving.reading.ahead import load_ahead
from ppocr_serving.reading.specs import engine_specs, require_models
from ppocr_serving.reading.warmup import load_engines, try_out
from ppocr_serving.settings import Settings
from tests.drawing import draw_line
from tests.reading.profiles import Prepare, prepare

__all__ = ["prepare"]  # a fixture

CLEAR, UNCLEAR = draw_line("Departures"), draw_line("カタカナ", margin=4)  # the first recogniser knows no kana
FIRST: tuple[Role, ...] = ("det", "rec")
SOMETIMES = ReadOptions(reread_score=0.9)


@pytest.fixture
def copied(prepare: Prepare, tmp_path: Path) -> Settings:
    """The settings of a profile with a second recogniser, whose files may be changed."""
    original = prepare("ppocr-v6")
    shutil.copytree(original.models.model_dir / "ppocr-v6", tmp_path / "ppocr-v6")
    return prepare("ppocr-v6", model_dir=str(tmp_path))


def test_a_doubtful_line_waits_for_the_second_recogniser(copied: Settings) -> None:
    reader = Reader(settings=copied, pool=EnginePool())
    load_engines([reader])
    cold = reader.recognize([UNCLEAR], SOMETIMES)
    try_out([reader])
    assert cold == reader.recognize([UNCLEAR], SOMETIMES)
    assert cold[0].text == "カタカナ"


def test_a_second_recogniser_that_cannot_be_loaded_is_an_error_where_it_is_used(copied: Settings) -> None:
    damaged = copied.models.directory("reread") / "inference.onnx"
    damaged.write_bytes(damaged.read_bytes()[:100_000])
    reader = Reader(settings=copied, pool=EnginePool())
    load_engines([reader])
    assert reader.recognize([CLEAR], SOMETIMES)[0].text == "Departures"
    for _ in range(2):
        with pytest.raises(EngineError, match=f"^{damaged}: "):
            reader.recognize([UNCLEAR], SOMETIMES)
    with pytest.raises(EngineError, match=f"^{damaged}: "):
        try_out([reader])


@pytest.mark.parametrize("kept", [4, 16])
def test_recognisers_are_prepared_for_the_usual_widths_if_they_keep_them(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    shapes: dict[OpenVinoEngine, set[int]] = {}
    run = OpenVinoEngine.run

    def noted(engine: OpenVinoEngine, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        shapes.setdefault(engine, set()).add(inputs.shape[3])
        return run(engine, inputs, read)

    monkeypatch.setattr(OpenVinoEngine, "run", noted)
    reader = Reader(settings=prepare("ppocr-v6", kept_shapes=str(kept)), pool=EnginePool())
    load_engines([reader])
    try_out([reader])
    for thread in threading.enumerate():
        if thread.name == "prepare-widths":
            thread.join()
    for role in ("rec", "reread"):
        of_role = [
            widths
            for engine, widths in shapes.items()
            if engine in reader.engines and engine.model.program.parent.name == role
        ]
        assert of_role
        for widths in of_role:
            assert widths.issuperset(range(64, 321, 64)) == (kept == 16)


def test_a_reader_without_detector_and_recogniser_has_its_model_loaded(copied: Settings) -> None:
    reader = Reader(settings=copied, pool=EnginePool(), roles=("cls",))
    assert reader.first_engines == reader.engines
    load_engines([reader])
    assert len(reader.classify([CLEAR])) == 1


def test_a_missing_second_recogniser_is_refused_before_anything_is_loaded(copied: Settings) -> None:
    (copied.models.directory("reread") / "inference.onnx").unlink()
    with pytest.raises(ModelNotFound, match=r"^reread model: "):
        require_models(copied, ROLES)
    with pytest.raises(ModelNotFound, match=r"^reread model: "):
        Reader(settings=copied)


def test_models_are_loaded_ahead_into_the_engines_of_the_reader(copied: Settings) -> None:
    pool = load_ahead(copied, FIRST)
    specs = [spec for role in FIRST for spec in engine_specs(copied, role)]
    assert {pool.engine(spec) for spec in specs} == set(Reader(settings=copied, pool=pool, roles=ROLES).first_engines)


def test_what_cannot_be_loaded_ahead_is_reported_by_its_reader(copied: Settings) -> None:
    damaged = copied.models.directory("det") / "inference.onnx"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    reader = Reader(settings=copied, pool=load_ahead(copied, FIRST), roles=ROLES)
    with pytest.raises(EngineError, match=f"^{damaged}: "):
        load_engines([reader])
