"""The command that compiles models ahead of time, and its conversion to the native format."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ppocr_serving.engines import EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.engines.openvino import OpenVinoEngine, convert_model
from ppocr_serving.errors import EngineError
from ppocr_serving.models import ModelFiles, find_characters, resolve_model
from tests.conftest import V4, models_of, settings_for
from tests.engines.inputs import DAMAGES, damaged, network_input
from tests.engines.onnx_file import write_onnx

ROOT = Path(__file__).parents[2]
ROLES = ("det", "cls", "rec")
CONVERTED = [".bin", ".blob", ".xml"]


@pytest.fixture
def folder(v4_models: dict[str, ModelFiles], tmp_path: Path) -> Path:
    """A custom model directory with models in Paddle's format."""
    for role in ROLES:
        shutil.copytree(v4_models[role].program.parent, tmp_path / V4 / role, ignore=lambda *_: ["*.blob"])
    return tmp_path / V4


def compile_models(
    folder: Path, *arguments: str, before: tuple[str, ...] = (), **settings: str
) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PPOCR_")}
    environ |= {
        "PPOCR_MODEL_DIR": str(folder.parent),
        "PPOCR_PROFILE": folder.name,
        "PPOCR_PRECISION": "f32",
        **settings,
    }
    command = [*before, sys.executable, str(ROOT / "scripts/compile_models.py"), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def suffixes(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir() if path.name != "dictionary.txt")


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def answer(model: ModelFiles, inputs: Float32Array) -> Float32Array:
    """Return the answer of a new engine, configured as in a service: the classifier takes one line at a time."""
    shape = (1, *inputs.shape[1:]) if model.program.parent.name == "cls" else None
    spec = EngineSpec(model, precision=Precision.F32, threads=2, runtime=Runtime.OPENVINO, fixed_shape=shape)
    return OpenVinoEngine(spec)(inputs[: 1 if shape else None])


def answers(folder: Path) -> dict[str, Float32Array]:
    return {role: answer(resolve_model(folder / role, role), network_input(role)) for role in ROLES}


# Of probabilities, after the weights have been rounded to 16 bits; computing in bfloat16 changes six times as much.
TOLERANCES = {
    "det": (0.3, 5e-4),
    "cls": (0.01, 0.01),
    "rec": (0.01, 1e-7),
    "reread": (0.01, 1e-7),
}  # single pixels at the edges of text


def assert_close(role: str, actual: Float32Array, expected: Float32Array) -> None:
    largest, mean = TOLERANCES[role]
    difference = np.abs(actual - expected)
    assert difference.max() < largest
    assert difference.mean() < mean


def test_converted_models_give_the_same_answers(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = answers(folder)
    done = compile_models(folder, "--convert")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("compiled: ") == len(ROLES)
    with caplog.at_level(logging.INFO):
        mapped = answers(folder)
    assert caplog.messages == []  # the compiled models fit
    for path in folder.rglob("*.blob"):
        path.unlink()
    recompiled = answers(folder)
    for role in ROLES:
        assert resolve_model(folder / role, role).program.suffix == ".xml"
        assert_close(role, mapped[role], expected[role])
        np.testing.assert_array_equal(recompiled[role], mapped[role])


def test_the_default_profile_is_converted_with_its_second_recogniser(tmp_path: Path) -> None:
    models = models_of(settings_for(Runtime.OPENVINO))
    folder = tmp_path / "ppocr-v6"
    for role, model in models.items():
        shutil.copytree(model.program.parent, folder / role, ignore=lambda *_: ["*.blob"])
    expected = {role: answer(resolve_model(folder / role, role), network_input(role)) for role in models}
    done = compile_models(folder, "--convert")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("compiled: ") == len(models) == 4
    for role, model in models.items():
        converted = resolve_model(folder / role, role)
        assert converted.program.suffix == ".xml"
        assert find_characters(converted) == find_characters(model)
        assert_close(role, answer(converted, network_input(role)), expected[role])


def test_weights_are_stored_once_and_in_16_bits(folder: Path) -> None:
    assert compile_models(folder).returncode == 0
    weights = {role: (folder / role / "inference.pdiparams").stat().st_size for role in ROLES}
    for role in ROLES:
        assert suffixes(folder / role) == [".blob", ".pdiparams", ".pdmodel"]
        (blob,) = (folder / role).glob("*.blob")
        assert blob.stat().st_size > weights[role]
    assert compile_models(folder, "--convert").returncode == 0
    for role in ROLES:
        assert suffixes(folder / role) == CONVERTED
        (blob,) = (folder / role).glob("*.blob")
        assert blob.stat().st_size < weights[role] / 2
        assert (folder / role / "inference.bin").stat().st_size < weights[role] * 0.51
    assert (folder / "rec" / "dictionary.txt").is_file()


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [["--convert"], pytest.param([], marks=pytest.mark.thorough)])
def test_a_second_run_changes_nothing(folder: Path, arguments: list[str]) -> None:
    first = compile_models(folder, "--convert")
    before = contents(folder)
    second = compile_models(folder, *arguments)
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert contents(folder).keys() == before.keys()
    assert {path for path, content in contents(folder).items() if content != before[path]} <= set(
        folder.rglob("*.blob")
    )


def test_a_compiled_model_without_its_weights_is_not_used(folder: Path) -> None:
    assert compile_models(folder, "--convert").returncode == 0
    model = resolve_model(folder / "cls", "cls")
    assert model.params is not None
    model.params.write_bytes(model.params.read_bytes()[:-1000])
    with pytest.raises(EngineError, match=r"inference\.xml: OpenVINO cannot load the model: ") as caught:
        answer(model, network_input("cls"))
    assert "\n" not in str(caught.value)
    model.params.unlink()
    with pytest.raises(EngineError, match=r"inference\.bin: No such file"):
        answer(model, network_input("cls"))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "damage",
    [pytest.param(damage, marks=[pytest.mark.thorough] * (damage not in ("truncated", "zeros"))) for damage in DAMAGES],
)
def test_a_damaged_compiled_model_is_ignored_with_a_warning(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = answer(resolve_model(folder / "rec", "rec"), network_input("rec"))
    model = convert_model(resolve_model(folder / "rec", "rec"))
    path = OpenVinoEngine(EngineSpec(model, precision=Precision.F32)).save_compiled()
    path.write_bytes(damaged(path.read_bytes(), damage))
    assert_close("rec", answer(model, network_input("rec")), expected)
    (message,) = caplog.messages
    assert message.startswith(f"{path}: cannot be used, compiling again: ")
    assert "\n" not in message


def test_onnx_models_are_converted_too(tmp_path: Path) -> None:
    model = ModelFiles(tmp_path / "inference.onnx", None)
    write_onnx(model.program, np.random.default_rng(2).uniform(-1, 1, (2, 3, 3, 3)).astype(np.float32))
    expected = answer(model, network_input("cls"))
    converted = convert_model(model)
    assert sorted(tmp_path.iterdir()) == [converted.params, converted.program]
    np.testing.assert_allclose(answer(converted, network_input("cls")), expected, rtol=0, atol=0.02)
    assert convert_model(converted) == converted


@pytest.mark.parametrize(
    ("state", "way_out"),
    [("ro", "make the folder writable"), ("rw", "free some space there")],
    ids=["read-only", "full"],
)
def test_a_full_or_read_only_folder_is_a_one_line_error_and_loses_nothing(
    folder: Path, state: str, way_out: str
) -> None:
    """Mount a separate file system, read-only or too small for a second copy, over the recogniser's folder."""
    namespace = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow mounts by users")
    place = folder / "rec"
    original = place.rename(folder / "original")
    place.mkdir()
    kilobytes = sum(path.stat().st_size for path in original.iterdir()) // 1024
    script = (
        f"mount -t tmpfs -o size={kilobytes + 2000}k none {place}; cp {original}/* {place}/; "
        f'mount -o remount,{state} {place}; code=0; "$0" "$@" || code=$?; ls {place} >&2; exit $code'
    )
    done = compile_models(folder, "--convert", before=(*namespace, "sh", "-ec", script))
    error, *files = done.stderr.splitlines()
    assert done.returncode == 1
    assert error.startswith(f"compile_models: {place}: ")
    assert error.endswith(f"; {way_out}")
    assert files == sorted(path.name for path in original.iterdir())


def test_models_of_another_engine_are_left_alone(folder: Path) -> None:
    before = contents(folder)
    done = compile_models(folder, "--convert", PPOCR_ENGINE="paddle")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("compile_models: the models need standalone OpenVINO; set PPOCR_ENGINE=openvino\n")
    assert contents(folder) == before
