"""Changes of an ONNX model without the package onnx: moments of parts of inner values, and only what outputs need.

Protobuf messages that follow each other are one message with the entries of both, so what is added is appended. The
numbers of the fields are those of ONNX's format: ModelProto.graph 7; GraphProto.node 1, initializer 5, input 11, output
12; NodeProto.input 1, output 2, op_type 4; TensorProto.name 8; ValueInfoProto.name 1, type 2; TypeProto.tensor_type 1,
of which elem_type 1 (FLOAT is 1, INT64 7) and shape 2; TensorShapeProto.dim 1, of which dim_value 1.
"""

from __future__ import annotations

from collections.abc import Iterable

from shamisa_cli.core.encoder.protobuf import contents, field, fields

AXES = "moments/axes"
"""Input of a graph with moments: the axes of rows and columns, [2, 3]."""
_FLOATS, _INTEGERS = b"\x08\x01", b"\x08\x07"
_PAIR_OF_INTEGERS = b"\x08\x07\x12\x04\x0a\x02\x08\x02"


def with_parts(graph: bytes, names: Iterable[str]) -> bytes:
    """An ONNX model that cuts a part of each inner value (1, C, h, w), `part_of` it, which is no output yet.

    The part is given by two further inputs for each value, row and column where it begins and ends; see `part_inputs`.
    The input `AXES` is that of rows and columns.
    """
    entries = [field(11, _value(AXES, _PAIR_OF_INTEGERS))]
    for name in names:
        first, end = part_inputs(name)
        entries += [field(11, _value(each, _PAIR_OF_INTEGERS)) for each in (first, end)]
        entries.append(_node("Slice", [name, first, end, AXES], part_of(name)))
    return graph + field(7, b"".join(entries))


def with_moments(graph: bytes, names: Iterable[str]) -> bytes:
    """An ONNX model `with_parts`, and what computes their moments where the values are, so that these need not be kept.

    The moments are named by `moment_outputs`, and are no outputs yet.
    """
    names = list(names)
    entries = []
    for name in names:
        mean, variance, shape = moment_outputs(name)
        part, centred, squared = part_of(name), f"{name}/centred", f"{name}/squared"
        entries += [
            _node("Shape", [part], shape),
            _node("ReduceMean", [part, AXES], mean),
            _node("Sub", [part, mean], centred),
            _node("Mul", [centred, centred], squared),
            _node("ReduceMean", [squared, AXES], variance),
        ]
    return with_parts(graph, names) + field(7, b"".join(entries))


def giving(model: bytes, floats: Iterable[str], integers: Iterable[str] = ()) -> bytes:
    """An ONNX model with these inner values as its outputs, and of its graph only what they need.

    ONNX Runtime computes all that a graph has, whichever outputs are asked for.
    """
    named = dict.fromkeys(floats, _FLOATS) | dict.fromkeys(integers, _INTEGERS)
    parts, graph = [], b""
    for number, content, raw in fields(model):
        if number == 7:
            graph += content
        else:
            parts.append(raw)
    outputs = [field(12, _value(name, kind)) for name, kind in sorted(named.items())]
    return b"".join([*parts, field(7, b"".join([*_needed(graph, {name.encode() for name in named}), *outputs]))])


def _needed(graph: bytes, needed: set[bytes]) -> list[bytes]:
    """Entries of a graph that lead to these values, but no outputs; `needed` becomes all values that they need."""
    entries = list(fields(graph))
    nodes: list[bytes] = []
    for number, content, raw in reversed(entries):
        node = list(fields(content)) if number == 1 else []
        if not needed.isdisjoint(contents(node, 2)):
            needed.update(contents(node, 1))
            nodes.insert(0, raw)
    names = {5: 8, 11: 1}  # of initializers and inputs
    return nodes + [
        raw
        for number, content, raw in entries
        if number not in (1, 12)
        and (number not in names or contents(list(fields(content)), names[number])[0] in needed)
    ]


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


def _value(name: str, tensor: bytes) -> bytes:
    return field(1, name.encode()) + field(2, field(1, tensor))
