"""What an ONNX file says about itself: its metadata and the shape of its input.

An ONNX file is a protocol buffer (`ModelProto` of the ONNX specification). Few of its fields are needed, so the file is
walked field by field and the weights are skipped: it takes neither a library nor the memory for them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["read_input_shape", "read_metadata"]

# Numbers of fields in ModelProto, StringStringEntryProto, GraphProto, ValueInfoProto, TypeProto, TypeProto.Tensor,
# TensorShapeProto and its Dimension.
_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
_INPUT = 11
_TYPE = 2
_TENSOR = 1
_SHAPE = 2
_DIMENSION = 1
_SIZE = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_MAX_TEXT = 16 << 20


class _Field(NamedTuple):
    """A field of a protocol buffer: its number, and its value or the range of the file that it takes."""

    number: int
    value: int
    start: int
    end: int


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a model.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not ONNX.
    """
    with path.open("rb") as stream:
        entries = {}
        for entry in _inside(stream, _whole(stream), _METADATA):
            parts = {part.number: _text(stream, part) for part in _fields(stream, entry)}
            entries[parts.get(_KEY, "")] = parts.get(_VALUE, "")
        return entries


def read_input_shape(path: Path) -> tuple[int, ...]:
    """Return the sides of a model's first input, 0 for those that vary; empty if the file does not say.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not ONNX.
    """
    with path.open("rb") as stream:
        for graph in _inside(stream, _whole(stream), _GRAPH):
            for given in _inside(stream, graph, _INPUT):
                shapes = [given]
                for number in (_TYPE, _TENSOR, _SHAPE):
                    shapes = [part for shape in shapes for part in _inside(stream, shape, number)]
                return tuple(
                    next((_side(part.value) for part in _fields(stream, side) if part.number == _SIZE), 0)
                    for shape in shapes
                    for side in _inside(stream, shape, _DIMENSION)
                )
    return ()


def _side(value: int) -> int:
    return value if value < 1 << 63 else 0  # some converters write -1 for a side that varies


def _whole(stream: BinaryIO) -> _Field:
    return _Field(0, 0, 0, stream.seek(0, 2))


def _inside(stream: BinaryIO, message: _Field, number: int) -> list[_Field]:
    return [field for field in _fields(stream, message) if field.number == number]


def _fields(stream: BinaryIO, message: _Field) -> Iterator[_Field]:
    position = message.start
    while position < message.end:
        stream.seek(position)
        key = _varint(stream)
        kind, value = key & 7, 0
        if kind == _VARINT:
            value = _varint(stream)
            length = 0
        elif kind == _BYTES:
            length = _varint(stream)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("is not an ONNX model")
        start = stream.tell()
        position = start + length
        if position > message.end:
            raise ValueError("is not an ONNX model, or truncated")
        yield _Field(key >> 3, value, start, position)


def _varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("is not an ONNX model, or truncated")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("is not an ONNX model")


def _text(stream: BinaryIO, field: _Field) -> str:
    if field.end - field.start > _MAX_TEXT:
        raise ValueError("has a text of more than 16 MiB")
    stream.seek(field.start)
    return stream.read(field.end - field.start).decode()
