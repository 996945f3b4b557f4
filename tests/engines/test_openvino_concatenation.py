"""Rewriting convolutions of concatenations: random networks of the expected form, and networks of other forms."""

from typing import Any

import numpy as np
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as ops

from ppocr_serving.engines import Float32Array
from ppocr_serving.engines.concatenation import split_concatenations

CORE = openvino.Core()
OUTPUTS = 3


def weights(*shape: int) -> Any:
    return ops.constant(np.random.default_rng(sum(shape)).uniform(-1, 1, shape).astype(np.float32))


def network(parts: list[int], stride: int = 1, padding: int = 1, axis: int = 1, constant: bool = True) -> Any:
    picture = ops.parameter([-1, 2, -1, -1], np.float32, name="picture")
    maps = [
        ops.relu(ops.convolution(picture, weights(part, 2, 1, 1), *([1, 1], [0, 0], [0, 0], [1, 1]))) for part in parts
    ]
    joined = ops.concat(maps, axis)
    channels = sum(parts) if axis == 1 else parts[0]
    kernel = weights(OUTPUTS, channels, 3, 3)
    if not constant:
        kernel = ops.multiply(kernel, ops.reduce_max(picture, ops.constant([0, 1, 2, 3]), keep_dims=False))
    pads = [padding, padding]
    return openvino.Model([ops.convolution(joined, kernel, [stride, stride], pads, pads, [1, 1])], [picture])


def answer(model: Any, pictures: Float32Array) -> Float32Array:
    compiled = CORE.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    return np.array(compiled(pictures)[0])


def pictures() -> Float32Array:
    return np.random.default_rng(9).uniform(-1, 1, (2, 2, 8, 7)).astype(np.float32)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 16), min_size=2, max_size=4), st.integers(1, 2), st.integers(0, 2))
def test_a_rewritten_network_computes_the_same(parts: list[int], stride: int, padding: int) -> None:
    model = network(parts, stride, padding)
    before = answer(model, pictures())
    assert split_concatenations(model) == 1
    assert "Concat" not in {node.get_type_name() for node in model.get_ops()}
    np.testing.assert_allclose(answer(model, pictures()), before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "model",
    [network([16, 17]), network([4, 4], axis=2), network([4, 4], constant=False)],
    ids=["many channels", "another axis", "weights that are computed"],
)
def test_networks_of_other_forms_are_left_alone(model: Any) -> None:
    before = answer(model, pictures())
    assert split_concatenations(model) == 0
    np.testing.assert_array_equal(answer(model, pictures()), before)


def test_a_concatenation_that_others_read_is_left_alone() -> None:
    model = network([4, 4])
    (joined,) = (node for node in model.get_ops() if node.get_type_name() == "Concat")
    model.add_results([ops.result(joined)])
    assert split_concatenations(model) == 0
