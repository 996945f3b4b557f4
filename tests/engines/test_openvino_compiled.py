"""Compiled models on disk: used if they fit, reported if they do not, and written atomically."""

import logging
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ppocr_serving.engines import EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.engines.compiled import write_compiled
from ppocr_serving.engines.openvino import OpenVinoEngine
from ppocr_serving.errors import EngineError
from ppocr_serving.models import ModelFiles
from tests.engines.inputs import DAMAGES, damaged, network_input, run_program
from tests.engines.onnx_file import write_onnx

# A user namespace lets an unprivileged user mount as root does.
NAMESPACE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))
SAVE = """if True:
    import sys
    from pathlib import Path
    from ppocr_serving.engines import EngineSpec, Precision, Runtime
    from ppocr_serving.engines.openvino import OpenVinoEngine
    from ppocr_serving.errors import EngineError
    from ppocr_serving.models import ModelFiles
    program = Path(sys.argv[1])
    spec = EngineSpec(ModelFiles(program, program.with_suffix(".pdiparams")), precision=Precision.F32)
    try:
        print(OpenVinoEngine(spec).save_compiled())
    except EngineError as error:
        print(error)
"""


def copied(model: ModelFiles, folder: Path) -> ModelFiles:
    assert model.params is not None
    folder.mkdir(exist_ok=True)
    return ModelFiles(
        Path(shutil.copy(model.program, folder / "inference.pdmodel")),
        Path(shutil.copy(model.params, folder / "inference.pdiparams")),
    )


@pytest.fixture
def model(v4_models: dict[str, ModelFiles], tmp_path: Path) -> ModelFiles:
    """A model in its own folder."""
    return copied(v4_models["cls"], tmp_path / "cls")


def new_engine(
    model: ModelFiles, precision: Precision = Precision.F32, threads: int = 2, lane: int = 0
) -> OpenVinoEngine:
    return OpenVinoEngine(EngineSpec(model, precision=precision, threads=threads, runtime=Runtime.OPENVINO, lane=lane))


def blobs(model: ModelFiles) -> list[Path]:
    return sorted(model.program.parent.glob("*.blob"))


