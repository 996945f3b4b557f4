"""Choice of the library that runs a model, and the errors if none can."""

from dataclasses import replace
from pathlib import Path

import pytest

from ppocr_serving.engines import Backend, EngineSpec, Runtime, choose_model, choose_runtime
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.models import ModelFiles
from tests.engines.inputs import run_program
from tests.services import POOL

PADDLE_MODEL = ModelFiles(Path("/m/inference.pdmodel"), Path("/m/inference.pdiparams"))
JSON_MODEL = ModelFiles(Path("/m/inference.json"), Path("/m/inference.pdiparams"))
ONNX_MODEL = ModelFiles(Path("/m/inference.onnx"), None)
OPENVINO_MODEL = ModelFiles(Path("/m/inference.xml"), Path("/m/inference.bin"))

ONLY_PADDLE = [
    (EngineSpec(PADDLE_MODEL, use_gpu=True), "on a GPU"),
    (EngineSpec(PADDLE_MODEL, Backend.NATIVE), "with the back end native"),
    (EngineSpec(PADDLE_MODEL, Backend.ONEDNN), "with the back end onednn"),
    (EngineSpec(JSON_MODEL), "a model in the inference.json format"),
]


def with_runtime(runtime: Runtime, spec: EngineSpec) -> EngineSpec:
    return EngineSpec(spec.model, spec.backend, use_gpu=spec.use_gpu, runtime=runtime)


def test_openvino_is_preferred() -> None:
    assert choose_runtime(EngineSpec(PADDLE_MODEL)) is Runtime.OPENVINO
    assert choose_runtime(EngineSpec(ONNX_MODEL)) is Runtime.OPENVINO


@pytest.mark.parametrize(("spec", "what"), ONLY_PADDLE)
def test_paddle_runs_what_only_paddle_can(spec: EngineSpec, what: str) -> None:
    assert choose_runtime(spec) is Runtime.PADDLE
    assert choose_runtime(with_runtime(Runtime.PADDLE, spec)) is Runtime.PADDLE
    with pytest.raises(InvalidSetting) as caught:
        choose_runtime(with_runtime(Runtime.OPENVINO, spec))
    assert str(caught.value) == f"engine openvino cannot run {what} ({spec.model.program}); set PPOCR_ENGINE=auto"


@pytest.mark.parametrize("runtime", [Runtime.OPENVINO, Runtime.PADDLE])
def test_a_model_that_both_can_run_goes_to_the_requested_engine(runtime: Runtime) -> None:
    assert choose_runtime(EngineSpec(PADDLE_MODEL, runtime=runtime)) is runtime


@pytest.mark.parametrize(
    ("model", "what"),
    [(ONNX_MODEL, "a model in the ONNX format"), (OPENVINO_MODEL, "a model in OpenVINO's native format")],
    ids=["onnx", "xml"],
)
def test_only_openvino_reads_some_formats(model: ModelFiles, what: str) -> None:
    assert choose_runtime(EngineSpec(model)) is Runtime.OPENVINO
    assert choose_runtime(EngineSpec(model, runtime=Runtime.OPENVINO)) is Runtime.OPENVINO
    with pytest.raises(InvalidSetting) as caught:
        choose_runtime(EngineSpec(model, runtime=Runtime.PADDLE))
    assert str(caught.value) == f"engine paddle cannot run {what} ({model.program}); set PPOCR_ENGINE=auto"


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        (EngineSpec(ONNX_MODEL, use_gpu=True), "on a GPU"),
        (EngineSpec(ONNX_MODEL, Backend.NATIVE), "with the back end native"),
    ],
)
def test_no_other_engine_is_suggested_when_none_can_run_the_model(spec: EngineSpec, what: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        choose_runtime(spec)
    assert str(caught.value) == f"no engine can run a model in the ONNX format {what} (/m/inference.onnx)"


def test_auto_and_the_same_explicit_choice_share_an_engine(
    v4_models: dict[str, ModelFiles],
) -> None:
    spec = EngineSpec(v4_models["cls"])
    assert POOL.engine(spec) is POOL.engine(with_runtime(Runtime.OPENVINO, spec))
    assert POOL.engine(spec) is not POOL.engine(with_runtime(Runtime.PADDLE, spec))


def choose_without(missing: list[str], spec: str) -> str:
    """Return the choice or error of an interpreter that cannot find some packages."""
    program = f"""if True:
        import sys
        from pathlib import Path
        sys.modules.update(dict.fromkeys({missing!r}))
        from ppocr_serving.engines import choose_model, choose_runtime, EnginePool, EngineSpec, Runtime
        from ppocr_serving.errors import InvalidSetting
        from ppocr_serving.models import ModelFiles
        paddle_model = ModelFiles(Path("inference.pdmodel"), Path("inference.pdiparams"))
        onnx_model = ModelFiles(Path("inference.onnx"), None)
        try:
            print(choose_runtime({spec}))
            EnginePool().engine({spec})
        except InvalidSetting as error:
            print(error)
    """
    result = run_program(program)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("missing", "spec", "printed"),
    [
        (["openvino"], "EngineSpec(paddle_model)", "paddle"),
        (["paddle"], "EngineSpec(paddle_model)", "openvino"),
        (
            ["openvino"],
            "EngineSpec(paddle_model, runtime=Runtime.OPENVINO)",
            "engine openvino is not installed; run `pip install openvino`",
        ),
        (["openvino"], "EngineSpec(onnx_model)", "engine openvino is not installed; run `pip install openvino`"),
        (
            ["paddle"],
            "EngineSpec(paddle_model, runtime=Runtime.PADDLE)",
            "engine paddle is not installed; run `pip install paddlepaddle`",
        ),
        (
            ["paddle"],
            "EngineSpec(paddle_model, use_gpu=True)",
            "engine paddle is not installed; run `pip install paddlepaddle`",
        ),
        (
            ["openvino", "paddle"],
            "EngineSpec(paddle_model)",
            "engine paddle is not installed; run `pip install paddlepaddle`",
        ),
    ],
)
def test_a_missing_library_is_not_chosen_or_is_reported_in_one_line(
    missing: list[str], spec: str, printed: str
) -> None:
    assert choose_without(missing, spec) == f"{printed}\n"


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [
        (EngineSpec(PADDLE_MODEL), ONNX_MODEL),
        (EngineSpec(PADDLE_MODEL, runtime=Runtime.OPENVINO), ONNX_MODEL),
        (EngineSpec(PADDLE_MODEL, runtime=Runtime.PADDLE), JSON_MODEL),
        (EngineSpec(PADDLE_MODEL, Backend.ONEDNN), JSON_MODEL),
        (EngineSpec(PADDLE_MODEL, use_gpu=True), JSON_MODEL),
    ],
    ids=["auto", "openvino", "paddle", "back-end", "gpu"],
)
def test_a_model_in_several_formats_runs_in_the_one_that_the_engine_reads(spec: EngineSpec, chosen: ModelFiles) -> None:
    assert choose_model(spec, [ONNX_MODEL, JSON_MODEL]) == replace(spec, model=chosen)


def test_a_model_that_cannot_run_is_reported_in_its_preferred_format() -> None:
    spec = choose_model(EngineSpec(JSON_MODEL, runtime=Runtime.PADDLE), [ONNX_MODEL])
    with pytest.raises(InvalidSetting, match=r"engine paddle cannot run a model in the ONNX format"):
        choose_runtime(spec)
