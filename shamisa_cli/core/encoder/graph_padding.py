"""An ONNX model whose convolutions repeat the border of their maps instead of padding them with zeros.

Networks see zeros around a picture as a frame. The nodes of the graph are read and written again as protobuf messages,
without the package onnx; the numbers of the fields are those of ONNX's format: ModelProto.graph 7; GraphProto.node 1,
initializer 5; NodeProto.input 1, output 2, op_type 4, attribute 5; AttributeProto.name 1, s 4, ints 8, type 20 (STRING
is 3); TensorProto.dims 1, data_type 2 (INT64 is 7), name 8, raw_data 9.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shamisa_cli.core.encoder.graph_edits import field

GRAPH, NODE, INITIALIZER = 7, 1, 5
INPUT, OPERATOR, ATTRIBUTE = 1, 4, 5
NAME, INTEGERS = 1, 8
_EDGE = field(1, b"mode") + field(4, b"edge") + b"\xa0\x01\x03"
_EIGHT_INTEGERS = b"\x08\x08\x10\x07"


def with_repeated_borders(model: bytes, after: str) -> bytes:
    """The same model, with the border of each convolution's input repeated as often as it was padded.

    Args:
        model: with its nodes in the order they are computed.
        after: name of the inner value that the first convolutions compute, which stay as they are.
    """
    parts = [
        field(GRAPH, _graph_with_repeated_borders(content, after.encode())) if number == GRAPH else raw
        for number, content, raw in _fields(model)
    ]
    return b"".join(parts)


def _graph_with_repeated_borders(graph: bytes, after: bytes) -> bytes:
    parts, reached = [], False
    for number, content, raw in _fields(graph):
        pads = _pads(content) if number == NODE and reached else []
        parts.append(_padded_before(content, pads) if any(pads) else raw)
        reached = reached or (number == NODE and (2, after) in [(inner, value) for inner, value, _ in _fields(content)])
    return b"".join(parts)


def _padded_before(node: bytes, pads: list[int]) -> bytes:
    """Entries of a graph: the convolution without padding, and a node and its constant that pad its first input."""
    fields = list(_fields(node))
    name = next(content for number, content, _ in fields if number == INPUT)
    output = next(content for number, content, _ in fields if number == 2)
    padded, sides = output + b"/padded", output + b"/sides"
    top, left, bottom, right = pads
    around = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    constant = _EIGHT_INTEGERS + field(8, sides) + field(9, around.tobytes())
    pad = field(1, name) + field(1, sides) + field(2, padded) + field(OPERATOR, b"Pad") + field(ATTRIBUTE, _EDGE)
    rest, seen = [], False
    for number, content, raw in fields:
        if number == INPUT and not seen:
            rest.append(field(INPUT, padded))
            seen = True
        elif number != ATTRIBUTE or _named(content) != b"pads":
            rest.append(raw)
    return field(INITIALIZER, constant) + field(NODE, pad) + field(NODE, b"".join(rest))


def _pads(node: bytes) -> list[int]:
    """The padding of a convolution; empty for other nodes."""
    fields = list(_fields(node))
    if not any(number == OPERATOR and content == b"Conv" for number, content, _ in fields):
        return []
    attributes = [content for number, content, _ in fields if number == ATTRIBUTE and _named(content) == b"pads"]
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
