"""Types and values in words, for sentences about arguments."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, Union, get_args, get_origin

_LONGEST_VALUE = 40
MASKED = "a masked array, whose hidden values would count: fill them with .filled(…), or pass its .data"
"""What is said of an array that hides some of its values."""


def is_masked(value: object) -> bool:
    """Whether a value is an array of NumPy that hides some of its values: some functions of NumPy heed it, others not.

    NumPy need not be imported: there are such arrays only where somebody has done so.
    """
    masked = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(value, masked.MaskedArray) and bool(masked.is_masked(value))


def words_of(wanted: Any) -> str:
    """An annotation in words, such as "a whole number from 1 on"."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(map(words_of, arguments)))
        return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} or {words[-1]}"
    if origin is Annotated:
        return " ".join([words_of(arguments[0]), *map(str, wanted.__metadata__)])
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if wanted is None or wanted is type(None):
        return "None"
    if getattr(origin, "__name__", "") == "ndarray":
        return "an array"
    if getattr(origin, "__name__", "") == "Callable":
        return "a function"
    if origin is not None and issubclass(origin, Iterable) and not issubclass(origin, Mapping) and arguments:
        return f"several of ({words_of(arguments[0])})"
    plain = {
        float: "a number", int: "a whole number", str: "a text", bool: "True or False", Path: "a path",
        bytes: "bytes", BinaryIO: "a stream of bytes",
    }  # fmt: skip
    return plain.get(wanted) or _with_article(getattr(origin or wanted, "__name__", str(wanted)))


def is_open_file(value: Any) -> bool:
    """Whether lines could be read from a value: files of any kind, also temporary and compressed ones."""
    return hasattr(value, "readline") and not isinstance(value, type)


def column_as_list(value: Any) -> Any:
    """A list of what a column of a table holds, or an array of texts or objects; other values as they are."""
    if getattr(value, "ndim", 1) != 1 or isinstance(value, list | tuple | type):
        return value
    if getattr(getattr(value, "dtype", None), "kind", "") in ("O", "U"):  # of NumPy and pandas
        return value.tolist()
    for values in ("to_pylist", "to_list"):  # of pyarrow and polars
        if hasattr(value, values) and hasattr(value, "__len__"):
            return getattr(value, values)()
    return value


def described(value: Any) -> str:
    """A value in words: short ones as they are, others by their type."""
    kind = type(value).__name__
    if is_masked(value):
        return MASKED
    if is_open_file(value):
        return "an open file (in place of its path, or of file.read())"
    if value is None or value is True or value is False:
        return repr(value)
    if not isinstance(value, str | bytes | int | float):
        return f"an object of type {kind}"
    if isinstance(value, str) and "\0" in value:
        kind = f"{kind} with a zero byte"
    text = repr(value)
    return f"{text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '…'} ({kind})"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOUaeiou' else 'a'} {noun}"
