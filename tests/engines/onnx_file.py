"""A small ONNX network, written field by field: the onnx package needs another protobuf version than PaddleHub."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ppocr_serving.engines import Float32Array

__all__ = ["write_onnx"]

_FLOAT = 1  # of TensorProto.DataType


def write_onnx(
    path: Path, weights: Float32Array, *, metadata: Mapping[str, str] | None = None, height: int | None = None
) -> None:
    """Write a network of a convolution without padding and a sigmoid.

    Args:
        path: The file to write.
        weights: (outputs, inputs, height, width) of the convolution.
        metadata: What the file says about itself.
        height: Of the input in pixels; None if it varies.
    """
    tensor = [_field(1, size) for size in weights.shape]
    tensor += [_field(2, _FLOAT), _field(8, "weights"), _field(9, weights.astype("<f4").tobytes())]
    graph = [
        _field(1, _node("Conv", ["picture", "weights"], "sums")),
        _field(1, _node("Sigmoid", ["sums"], "map")),
        _field(2, "network"),
        _field(5, b"".join(tensor)),
        _field(11, _value("picture", ["batch", weights.shape[1], height or "height", "width"])),
        _field(12, _value("map", ["batch", weights.shape[0], "rows", "columns"])),
    ]
    operators = _field(1, "") + _field(2, 13)
    notes = [_field(14, _field(1, key) + _field(2, value)) for key, value in (metadata or {}).items()]
    path.write_bytes(b"".join([_field(1, 8), _field(7, b"".join(graph)), _field(8, operators), *notes]))


def _node(kind: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)


def _value(name: str, sides: list[str | int]) -> bytes:
    shape = b"".join(_field(1, _field(2 if isinstance(side, str) else 1, side)) for side in sides)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, shape)))


def _field(number: int, value: str | bytes | int | np.integer) -> bytes:
    """Encode a protocol buffer field: a number, or bytes preceded by their length."""
    if isinstance(value, (int, np.integer)):
        return _varint(number << 3) + _varint(int(value))
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
