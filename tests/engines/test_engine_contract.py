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


@RUNTIMES
@pytest.mark.parametrize("role", ["det", "cls", "rec"])
def test_eight_threads_get_the_answers_that_one_gets(
    default_models: dict[str, ModelFiles], role: str, runtime: Runtime
) -> None:
    run = engine(default_models[role], runtime)
    whole = network_input(role)
    # Inputs of different content and shape, so that an answer to somebody else's question would be noticed.
    questions = [whole * np.float32(1 - 0.1 * index) for index in range(4)]
    questions += [np.concatenate([whole] * 2), np.ascontiguousarray(whole[:1])]
    serial = [run(question) for question in questions]
    start = threading.Barrier(8)

    def ask(thread: int) -> list[tuple[int, Float32Array]]:
        start.wait()
        order = [(thread + step) % len(questions) for step in range(len(questions))]
        return [(index, run(questions[index])) for index in order]

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(ask, range(8)):
            for index, answer in answers:
                np.testing.assert_allclose(answer, serial[index], atol=1e-6)


@RUNTIMES
def test_answers_belong_to_the_caller(default_models: dict[str, ModelFiles], runtime: Runtime) -> None:
    run = engine(default_models["cls"], runtime)
    inputs = network_input("cls")
    first = run(inputs)
    kept = first.copy()
    second = run(-inputs)
    np.testing.assert_array_equal(first, kept)
    assert not np.array_equal(first, second)
    first[:] = 7  # and may be written to
    np.testing.assert_array_equal(run(inputs), kept)


@RUNTIMES
def test_inputs_are_left_alone(default_models: dict[str, ModelFiles], runtime: Runtime) -> None:
    inputs = network_input("cls")
    kept = inputs.copy()
    engine(default_models["cls"], runtime)(inputs)
    np.testing.assert_array_equal(inputs, kept)


@RUNTIMES
def test_a_wrong_input_is_an_error_and_the_engine_goes_on(
    default_models: dict[str, ModelFiles], runtime: Runtime
) -> None:
    # The OpenVINO inside Paddle tells nobody of such an error but the log.
    backend = Backend.ONEDNN if runtime is Runtime.PADDLE else Backend.OPENVINO
    run = engine(default_models["cls"], runtime, backend)
    before = run(network_input("cls"))
    with pytest.raises(EngineError, match=r"cannot run on an input of shape \(1, 5, 48, 192\): ") as caught:
        run(np.zeros((1, 5, 48, 192), dtype=np.float32))
    assert str(caught.value).startswith(str(default_models["cls"].program))
    assert "\n" not in str(caught.value)
    np.testing.assert_allclose(run(network_input("cls")), before, atol=1e-6)
