"""Standalone OpenVINO, with the real models and with broken ones."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino
import pytest

from ppocr_serving.cpu import supports_bfloat16
from ppocr_serving.engines import Backend, Engine, EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.engines.upsampling import pack_upsampling
from ppocr_serving.errors import EngineError
from ppocr_serving.models import ModelFiles
from tests.engines.inputs import F32_TOLERANCE, MEAN_TOLERANCE, broken_model, network_input, run_program
from tests.engines.onnx_file import write_onnx
from tests.services import POOL

ROLES = pytest.mark.parametrize("role", ["det", "cls", "rec"])


def engine(model: ModelFiles, precision: Precision = Precision.F32, threads: int = 2, lane: int = 0) -> Engine:
    return POOL.engine(EngineSpec(model, precision=precision, threads=threads, runtime=Runtime.OPENVINO, lane=lane))


@ROLES
@pytest.mark.parametrize("precision", [Precision.F32, Precision.BF16])
def test_answers_agree_with_paddles_native_kernels(
    v4_models: dict[str, ModelFiles], native_answers: dict[str, Float32Array], role: str, precision: Precision
) -> None:
    if precision is Precision.BF16 and not supports_bfloat16():
        pytest.skip("the processor does not support bfloat16")
    answer = engine(v4_models[role], precision)(network_input(role))
    assert answer.dtype == np.float32
    assert answer.shape == native_answers[role].shape
    difference = np.abs(answer - native_answers[role])
    assert difference.mean() < MEAN_TOLERANCE[precision]
    if precision is Precision.F32:
        assert difference.max() < F32_TOLERANCE
    else:
        assert not np.array_equal(answer, engine(v4_models[role])(network_input(role)))


def test_automatic_precision_is_bfloat16_where_the_processor_has_it(v4_models: dict[str, ModelFiles]) -> None:
    inputs = network_input("rec")
    auto, bf16, f32 = (
        engine(v4_models["rec"], precision)(inputs) for precision in (Precision.AUTO, Precision.BF16, Precision.F32)
    )
    expected, other = (bf16, f32) if supports_bfloat16() else (f32, bf16)
    np.testing.assert_array_equal(auto, expected)
    # Without bfloat16 in the processor, OpenVINO may compute in float32 anyway.
    assert not supports_bfloat16() or not np.array_equal(auto, other)


def older_detector(shared_data: Path, name: str) -> ModelFiles:
    folder = shared_data.parent / "models" / name
    if not folder.is_dir():
        pytest.skip(f"no older detector at {folder}")
    return ModelFiles(folder / "inference.pdmodel", folder / "inference.pdiparams")


@pytest.mark.parametrize("name", ["ch_PP-OCRv2_det_infer", "ch_PP-OCRv3_det_infer"])
def test_older_detectors_agree_with_paddles_native_kernels(shared_data: Path, name: str) -> None:
    model = older_detector(shared_data, name)
    inputs = network_input("det")
    native = POOL.engine(EngineSpec(model, Backend.NATIVE, Precision.F32, 2, runtime=Runtime.PADDLE))(inputs)
    assert native.max() > 0.5
    np.testing.assert_allclose(engine(model)(inputs), native, atol=F32_TOLERANCE)


@pytest.mark.parametrize("name", ["default", "ch_PP-OCRv2_det_infer", "ch_PP-OCRv3_det_infer"])
def test_rewriting_the_end_of_a_detector_keeps_its_answers(
    v4_models: dict[str, ModelFiles], name: str, request: pytest.FixtureRequest
) -> None:
    default = name == "default"
    model = v4_models["det"] if default else older_detector(request.getfixturevalue("shared_data"), name)
    core = openvino.Core()
    network = core.read_model(str(model.program))
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    inputs = np.concatenate([network_input("det"), network_input("det")[:, :, ::-1]])
    before = core.compile_model(network, "CPU", options)(inputs)[0].copy()
    assert pack_upsampling(network)
    assert "ConvolutionBackpropData" not in {node.get_type_name() for node in network.get_ops()}
    after = core.compile_model(network, "CPU", options)(inputs)[0]
    assert before.max() > 0.5
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("role", ["cls", "rec"])
def test_other_networks_are_not_rewritten(v4_models: dict[str, ModelFiles], role: str) -> None:
    network = openvino.Core().read_model(str(v4_models[role].program))
    assert not pack_upsampling(network)


# ---- shapes and lanes


def test_a_fixed_shape_keeps_the_answers_and_rejects_other_shapes(v4_models: dict[str, ModelFiles]) -> None:
    inputs = network_input("cls")
    fixed = POOL.engine(
        EngineSpec(
            v4_models["cls"], precision=Precision.F32, runtime=Runtime.OPENVINO, fixed_shape=(1, *inputs.shape[1:])
        )
    )
    np.testing.assert_allclose(fixed(inputs[:1]), engine(v4_models["cls"])(inputs)[:1], atol=1e-5)
    with pytest.raises(EngineError, match=r"cannot run on an input of shape \(2, 3, 48, 192\)"):
        fixed(inputs)
    np.testing.assert_allclose(fixed(inputs[1:]), engine(v4_models["cls"])(inputs)[1:], atol=1e-5)


def test_lanes_run_concurrently_and_share_nothing(v4_models: dict[str, ModelFiles]) -> None:
    slow, quick = (engine(v4_models["det"], threads=1, lane=lane) for lane in (0, 1))
    assert slow is not quick
    generator = np.random.default_rng(0)
    large = generator.uniform(-1, 1, (1, 3, 1280, 1280)).astype(np.float32)
    small = network_input("det")[:, :, :32, :32].copy()
    expected_large, expected_small = slow(large), quick(small)

    begun = threading.Event()

    def run_slow() -> tuple[Float32Array, float]:
        begun.set()
        return slow(large), time.perf_counter()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run_slow)
        begun.wait()
        time.sleep(0.005)  # by now it is in the engine, or nearly
        finished = []
        while not future.done():
            np.testing.assert_allclose(quick(small), expected_small, atol=1e-6)
            finished.append(time.perf_counter())
        answer, end = future.result()
    np.testing.assert_allclose(answer, expected_large, atol=1e-6)
    assert sum(moment < end for moment in finished) >= 3


# ---- errors


LOAD = """if True:
    import sys
    from pathlib import Path
    import numpy as np
    from ppocr_serving.engines import EnginePool, EngineSpec, Precision, Runtime
    from ppocr_serving.errors import EngineError
    from ppocr_serving.models import ModelFiles
    program = Path(sys.argv[1])
    params = None if program.suffix == ".onnx" else program.with_suffix(".pdiparams")
    try:
        engine = EnginePool().engine(
            EngineSpec(ModelFiles(program, params), precision=Precision.F32, runtime=Runtime.OPENVINO)
        )
        engine(np.zeros((1, 3, 48, 192), np.float32))
    except EngineError as error:
        print(error)
    else:
        print("loaded")
