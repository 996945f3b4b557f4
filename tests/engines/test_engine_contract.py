"""Contract of every engine, whichever library runs the model."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ppocr_serving.engines import Backend, Engine, EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.errors import EngineError
from ppocr_serving.models import ModelFiles
from tests.engines.inputs import network_input
from tests.services import POOL

RUNTIMES = pytest.mark.parametrize("runtime", [Runtime.OPENVINO, Runtime.PADDLE])


def engine(model: ModelFiles, runtime: Runtime, backend: Backend = Backend.OPENVINO) -> Engine:
    return POOL.engine(EngineSpec(model, backend, Precision.F32, threads=2, runtime=runtime))


@pytest.mark.thorough_with_paddle
@RUNTIMES
@pytest.mark.parametrize("role", ["det", "cls", "rec"])
def test_eight_threads_get_the_same_answers_as_one(
    v4_models: dict[str, ModelFiles], role: str, runtime: Runtime
) -> None:
    run = engine(v4_models[role], runtime)
    batch = network_input(role)
    # Inputs of different content and shape, so that an answer to another thread's input would be noticed.
    inputs = [batch * np.float32(1 - 0.1 * index) for index in range(4)]
    inputs += [np.concatenate([batch] * 2), np.ascontiguousarray(batch[:1])]
    serial = [run(item) for item in inputs]
    start = threading.Barrier(8)

    def run_all(thread: int) -> list[tuple[int, Float32Array]]:
        start.wait()
        order = [(thread + step) % len(inputs) for step in range(len(inputs))]
        return [(index, run(inputs[index])) for index in order]

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(run_all, range(8)):
            for index, answer in answers:
                np.testing.assert_allclose(answer, serial[index], atol=1e-6)


@RUNTIMES
def test_answers_belong_to_the_caller(v4_models: dict[str, ModelFiles], runtime: Runtime) -> None:
    run = engine(v4_models["cls"], runtime)
    inputs = network_input("cls")
    first = run(inputs)
    kept = first.copy()
    second = run(-inputs)
    np.testing.assert_array_equal(first, kept)
    assert not np.array_equal(first, second)
    first[:] = 7  # and may be written to
    np.testing.assert_array_equal(run(inputs), kept)


@RUNTIMES
def test_inputs_are_not_modified(v4_models: dict[str, ModelFiles], runtime: Runtime) -> None:
    inputs = network_input("cls")
    kept = inputs.copy()
    engine(v4_models["cls"], runtime)(inputs)
    np.testing.assert_array_equal(inputs, kept)


@RUNTIMES
def test_an_engine_survives_a_wrong_input(v4_models: dict[str, ModelFiles], runtime: Runtime) -> None:
    # The OpenVINO inside Paddle reports such an error only in the log.
    backend = Backend.ONEDNN if runtime is Runtime.PADDLE else Backend.OPENVINO
    run = engine(v4_models["cls"], runtime, backend)
    before = run(network_input("cls"))
    with pytest.raises(EngineError, match=r"cannot run on an input of shape \(1, 5, 48, 192\): ") as caught:
        run(np.zeros((1, 5, 48, 192), dtype=np.float32))
    assert str(caught.value).startswith(str(v4_models["cls"].program))
    assert "\n" not in str(caught.value)
    np.testing.assert_allclose(run(network_input("cls")), before, atol=1e-6)