def answer_and_log(
    engine: OpenVinoEngine, caplog: pytest.LogCaptureFixture, inputs: "Float32Array | None" = None
) -> tuple[Float32Array, list[tuple[str, str]]]:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        answer = engine(network_input("cls") if inputs is None else inputs)
    return answer, [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_compiled_model_gives_bit_identical_answers(model: ModelFiles, caplog: pytest.LogCaptureFixture) -> None:
    expected, log = answer_and_log(new_engine(model), caplog)
    assert log == []  # a missing compiled model is not worth a message
    path = new_engine(model).save_compiled()
    assert blobs(model) == [path]
    assert path.stat().st_mode & 0o777 == 0o644
    for engine in (new_engine(model), new_engine(model, lane=1)):
        answer, log = answer_and_log(engine, caplog)
        np.testing.assert_array_equal(answer, expected)
        assert log == []
    one_thread, log = answer_and_log(new_engine(model, threads=1), caplog)
    np.testing.assert_allclose(one_thread, expected, atol=1e-6)
    assert log == []


def test_the_compiled_model_is_the_one_that_runs(
    model: ModelFiles, v4_models: dict[str, ModelFiles], tmp_path: Path
) -> None:
    # Put another network's compiled file in its place: the shape of the answer shows which of them ran.
    path = new_engine(model).save_compiled()
    shutil.copy(new_engine(copied(v4_models["det"], tmp_path / "det")).save_compiled(), path)
    assert new_engine(model)(network_input("det")).shape == (1, 1, *network_input("det").shape[2:])


def test_saving_again_replaces_the_previous_file(model: ModelFiles) -> None:
    path = new_engine(model).save_compiled()
    content = path.read_bytes()
    path.write_bytes(b"damaged")
    assert new_engine(model).save_compiled() == path
    assert len(path.read_bytes()) == pytest.approx(len(content), rel=0.01)  # names inside it differ in length
    stale = path.rename(path.with_name("inference-0123456789abcdef.blob"))
    other = model.program.with_name("other-0123456789abcdef.blob")
    other.write_bytes(b"of another model")
    new_engine(model).save_compiled()
    assert blobs(model) == sorted([path, other])
    assert not stale.exists()


def test_a_model_compiled_for_another_processor_or_version_is_reported(
    model: ModelFiles, caplog: pytest.LogCaptureFixture
) -> None:
    expected = new_engine(model)(network_input("cls"))
    path = new_engine(model).save_compiled()
    unfit = path.rename(path.with_name("inference-0123456789abcdef.blob"))
    answer, log = answer_and_log(new_engine(model), caplog)
    np.testing.assert_array_equal(answer, expected)
    assert log == [("INFO", f"{unfit}: compiled for another processor, version or precision, compiling again")]
    assert blobs(model) == [unfit]  # a server writes nothing


def test_a_model_compiled_from_other_files_is_not_used(
    model: ModelFiles, v4_models: dict[str, ModelFiles], caplog: pytest.LogCaptureFixture
) -> None:
    path = new_engine(model).save_compiled()
    copied(v4_models["det"], model.program.parent)
    answer, log = answer_and_log(new_engine(model), caplog, network_input("det"))
    assert answer.shape == (1, 1, *network_input("det").shape[2:])
    assert [message.partition(": ")[0] for _, message in log] == [str(path)]
    assert new_engine(model).save_compiled() != path

    assert model.params is not None
    weights = bytearray(model.params.read_bytes())
    weights[len(weights) // 2] ^= 1
    before = blobs(model)
    model.params.write_bytes(weights)
    assert new_engine(model).save_compiled() not in before


def test_a_model_compiled_in_another_precision_is_not_used(model: ModelFiles, caplog: pytest.LogCaptureFixture) -> None:
    path = new_engine(model).save_compiled()
    with caplog.at_level(logging.INFO):
        new_engine(model, Precision.BF16).load()
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: compiled for another processor, version or precision, compiling again"
    ]
    assert new_engine(model, Precision.BF16).save_compiled() != path


def in_namespace(program: str, *arguments: str, prepare: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python program after a shell command has changed the mounts."""
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow mounts by users")
    return run_program(program, *arguments, before=(*NAMESPACE, "sh", "-ec", f'{prepare}; exec "$0" "$@"'))


def test_a_processor_with_other_instructions_gets_another_file(model: ModelFiles, tmp_path: Path) -> None:
    path = new_engine(model).save_compiled()
    program = """if True:
        import sys
        from pathlib import Path
        from ppocr_serving.engines.compiled import compiled_path
        from ppocr_serving.models import ModelFiles
        program = Path(sys.argv[1])
        print(compiled_path(ModelFiles(program, program.with_suffix(".pdiparams")), sys.argv[2]))
    """
    real = Path("/proc/cpuinfo").read_text(encoding="ascii")
    assert " avx2 " in real
    names = []
    for content in (real, real.replace(" avx2 ", " "), real.replace(" aes ", " "), real.replace("MHz", "Hz")):
        (tmp_path / "cpuinfo").write_text(content, encoding="ascii")
        done = in_namespace(
            program, str(model.program), "variant", prepare=f"mount --bind {tmp_path}/cpuinfo /proc/cpuinfo"
        )
        assert done.returncode == 0, done.stderr
        names.append(done.stdout.strip())
    assert names[0] == names[2] == names[3] != names[1]
    assert {Path(name).parent for name in names} == {path.parent}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_ignored_with_a_warning(
    model: ModelFiles, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = new_engine(model)(network_input("cls"))
    path = new_engine(model).save_compiled()
    path.write_bytes(damaged(path.read_bytes(), damage))
    answer, log = answer_and_log(new_engine(model), caplog)
    np.testing.assert_array_equal(answer, expected)
    ((level, message),) = log
    assert level == "WARNING"
    assert message.startswith(f"{path}: cannot be used, compiling again: ")
    assert "\n" not in message


def test_concurrent_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "inference-0123456789abcdef.blob"
    writers = 8
    for round_ in range(20):
        for number in range(40):  # every writer sees these and tries to remove them
            (tmp_path / f"inference-{number:016}.blob").write_bytes(b"stale")
        content = bytes([round_]) * 100_000
        start = threading.Barrier(writers)

        def write(_: int, content: bytes = content, start: threading.Barrier = start) -> None:
            start.wait()
            write_compiled(path, content)

        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
        assert list(tmp_path.iterdir()) == [path]
        assert path.read_bytes() == content


def test_processes_that_write_at_once_leave_one_complete_file(
    model: ModelFiles, caplog: pytest.LogCaptureFixture
) -> None:
    expected = new_engine(model)(network_input("cls"))
    command = [sys.executable, "-W", "ignore", "-c", SAVE, str(model.program)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = {process.communicate()[0].strip() for process in processes}
    assert printed == {str(path) for path in blobs(model)}
    assert len(printed) == 1
    assert sorted(path.suffix for path in model.program.parent.iterdir()) == [".blob", ".pdiparams", ".pdmodel"]
    answer, log = answer_and_log(new_engine(model), caplog)
    np.testing.assert_array_equal(answer, expected)
    assert log == []


def test_a_read_only_folder_is_a_one_line_error(model: ModelFiles) -> None:
    folder = model.program.parent
    done = in_namespace(
        SAVE, str(model.program), prepare=f"mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{folder}/inference-")
    assert done.stdout.endswith(".blob: Read-only file system; make the folder writable\n")
    assert done.stdout.count("\n") == 1
    assert blobs(model) == []


def test_a_model_that_cannot_be_compiled_is_not_saved(model: ModelFiles) -> None:
    assert model.params is not None
    model.params.unlink()
    with pytest.raises(EngineError, match=r"inference\.pdiparams: No such file; run `python -m"):
        new_engine(model).save_compiled()
    model.program.write_bytes(b"<!doctype html>")
    model.params.write_bytes(b"weights")
    with pytest.raises(EngineError, match=r"inference\.pdmodel: OpenVINO cannot load the model: "):
        new_engine(model).save_compiled()
    assert blobs(model) == []


def test_onnx_models_are_compiled_to_disk_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = ModelFiles(tmp_path / "inference.onnx", None)
    write_onnx(model.program, np.random.default_rng(2).uniform(-1, 1, (2, 3, 3, 3)).astype(np.float32))
    expected = new_engine(model)(network_input("cls"))
    path = new_engine(model).save_compiled()
    answer, log = answer_and_log(new_engine(model), caplog)
    np.testing.assert_array_equal(answer, expected)
    assert log == []
    write_onnx(model.program, np.zeros((2, 3, 3, 3), dtype=np.float32))
    assert new_engine(model)(network_input("cls")).max() == 0.5
    assert new_engine(model).save_compiled() != path
