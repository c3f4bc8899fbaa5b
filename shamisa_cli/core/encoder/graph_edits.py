"""Additions to an ONNX model without the package onnx: further outputs, moments of parts of inner values.

Protobuf messages that follow each other are one message with the entries of both, so what is added is appended. The
numbers of the fields are those of ONNX's format: ModelProto.graph 7; GraphProto.node 1, input 11, output 12;
NodeProto.input 1, output 2, op_type 4; ValueInfoProto.name 1, type 2; TypeProto.tensor_type 1, of which elem_type 1
(FLOAT is 1, INT64 7) and shape 2; TensorShapeProto.dim 1, of which dim_value 1.
"""

from __future__ import annotations

from collections.abc import Iterable

AXES = "moments/axes"
"""Input of a graph with moments: the axes of rows and columns, [2, 3]."""
_FLOATS, _INTEGERS = b"\x08\x01", b"\x08\x07"
_PAIR_OF_INTEGERS = b"\x08\x07\x12\x04\x0a\x02\x08\x02"


def with_outputs(graph: bytes, names: Iterable[str]) -> bytes:
    """An ONNX model with inner values of its graph as further float32 outputs."""
    return graph + field(7, b"".join(_output(name) for name in sorted(names)))


def with_moments(graph: bytes, names: Iterable[str]) -> bytes:
    """An ONNX model with further outputs: the moments of a part of each inner value (1, C, h, w).

    The part is given by two further inputs for each value, row and column where it begins and ends; see
    `part_inputs` and `moment_outputs`. With the input `AXES` its moments are computed where the values are, so that
    these need not be kept.
    """
    entries = [field(11, _value(AXES, _PAIR_OF_INTEGERS))]
    for name in names:
        first, end = part_inputs(name)
        mean, variance, shape = moment_outputs(name)
        part, centred, squared = part_of(name), f"{name}/centred", f"{name}/squared"
        entries += [field(11, _value(each, _PAIR_OF_INTEGERS)) for each in (first, end)]
        entries += [
            _node("Slice", [name, first, end, AXES], part),
            _node("Shape", [part], shape),
            _node("ReduceMean", [part, AXES], mean),
            _node("Sub", [part, mean], centred),
            _node("Mul", [centred, centred], squared),
            _node("ReduceMean", [squared, AXES], variance),
            _output(mean),
            _output(variance),
            _output(shape, _INTEGERS),
        ]
    return graph + field(7, b"".join(entries))


def part_inputs(name: str) -> tuple[str, str]:
    """Names of the inputs for the row and column where the part of a value begins, and where it ends: int64 (2,)."""
    return f"{name}/first", f"{name}/end"


def part_of(name: str) -> str:
    """Name of the part of a value of which the moments are computed; no output of the graph yet."""
    return f"{name}/part"


def moment_outputs(name: str) -> tuple[str, str, str]:
    """Names of the outputs with the mean and the variance of the part of a value, (1, C, 1, 1), and its shape (4,)."""
    return f"{name}/mean", f"{name}/variance", f"{name}/shape"


def _node(operator: str, inputs: Iterable[str], output: str) -> bytes:
    parts = [field(1, name.encode()) for name in inputs]
    return field(1, b"".join(parts) + field(2, output.encode()) + field(4, operator.encode()))


def _output(name: str, kind: bytes = _FLOATS) -> bytes:
    return field(12, _value(name, kind))


def _value(name: str, tensor: bytes) -> bytes:
    return field(1, name.encode()) + field(2, field(1, tensor))


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message with a length: its number and wire type 2, the length, the content."""
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2]) + bytes(length) + content
