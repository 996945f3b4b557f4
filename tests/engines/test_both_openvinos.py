"""Two copies of OpenVINO in one process: the one inside Paddle, and the package of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ppocr_serving.engines import Float32Array, Runtime
from ppocr_serving.models import ModelFiles
from tests.conftest import models_of, settings_for
from tests.engines.inputs import F32_TOLERANCE, network_input, run_program

# In a separate process: only there it is known which copy was loaded first, and a crash ends no other test.
PROGRAM = """if True:
    import sys
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    import numpy as np
    from ppocr_serving.engines import Backend, EnginePool, EngineSpec, Precision, Runtime
    from ppocr_serving.models import ModelFiles

    pool = EnginePool()
    calls = []
    for runtime, program, params, inputs in (call.split("|") for call in sys.argv[2:]):
        model = ModelFiles(Path(program), Path(params) if params else None)
        spec = EngineSpec(model, Backend.OPENVINO, Precision.F32, threads=1, runtime=Runtime(runtime))
        calls.append((pool.engine(spec), np.load(inputs)))
        calls[-1][0].load()
    answers = [run(inputs) for run, inputs in calls]
    with ThreadPoolExecutor(len(calls)) as threads:
        for answer, again in zip(answers, threads.map(lambda call: call[0](call[1]), calls)):
            np.testing.assert_allclose(again, answer, atol=1e-5)
    np.savez(sys.argv[1], *answers)
    maps = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    print(*sorted({"paddle" if "/paddle/" in path else "openvino" for path in maps if "/libopenvino.so" in path}))
"""


class Call(NamedTuple):
    """An engine, and the role whose input it gets."""

    runtime: Runtime
    model: ModelFiles
    role: str


def run_together(calls: Sequence[Call], folder: Path) -> tuple[str, list[Float32Array]]:
    """Load engines in order in one process, run them one by one and all at once.

    Returns:
        The copies of OpenVINO that were loaded, and the answers.
    """
    arguments = []
    for call in calls:
        np.save(folder / f"{call.role}.npy", network_input(call.role))
        arguments.append(f"{call.runtime}|{call.model.program}|{call.model.params or ''}|{folder / call.role}.npy")
    result = run_program(PROGRAM, str(folder / "answers.npz"), *arguments)
    assert result.returncode == 0, result.stderr
    with np.load(folder / "answers.npz") as answers:
        return result.stdout.strip(), [answers[f"arr_{number}"] for number in range(len(calls))]


@pytest.mark.parametrize("order", [(Runtime.PADDLE, Runtime.OPENVINO), (Runtime.OPENVINO, Runtime.PADDLE)])
def test_both_answer_right_whichever_is_loaded_first(
    v4_models: dict[str, ModelFiles],
    native_answers: dict[str, Float32Array],
    tmp_path: Path,
    order: tuple[Runtime, Runtime],
) -> None:
    calls = [Call(runtime, v4_models[role], role) for runtime in order for role in ("det", "rec")]

    copies, answers = run_together(calls, tmp_path)

    assert copies == "openvino paddle"
    for call, answer in zip(calls, answers, strict=True):
        np.testing.assert_allclose(answer, native_answers[call.role], atol=F32_TOLERANCE)


@pytest.mark.thorough
@pytest.mark.parametrize("is_first", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_the_default_models_answer_beside_paddle_as_they_do_alone(
    v4_models: dict[str, ModelFiles], tmp_path: Path, is_first: bool
) -> None:
    # They are ONNX, which is read with protobuf, of which Paddle has a copy, too.
    models = models_of(settings_for(Runtime.OPENVINO))
    default = [Call(Runtime.OPENVINO, models[role], role.replace("reread", "rec")) for role in models]
    paddle = Call(Runtime.PADDLE, v4_models["det"], "det")

    copies, alone = run_together(default, tmp_path)
    assert copies == "openvino"
    assert all(answer.std() > 0 for answer in alone)
    calls = [*default, paddle] if is_first else [paddle, *default]
    copies, answers = run_together(calls, tmp_path)
    assert copies == "openvino paddle"
    beside = [answer for call, answer in zip(calls, answers, strict=True) if call.runtime is Runtime.OPENVINO]
    for answer, expected in zip(beside, alone, strict=True):
        np.testing.assert_allclose(answer, expected, atol=1e-5)
