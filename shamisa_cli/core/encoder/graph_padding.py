"""A second branch of an ONNX model, whose convolutions repeat the border of their maps instead of padding with zeros.

Networks see zeros around a picture as a frame. Score maps need the later stages without it, and the score those with
it; both follow from the same early stages, which are computed once. The nodes of the graph are read and written again
as protobuf messages, without the package onnx; the numbers of the fields are those of ONNX's format: ModelProto.graph
7; GraphProto.node 1, initializer 5; NodeProto.input 1, output 2, op_type 4, attribute 5; AttributeProto.name 1, s 4,
ints 8, type 20 (STRING is 3); TensorProto.dims 1, data_type 2 (INT64 is 7), name 8, raw_data 9.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from shamisa_cli.core.encoder.graph_edits import field

GRAPH, NODE, INITIALIZER = 7, 1, 5
INPUT, OUTPUT, NODE_NAME, OPERATOR, ATTRIBUTE = 1, 2, 3, 4, 5
NAME, INTEGERS = 1, 8
BRANCH = "/repeated"
"""End of the names of the values of the second branch."""
_EDGE = field(1, b"mode") + field(4, b"edge") + b"\xa0\x01\x03"
_EIGHT_INTEGERS = b"\x08\x08\x10\x07"


def with_repeated_borders(model: bytes, after: Collection[str]) -> tuple[bytes, frozenset[str]]:
    """The same model, and a second branch of it in which the border of each map is repeated as often as it was padded.

    Args:
        model: with its nodes in the order they are computed.
        after: names of inner values; convolutions that follow from them have twins in the branch.

    Returns:
        The model, and the names of the values that have a twin, which is named with `BRANCH` appended: all that follow
        from the first of these convolutions. No twin is an output of the model yet.
    """
    parts: list[bytes] = []
    twins: set[bytes] = set()
    for number, content, raw in _fields(model):
        if number == GRAPH:
            parts.append(field(GRAPH, content + _branch(content, {name.encode() for name in after}, twins)))
        else:
            parts.append(raw)
    return b"".join(parts), frozenset(name.decode() for name in twins)


def _branch(graph: bytes, following: set[bytes], twins: set[bytes]) -> bytes:
    """Entries of a graph: the nodes of the branch; the values that have a twin are added to `twins`."""
    parts = []
    for number, node, _ in _fields(graph):
        if number != NODE:
            continue
        fields = list(_fields(node))
        inputs, outputs = ([content for kind, content, _ in fields if kind == side] for side in (INPUT, OUTPUT))
        follows = not following.isdisjoint(inputs)
        pads = _pads(fields) if follows else []
        if any(pads) or not twins.isdisjoint(inputs):
            parts.append(_twin(fields, pads, twins))
            twins.update(outputs)
        if follows:
            following.update(outputs)
    return b"".join(parts)


def _twin(fields: list[tuple[int, bytes, bytes]], pads: list[int], twins: set[bytes]) -> bytes:
    """Entries of a graph: the node with the twins of its inputs and outputs, and what pads a convolution's first."""
    inputs = [content for kind, content, _ in fields if kind == INPUT]
    read = [name + BRANCH.encode() if name in twins else name for name in inputs]
    outputs = [content + BRANCH.encode() for kind, content, _ in fields if kind == OUTPUT]
    before = b""
    if any(pads):
        read[0], before = _padded(read[0], outputs[0], pads)
    rest = [
        raw
        for kind, content, raw in fields
        if kind not in (INPUT, OUTPUT, NODE_NAME)
        and not (any(pads) and kind == ATTRIBUTE and _named(content) == b"pads")
    ]
    named = [field(INPUT, name) for name in read] + [field(OUTPUT, name) for name in outputs]
    return before + field(NODE, b"".join(named + rest))


def _padded(name: bytes, user: bytes, pads: list[int]) -> tuple[bytes, bytes]:
    """The name of a value whose border is repeated, and entries of a graph: a node and its constant that pad it."""
    padded, sides = user + b"/padded", user + b"/sides"
    top, left, bottom, right = pads
    around = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    constant = _EIGHT_INTEGERS + field(8, sides) + field(9, around.tobytes())
    pad = field(INPUT, name) + field(INPUT, sides) + field(OUTPUT, padded) + field(OPERATOR, b"Pad")
    return padded, field(INITIALIZER, constant) + field(NODE, pad + field(ATTRIBUTE, _EDGE))


def _pads(node: list[tuple[int, bytes, bytes]]) -> list[int]:
    """The padding of a convolution; empty for other nodes."""
    if not any(number == OPERATOR and content == b"Conv" for number, content, _ in node):
        return []
    attributes = [content for number, content, _ in node if number == ATTRIBUTE and _named(content) == b"pads"]
    return [value for attribute in attributes for value in _integers(attribute)]


def _named(attribute: bytes) -> bytes:
    return next(content for number, content, _ in _fields(attribute) if number == NAME)


def _integers(attribute: bytes) -> list[int]:
    """The list `ints`, whose entries are fields of their own or packed into one."""
    found: list[int] = []
    for number, content, raw in _fields(attribute):
        if number == INTEGERS:
            values = content if content else raw[1:]
            position = 0
            while position < len(values):
                value, position = _varint(values, position)
                found.append(value)
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, content and whole of each field of a message; the content of fields without a length is empty."""
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position)
        length = {1: 8, 5: 4}.get(key & 7, 0)
        if key & 7 == 0:
            _, position = _varint(message, position)
        elif key & 7 == 2:
            length, position = _varint(message, position)
        end = position + length
        yield key >> 3, message[position:end], message[start:end]
        position = end


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value, shift, position = value | (byte & 127) << shift, shift + 7, position + 1
        if byte < 128:
            return value, position
