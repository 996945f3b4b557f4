"""The Paddle engine on all its back ends, with the real models and with broken ones."""

import logging
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ppocr_serving.cpu import supports_bfloat16
from ppocr_serving.engines import Backend, Engine, EnginePool, EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.errors import EngineError, InvalidSetting
from ppocr_serving.models import ModelFiles
from tests.engines.inputs import F32_TOLERANCE, MEAN_TOLERANCE, broken_model, network_input, run_program
from tests.services import POOL

ROLES = pytest.mark.parametrize("role", ["det", "cls", "rec"])


def engine(model: ModelFiles, backend: Backend = Backend.OPENVINO, precision: Precision = Precision.F32) -> Engine:
    return POOL.engine(spec_of(model, backend, precision))


def spec_of(model: ModelFiles, backend: Backend, precision: Precision = Precision.F32, threads: int = 2) -> EngineSpec:
    return EngineSpec(model, backend, precision, threads, runtime=Runtime.PADDLE)


@ROLES
@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        (Backend.ONEDNN, Precision.F32),
        (Backend.OPENVINO, Precision.F32),
        (Backend.OPENVINO, Precision.BF16),
    ],
)
def test_all_back_ends_agree(
    v4_models: dict[str, ModelFiles],
    native_answers: dict[str, Float32Array],
    role: str,
    backend: Backend,
    precision: Precision,
) -> None:
    if precision is Precision.BF16 and not supports_bfloat16():
        pytest.skip("the processor does not support bfloat16")
    answer = engine(v4_models[role], backend, precision)(network_input(role))
    assert answer.dtype == np.float32
    assert answer.shape == native_answers[role].shape
    difference = np.abs(answer - native_answers[role])
    assert difference.mean() < MEAN_TOLERANCE[precision]
    if precision is Precision.F32:
        assert difference.max() < F32_TOLERANCE
    else:
        assert not np.array_equal(answer, engine(v4_models[role], backend)(network_input(role)))


