"""A second branch of an ONNX model, whose convolutions repeat the border of their maps instead of padding with zeros.

Networks see zeros around a picture as a frame. Score maps need the later stages without it, and the score those with
it; both follow from the same early stages, which are computed once. The nodes of the graph are read and written again
as protobuf messages, without the package onnx; the numbers of the fields are those of ONNX's format: ModelProto.graph
7; GraphProto.node 1, initializer 5; NodeProto.input 1, output 2, op_type 4, attribute 5; AttributeProto.name 1, s 4,
ints 8, type 20 (STRING is 3); TensorProto.dims 1, data_type 2 (INT64 is 7), name 8, raw_data 9.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from shamisa_cli.core.encoder.protobuf import Message, contents, field, fields, integers

GRAPH, NODE, INITIALIZER = 7, 1, 5
INPUT, OUTPUT, NODE_NAME, OPERATOR, ATTRIBUTE = 1, 2, 3, 4, 5
NAME, INTEGERS = 1, 8
DIMENSIONS, TENSOR_NAME, RAW_DATA = 1, 8, 9
BRANCH = "/repeated"
"""End of the names of the values of the second branch."""
_BRANCH = BRANCH.encode()
_EDGE = field(1, b"mode") + field(4, b"edge") + b"\xa0\x01\x03"
_EIGHT_INTEGERS = b"\x08\x08\x10\x07"
_CELL_BY_CELL = (b"BatchNormalization", b"Clip", b"Relu")
"""Operators after which a cell depends on the same cell before."""


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
    for number, content, raw in fields(model):
        if number == GRAPH:
            parts.append(field(GRAPH, content + _branch(content, {name.encode() for name in after}, twins)))
        else:
            parts.append(raw)
    return b"".join(parts), frozenset(name.decode() for name in twins)


def _branch(graph: bytes, following: set[bytes], twins: set[bytes]) -> bytes:
    """Entries of a graph: the nodes of the branch; the values that have a twin are added to `twins`."""
    parts = []
    widening = _widening_weights(graph)
    makers: dict[bytes, Message] = {}
    for number, content, _ in fields(graph):
        if number != NODE:
            continue
        node = list(fields(content))
        inputs, outputs = contents(node, INPUT), contents(node, OUTPUT)
        makers.update((name, node) for name in outputs)
        follows = not following.isdisjoint(inputs)
        pads = _integers(node, b"pads") if follows and _operator(node) == b"Conv" else []
        if any(pads):
            parts.append(_padded_twin([*_widened(inputs[0], makers, widening), node], pads, twins))
            twins.update(outputs)
        elif not twins.isdisjoint(inputs):
            parts.append(_copy(node, [_twin(name, twins) for name in inputs], [name + _BRANCH for name in outputs]))
            twins.update(outputs)
        if follows:
            following.update(outputs)
    return b"".join(parts)


def _widened(value: bytes, makers: Mapping[bytes, Message], widening: Collection[bytes]) -> list[Message]:
    """The nodes that make a value cell by cell of one with fewer channels; none if it is not made so.

    A border that is repeated before them is the same after them, and there is less of it to copy.
    """
    nodes: list[Message] = []
    while value in makers:
        node = makers[value]
        value, *constants = contents(node, INPUT)
        nodes.insert(0, node)
        if _operator(node) == b"Conv":
            in_place = not any(_integers(node, b"pads")) and set(_integers(node, b"strides")) <= {1}
            return nodes if in_place and constants[0] in widening else []
        if _operator(node) not in _CELL_BY_CELL:
            break
    return []


def _widening_weights(graph: bytes) -> set[bytes]:
    """Names of the weights of convolutions of one cell that have more channels after than before."""
    found: set[bytes] = set()
    for number, content, _ in fields(graph):
        if number == INITIALIZER:
            tensor = list(fields(content))
            sides = integers(tensor, DIMENSIONS)
            if len(sides) == 4 and sides[0] > sides[1] and sides[2:] == [1, 1]:
                found.update(contents(tensor, TENSOR_NAME))
    return found


def _padded_twin(nodes: Sequence[Message], pads: list[int], twins: Collection[bytes]) -> bytes:
    """Entries of a graph: what repeats the border of what these nodes read, and they; the last is a convolution."""
    twin = contents(nodes[-1], OUTPUT)[0] + _BRANCH
    padded, sides = twin + b"/padded", twin + b"/sides"
    top, left, bottom, right = pads
    around = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    constant = _EIGHT_INTEGERS + field(TENSOR_NAME, sides) + field(RAW_DATA, around.tobytes())
    read = _twin(contents(nodes[0], INPUT)[0], twins)
    pad = field(INPUT, read) + field(INPUT, sides) + field(OUTPUT, padded) + field(OPERATOR, b"Pad")
    parts = [field(INITIALIZER, constant), field(NODE, pad + field(ATTRIBUTE, _EDGE))]
    for node in nodes:
        name = twin if node is nodes[-1] else padded + b"/" + contents(node, OUTPUT)[0]
        parts.append(_copy(node, [padded, *contents(node, INPUT)[1:]], [name], without=b"pads"))
        padded = name
    return b"".join(parts)


def _twin(name: bytes, twins: Collection[bytes]) -> bytes:
    return name + _BRANCH if name in twins else name


def _copy(node: Message, inputs: Iterable[bytes], outputs: Iterable[bytes], without: bytes = b"") -> bytes:
    """Entry of a graph: the node with other inputs and outputs, and without one of its attributes."""
    rest = [
        raw
        for number, content, raw in node
        if number not in (INPUT, OUTPUT, NODE_NAME) and not (number == ATTRIBUTE and _name(content) == without)
    ]
    return field(
        NODE, b"".join([*(field(INPUT, name) for name in inputs), *(field(OUTPUT, name) for name in outputs), *rest])
    )


def _operator(node: Message) -> bytes:
    return next(content for number, content, _ in node if number == OPERATOR)


def _name(attribute: bytes) -> bytes:
    return next(content for number, content, _ in fields(attribute) if number == NAME)


def _integers(node: Message, name: bytes) -> list[int]:
    """The attribute of this name, a list; empty without one."""
    attributes = [content for content in contents(node, ATTRIBUTE) if _name(content) == name]
    return [value for attribute in attributes for value in integers(list(fields(attribute)), INTEGERS)]