"""


@pytest.mark.parametrize(
    "defect",
    [
        "truncated program",
        "truncated weights",
        "weights are text",
        "program is text",
        "program is zeros",
        "program is empty",
    ],
)
def test_a_broken_model_is_a_one_line_error(v4_models: dict[str, ModelFiles], tmp_path: Path, defect: str) -> None:
    model = broken_model(tmp_path, v4_models["cls"], defect)
    # In a separate process, which it must not crash.
    result = run_program(LOAD, str(model.program), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{model.program}: OpenVINO cannot load the model: ")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("missing", ["inference.pdmodel", "inference.pdiparams"])
def test_a_missing_model_is_an_error_at_the_first_call(
    v4_models: dict[str, ModelFiles], tmp_path: Path, missing: str
) -> None:
    model = broken_model(tmp_path, v4_models["cls"], "none")
    (tmp_path / missing).unlink()
    absent = engine(model)
    for _ in range(2):
        with pytest.raises(EngineError) as caught:
            absent.load()
        assert str(caught.value) == f"{tmp_path / missing}: No such file; run `python -m ppocr_serving models fetch`"
    broken_model(tmp_path, v4_models["cls"], "none")
    absent.load()  # works once the file exists


# ---- ONNX


def test_an_onnx_model_runs(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).uniform(-1, 1, (2, 3, 1, 1)).astype(np.float32)
    model = ModelFiles(tmp_path / "inference.onnx", None)
    write_onnx(model.program, weights)
    run = POOL.engine(EngineSpec(model, precision=Precision.F32))  # no runtime given: only OpenVINO reads it
    for inputs in (network_input("cls"), network_input("det")):
        expected = 1 / (1 + np.exp(-np.einsum("nchw,oc->nohw", inputs, weights[:, :, 0, 0])))
        np.testing.assert_allclose(run(inputs), expected, atol=1e-5)


def test_a_broken_onnx_model_is_a_one_line_error(tmp_path: Path) -> None:
    program = tmp_path / "inference.onnx"
    write_onnx(program, np.ones((1, 3, 3, 3), dtype=np.float32))
    for content in (program.read_bytes()[:-60], b"<!doctype html>"):
        program.write_bytes(content)
        result = run_program(LOAD, str(program), cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"{program}: OpenVINO cannot load the model: ")
        assert result.stdout.count("\n") == 1


# ---- side effects


def test_no_files_are_written(v4_models: dict[str, ModelFiles], tmp_path: Path) -> None:
    model_folder = v4_models["cls"].program.parent
    before = sorted(path.name for path in model_folder.iterdir())
    result = run_program(LOAD, str(v4_models["cls"].program), cwd=tmp_path)
    assert result.stdout == "loaded\n", result.stderr
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
        settings = load_settings(environ={"PPOCR_THREADS": "2"})
        services = [create_service(name, settings) for name in MODULES]
        print({"openvino", "paddle"} & set(sys.modules), threading.active_count())
        print(len({id(engine) for task in services for engine in task.engines}))  # two of each recogniser
        services[list(MODULES).index("ocr_rec")].run([np.zeros((48, 192, 3), np.uint8)], Stopwatch())
        print({"openvino", "paddle"} & set(sys.modules))
    """
    result = run_program(program)
    assert result.stdout.splitlines() == ["set() 1", "6", "{'openvino'}"], result.stderr


def test_sigterm_still_ends_the_process(v4_models: dict[str, ModelFiles]) -> None:
    program = """if True:
        import os, signal, sys
        from pathlib import Path
        from ppocr_serving.engines import EngineSpec, EnginePool, Runtime
        from ppocr_serving.models import ModelFiles
        program = Path(sys.argv[1])
        EnginePool().engine(
            EngineSpec(ModelFiles(program, program.with_suffix(".pdiparams")), runtime=Runtime.OPENVINO)
        ).load()
        os.kill(os.getpid(), signal.SIGTERM)
    """
    result = run_program(program, str(v4_models["cls"].program))
    assert result.returncode == -15
    assert "Traceback" not in result.stderr