@pytest.mark.parametrize("backend", [Backend.ONEDNN, Backend.NATIVE])
def test_only_openvino_computes_in_bfloat16_and_the_others_warn(
    v4_models: dict[str, ModelFiles],
    native_answers: dict[str, Float32Array],
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = POOL.engine(spec_of(v4_models["det"], backend, Precision.BF16, 1))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(run(network_input("det")), native_answers["det"], atol=F32_TOLERANCE)
    assert [record.getMessage() for record in caplog.records] == [
        f"{v4_models['det'].program}: back end {backend} computes in float32, not in bf16"
    ]
    caplog.clear()
    automatic = engine(v4_models["det"], backend, Precision.AUTO)
    np.testing.assert_allclose(automatic(network_input("det")), native_answers["det"], atol=F32_TOLERANCE)
    assert caplog.records == []


def test_automatic_precision_is_bfloat16_where_the_processor_has_it(v4_models: dict[str, ModelFiles]) -> None:
    inputs = network_input("rec")
    auto, bf16, f32 = (
        EnginePool().engine(spec_of(v4_models["rec"], Backend.OPENVINO, precision, threads=1))(inputs)
        for precision in (Precision.AUTO, Precision.BF16, Precision.F32)
    )
    if supports_bfloat16():
        np.testing.assert_array_equal(auto, bf16)
        assert not np.array_equal(auto, f32)
    else:
        np.testing.assert_array_equal(auto, f32)


def test_engines_of_one_model_do_not_crash_each_other(v4_models: dict[str, ModelFiles]) -> None:
    # In a separate process, which Paddle may crash: left to itself, it frees a network that another engine still uses.
    model = v4_models["cls"]
    program = f"""if True:
        from pathlib import Path
        import numpy as np
        from ppocr_serving.engines import Backend, EnginePool, EngineSpec, Precision, Runtime
        from ppocr_serving.models import ModelFiles
        model = ModelFiles(Path({str(model.program)!r}), Path({str(model.params)!r}))
        specs = [EngineSpec(model, Backend.OPENVINO, Precision.F32, n, runtime=Runtime.PADDLE) for n in range(1, 9)]
        engines = [EnginePool().engine(spec) for spec in specs]
        for engine in engines:
            engine.load()
        inputs = np.random.default_rng(0).uniform(-1, 1, (2, 3, 48, 192)).astype(np.float32)
        answers = [engine(inputs) for engine in engines]
        print(all(np.allclose(answer, answers[0], atol=1e-6) for answer in answers))
    """
    result = run_program(program)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "True\n"


@pytest.mark.parametrize("name", ["ch_PP-OCRv2_det_infer", "ch_PP-OCRv3_det_infer"])
def test_older_detectors_run_on_all_back_ends(shared_data: Path, name: str) -> None:
    folder = shared_data.parent / "models" / name
    if not folder.is_dir():
        pytest.skip(f"no older detector at {folder}")
    model = ModelFiles(folder / "inference.pdmodel", folder / "inference.pdiparams")
    inputs = network_input("det")
    native = engine(model, Backend.NATIVE)(inputs)
    assert native.max() > 0.5
    for backend in (Backend.ONEDNN, Backend.OPENVINO):
        np.testing.assert_allclose(engine(model, backend)(inputs), native, atol=F32_TOLERANCE)


def test_equal_specifications_share_an_engine(v4_models: dict[str, ModelFiles]) -> None:
    model = v4_models["det"]
    same = ModelFiles(Path(str(model.program)), Path(str(model.params)))
    one = POOL.engine(spec_of(model, Backend.ONEDNN, Precision.F32, 2))
    assert POOL.engine(spec_of(same, Backend.ONEDNN, Precision.F32, 2)) is one
    assert POOL.engine(spec_of(model, Backend.NATIVE, Precision.F32, 2)) is not one
    assert POOL.engine(spec_of(model, Backend.ONEDNN, Precision.BF16, 2)) is not one
    assert POOL.engine(spec_of(model, Backend.ONEDNN, Precision.F32, 1)) is not one
    assert POOL.engine(spec_of(v4_models["cls"], Backend.ONEDNN, Precision.F32, 2)) is not one


def test_concurrent_threads_get_one_engine(v4_models: dict[str, ModelFiles]) -> None:
    spec = spec_of(v4_models["det"], Backend.NATIVE, Precision.F32, 3)
    with ThreadPoolExecutor(16) as pool:
        engines = list(pool.map(lambda _: POOL.engine(spec), range(64)))
    assert all(other is engines[0] for other in engines)


def test_use_gpu_does_not_fall_back_to_the_cpu(
    v4_models: dict[str, ModelFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    spec = EngineSpec(v4_models["cls"], use_gpu=True, runtime=Runtime.PADDLE)
    with pytest.raises(InvalidSetting, match="use_gpu is true, but"):
        POOL.engine(spec).load()


# ---- broken models


def load_elsewhere(model: ModelFiles, cwd: Path, *backends: Backend) -> subprocess.CompletedProcess[str]:
    """Load a model and run it on zeros in a separate process, which Paddle may crash."""
    program = f"""if True:
        import sys
        from pathlib import Path
        import numpy as np
        from ppocr_serving.engines import Backend, EnginePool, EngineSpec, Precision, Runtime
        from ppocr_serving.errors import EngineError
        from ppocr_serving.models import ModelFiles
        model = ModelFiles(Path({str(model.program)!r}), Path({str(model.params)!r}))
        for backend in sys.argv[1:]:
            try:
                spec = EngineSpec(model, Backend(backend), Precision.F32, 1, runtime=Runtime.PADDLE)
                engine = EnginePool().engine(spec)
                engine(np.zeros((1, 3, 48, 192), np.float32))
            except EngineError as error:
                print(error)
            else:
                print("loaded")
    """
    return run_program(program, *backends, cwd=cwd)


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ("truncated program", "Failed to parse program_desc"),
        pytest.param(
            "truncated weights",
            "Please check whether the model file is complete or damaged",
            marks=pytest.mark.thorough,
        ),
        ("weights are text", "maybe the loaded file is not a paddle model"),
        ("program is text", "is not a Paddle program (it starts with b'<')"),
        pytest.param(
            "program is a Git LFS pointer", "is not a Paddle program (it starts with b'v')", marks=pytest.mark.thorough
        ),
        pytest.param("program is zeros", "is not a Paddle program", marks=pytest.mark.thorough),
        pytest.param("program is empty", "is not a Paddle program", marks=pytest.mark.thorough),
        pytest.param("program is text after a line break", "Failed to parse program_desc", marks=pytest.mark.thorough),
    ],
)
def test_a_broken_model_is_a_one_line_error(
    v4_models: dict[str, ModelFiles], tmp_path: Path, defect: str, reason: str
) -> None:
    model = broken_model(tmp_path, v4_models["cls"], defect)
    result = load_elsewhere(model, tmp_path, Backend.OPENVINO)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{model.program}: ")
    assert result.stdout.count("\n") == 1
    assert reason in result.stdout


def test_a_missing_model_is_an_error_at_the_first_call(tmp_path: Path) -> None:
    missing = engine(ModelFiles(tmp_path / "inference.pdmodel", tmp_path / "inference.pdiparams"))
    with pytest.raises(EngineError, match="No such file"):
        missing.load()


# ---- the model format of Paddle 3


@pytest.fixture(scope="session")
def json_model(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """A two-layer network, saved by Paddle as `inference.json`."""
    folder = tmp_path_factory.mktemp("json_model")
    program = """if True:
        import sys
        import paddle
        from paddle.nn import Conv2D, Sequential, Sigmoid
        network = Sequential(Conv2D(3, 4, 3, padding=1), Conv2D(4, 1, 1), Sigmoid())
        network.eval()
        shape = paddle.static.InputSpec([None, 3, None, None], "float32")
        paddle.jit.save(network, sys.argv[1] + "/inference", input_spec=[shape])
    """
    made = run_program(program, str(folder))
    assert made.returncode == 0, made.stderr
    return ModelFiles(folder / "inference.json", folder / "inference.pdiparams")


def test_a_json_model_falls_back_to_onednn_with_one_warning(
    json_model: ModelFiles, caplog: pytest.LogCaptureFixture
) -> None:
    run = engine(json_model, Backend.OPENVINO)
    inputs = network_input("det")
    with caplog.at_level(logging.WARNING):
        answer = run(inputs)
        run.load()
        np.testing.assert_array_equal(run(inputs), answer)
    assert [record.getMessage() for record in caplog.records] == [
        f"{json_model.program}: openvino cannot read .json models, using onednn"
    ]
    assert answer.shape == (1, 1, *inputs.shape[2:])
    np.testing.assert_allclose(answer, engine(json_model, Backend.NATIVE)(inputs), atol=1e-5)


@pytest.mark.parametrize("backend", [Backend.ONEDNN, Backend.NATIVE])
def test_a_json_model_runs_on_the_other_back_ends_without_a_warning(
    json_model: ModelFiles, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        POOL.engine(spec_of(json_model, backend, threads=1)).load()
    assert caplog.records == []


def test_a_broken_json_model_is_a_one_line_error(json_model: ModelFiles, tmp_path: Path) -> None:
    for content in (b"no json", b"{}", json_model.program.read_bytes()[:-100]):
        model = ModelFiles(tmp_path / "inference.json", json_model.params)
        model.program.write_bytes(content)
        result = load_elsewhere(model, tmp_path, Backend.ONEDNN)
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"{model.program}: ")
        assert result.stdout.count("\n") == 1


# ---- side effects


def test_no_files_are_written(v4_models: dict[str, ModelFiles], tmp_path: Path) -> None:
    model_folder = v4_models["cls"].program.parent
    before = sorted(path.name for path in model_folder.iterdir())
    result = load_elsewhere(v4_models["cls"], tmp_path, *Backend)
    assert result.stdout.split() == ["loaded"] * 3, result.stderr
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in model_folder.iterdir()) == before


def test_nothing_is_loaded_before_the_first_call() -> None:
    program = """if True:
        import sys
        import threading
        import numpy as np
        from ppocr_serving.settings import load_settings
        from ppocr_serving.web.hubserving import MODULES
        from tests.services import create_service
        from ppocr_serving.timing import Stopwatch
        services = [create_service(name, load_settings(environ={"PPOCR_ENGINE": "paddle"})) for name in MODULES]
        engines = {id(engine) for service in services for engine in service.engines}
        print("paddle" in sys.modules, threading.active_count(), len(engines))
        services[list(MODULES).index("ocr_cls")].run([np.zeros((48, 192, 3), np.uint8)], Stopwatch())
        print("paddle" in sys.modules)
    """
    result = run_program(program)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["False", "1", "3", "True"]


def test_sigterm_still_ends_the_process(v4_models: dict[str, ModelFiles]) -> None:
    model = v4_models["cls"]
    program = f"""if True:
        import os, signal
        from pathlib import Path
        from ppocr_serving.engines import EngineSpec, EnginePool, Runtime
        from ppocr_serving.models import ModelFiles
        model = ModelFiles(Path({str(model.program)!r}), Path({str(model.params)!r}))
        EnginePool().engine(EngineSpec(model, runtime=Runtime.PADDLE)).load()
        os.kill(os.getpid(), signal.SIGTERM)
    """
    result = run_program(program)
    assert result.returncode == -15
    assert "Traceback" not in result.stderr
