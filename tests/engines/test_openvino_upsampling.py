"""Rewriting the end of detectors: random networks of the expected form, and networks of other forms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as ops

from ppocr_serving.engines import Float32Array
from ppocr_serving.engines.upsampling import pack_upsampling

CHANNELS = 3
CORE = openvino.Core()

# A step of a network's end: the block and channels of a transposed convolution, or a per-channel operation.
Step = tuple[int, int, int] | str

blocks = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))
steps = st.lists(st.one_of(blocks, st.sampled_from(["add", "add one", "norm", "relu", "sigmoid"])), max_size=5)
# No detector has many blocks in a row, and such networks are too large.
ends = (
    st.tuples(steps, blocks, steps)
    .map(lambda parts: [*parts[0], parts[1], *parts[2]])
    .filter(lambda end: sum(isinstance(step, tuple) for step in end) <= 3)
)


class Builder:
    """Build networks with random weights that begin with a convolution."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self.picture = ops.parameter([-1, CHANNELS, -1, -1], np.float32, name="picture")
        kernel = self.weights(CHANNELS, CHANNELS, 3, 3)
        self.start = ops.convolution(self.picture, kernel, [1, 1], [1, 1], [1, 1], [1, 1])

    def weights(self, *shape: int) -> Any:
        return ops.constant(self._random.uniform(-1, 1, shape).astype(np.float32))

    def upsampled(self, node: Any, inputs: int, block: tuple[int, int, int]) -> Any:
        height, width, outputs = block
        kernel = self.weights(inputs, outputs, height, width)
        return ops.convolution_backprop_data(node, kernel, [height, width])

    def with_end(self, end: list[Step]) -> Any:
        node, channels = self.start, CHANNELS
        for step in end:
            match step:
                case "add":
                    node = ops.add(node, self.weights(1, channels, 1, 1))
                case "add one":
                    node = ops.add(node, self.weights(1, 1, 1, 1))
                case "norm":
                    scale, offset, mean = (self.weights(channels) for _ in range(3))
                    variance = ops.constant(self._random.uniform(0.5, 2, channels).astype(np.float32))
                    node = ops.batch_norm_inference(node, scale, offset, mean, variance, 1e-5)
                case "relu":
                    node = ops.relu(node)
                case "sigmoid":
                    node = ops.sigmoid(node)
                case (_, _, outputs):
                    node = self.upsampled(node, channels, step)
                    channels = outputs
        return node

    def network(self, *ends: Any) -> Any:
        return openvino.Model(list(ends), [self.picture])


def answers(network: Any, pictures: Float32Array) -> list[Float32Array]:
    compiled = CORE.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    return [np.array(answer) for answer in compiled(pictures).to_tuple()]


def pictures(count: int = 2, height: int = 5, width: int = 4) -> Float32Array:
    return np.random.default_rng(9).uniform(-1, 1, (count, CHANNELS, height, width)).astype(np.float32)


@settings(max_examples=40)
@given(ends, st.integers(0, 99), st.integers(1, 2), st.integers(1, 6), st.integers(1, 6))
def test_a_rewritten_network_computes_the_same(end: list[Step], seed: int, count: int, height: int, width: int) -> None:
    builder = Builder(seed)
    network = builder.network(builder.with_end(end))
    before = answers(network, pictures(count, height, width))[0]
    assert pack_upsampling(network)
    assert "ConvolutionBackpropData" not in {node.get_type_name() for node in network.get_ops()}
    after = answers(network, pictures(count, height, width))[0]
    assert after.shape == before.shape
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)


def test_rewriting_twice_changes_nothing_more() -> None:
    builder = Builder()
    network = builder.network(builder.with_end([(2, 2, 3), "norm", "relu", (2, 2, 1), "sigmoid"]))
    assert pack_upsampling(network)
    before = answers(network, pictures())[0]
    assert not pack_upsampling(network)
    np.testing.assert_array_equal(answers(network, pictures())[0], before)


def test_layers_before_the_end_are_left_alone() -> None:
    builder = Builder()
    overlapping = ops.convolution_backprop_data(builder.start, builder.weights(CHANNELS, CHANNELS, 3, 3), [2, 2])
    network = builder.network(builder.upsampled(ops.exp(overlapping), CHANNELS, (2, 2, 1)))
    before = answers(network, pictures())[0]
    assert pack_upsampling(network)
    assert [node.get_type_name() for node in network.get_ops()].count("ConvolutionBackpropData") == 1
    np.testing.assert_allclose(answers(network, pictures())[0], before, rtol=1e-4, atol=1e-4)


def skipped(builder: Builder) -> list[Any]:
    large = builder.upsampled(builder.start, CHANNELS, (2, 2, 2))
    return [ops.add(large, ops.relu(large))]


def two_results(builder: Builder) -> list[Any]:
    large = builder.upsampled(builder.start, CHANNELS, (2, 2, 2))
    return [ops.relu(large), ops.sigmoid(large)]


def widened(builder: Builder) -> list[Any]:
    return [ops.add(builder.upsampled(builder.start, CHANNELS, (2, 2, 1)), builder.weights(1, 4, 1, 1))]


OTHER_FORMS: dict[str, Callable[[Builder], list[Any]]] = {
    "no upsampling": lambda builder: [builder.with_end(["norm", "relu"])],
    "blocks that overlap": lambda builder: [
        ops.convolution_backprop_data(builder.start, builder.weights(CHANNELS, 2, 3, 3), [2, 2])
    ],
    "blocks with gaps": lambda builder: [
        ops.convolution_backprop_data(builder.start, builder.weights(CHANNELS, 2, 2, 2), [3, 3])
    ],
    "edges cut off": lambda builder: [
        ops.convolution_backprop_data(
            builder.start, builder.weights(CHANNELS, 2, 2, 2), [2, 2], pads_begin=[1, 1], pads_end=[0, 0]
        )
    ],
    "edges added": lambda builder: [
        ops.convolution_backprop_data(builder.start, builder.weights(CHANNELS, 2, 2, 2), [2, 2], output_padding=[1, 1])
    ],
    "dilated kernels": lambda builder: [
        ops.convolution_backprop_data(builder.start, builder.weights(CHANNELS, 2, 2, 2), [2, 2], dilations=[2, 2])
    ],
    "groups": lambda builder: [
        ops.group_convolution_backprop_data(builder.start, builder.weights(CHANNELS, 1, 2, 2, 2), [2, 2])
    ],
    "another operation after it": lambda builder: [ops.exp(builder.upsampled(builder.start, CHANNELS, (2, 2, 2)))],
    "neighbours mixed after it": lambda builder: [
        ops.max_pool(
            builder.upsampled(builder.start, CHANNELS, (2, 2, 2)), [1, 1], [1, 1], [0, 0], [0, 0], [3, 3]
        ).output(0)
    ],
    "channels mixed after it": lambda builder: [ops.softmax(builder.upsampled(builder.start, CHANNELS, (2, 2, 2)), 1)],
    "added to itself": skipped,
    "two results": two_results,
    "more channels by adding": widened,
}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_a_network_of_another_form_is_left_alone(form: str) -> None:
    builder = Builder()
    network = builder.network(*OTHER_FORMS[form](builder))
    before = answers(network, pictures())
    operations = [node.get_type_name() for node in network.get_ordered_ops()]
    assert not pack_upsampling(network)
    assert [node.get_type_name() for node in network.get_ordered_ops()] == operations
    for answer, expected in zip(answers(network, pictures()), before, strict=True):
        np.testing.assert_array_equal(answer, expected)
