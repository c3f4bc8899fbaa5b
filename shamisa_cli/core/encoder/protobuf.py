"""Protobuf messages, read and written without a library: what ONNX models are made of (does not import torch)."""

from __future__ import annotations

from collections.abc import Iterator

Message = list[tuple[int, bytes, bytes]]
"""Number, content and whole of each field."""


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message with a length: its number and wire type 2, the length, the content."""
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2]) + bytes(length) + content


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
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


def contents(message: Message, number: int) -> list[bytes]:
    """The contents of the fields of a number."""
    return [content for of_field, content, _ in message if of_field == number]


def integers(message: Message, wanted: int) -> list[int]:
    """The list in a field, whose entries are fields of their own or packed into one."""
    found: list[int] = []
    for number, content, raw in message:
        if number == wanted:
            values = content if content else raw[1:]
            position = 0
            while position < len(values):
                value, position = _varint(values, position)
                found.append(value)
    return found


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value, shift, position = value | (byte & 127) << shift, shift + 7, position + 1
        if byte < 128:
            return value, position
