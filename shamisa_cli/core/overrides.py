"""Frozen dataclasses as settings: changes by nested mappings with checked keys and types, and differences."""

from __future__ import annotations

import reprlib
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from shamisa_cli.core.errors import SettingError

Record = TypeVar("Record")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100


def shown(value: object) -> str:
    """A value of a settings file as text for messages; deep or long ones are shortened."""
    return _SHORT.repr(value)


def with_overrides(record: Record, changes: Mapping[str, Any], *, where: str = "") -> Record:
    """Copy a dataclass with some fields changed; a mapping changes the fields of a nested dataclass.

    Args:
        record: any frozen dataclass.
        changes: field name → value as TOML or JSON gives it (lists stand for tuples).
        where: prefix of field names in errors, such as "batch.".

    Raises:
        SettingError: a field is unknown (with the nearest name that is known) or a value has the wrong type.
    """
    hints = get_type_hints(type(record))
    values: dict[str, Any] = {}
    for name, value in changes.items():
        _require_known(name, hints, where)
        values[name] = _field_value(getattr(record, name), value, hints[name], where + name)
    return replace(record, **values)  # type: ignore[type-var]


def differences(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    """Differences of two records of one dataclass: dotted field name → (value before, value after), in order.

    A field that only one of them has (in an optional nested record) is None in the other.
    """
    old, new = dict(_leaves(asdict(before))), dict(_leaves(asdict(after)))
    return {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}


def _leaves(values: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{where}{name}.")
        else:
            yield where + name, value


def _require_known(name: object, known: Mapping[str, Any], where: str) -> None:
    """Raise SettingError for what is not the name of a setting, in Python of any type."""
    if not isinstance(name, str) or name not in known:
        raise SettingError(f"There is no setting {f'{where}{name}'!r}{_suggestion(str(name), known, where)}")


def _suggestion(name: str, known: Mapping[str, Any], where: str) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {where + close[0]!r}?"
    return f". Known are {', '.join(where + other for other in known)}."


def _field_value(current: Any, value: Any, hint: Any, name: str) -> Any:
    nested = [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and is_dataclass(kind)]
    if nested and isinstance(value, Mapping):
        return with_overrides(nested[0]() if current is None else current, value, where=f"{name}.")
    if isinstance(current, Mapping) and isinstance(value, Mapping):
        return {**current, **_checked_entries(value, current, get_args(hint)[1], f"{name}.")}
    return _checked(value, hint, name)


def _checked_entries(changes: Mapping[str, Any], known: Mapping[str, Any], hint: Any, where: str) -> dict[str, Any]:
    for name in changes:
        _require_known(name, known, where)
    return {name: _checked(value, hint, where + name) for name, value in changes.items()}


def _checked(value: Any, hint: Any, name: str) -> Any:
    """Convert `value` to the type `hint`: None, bool, int, float, str, Literal, tuple, dataclass or a union of them."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _checked_union(value, arguments, name)
    if origin is Literal:
        if value not in arguments:
            raise SettingError(f"{name} is {shown(value)}; it can be {', '.join(map(repr, arguments))}.")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            raise SettingError(f"{name} has {len(value)} values; it takes {len(kinds)}.")
        return tuple(_checked(item, kind, name) for item, kind in zip(value, kinds, strict=True))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and is_number and abs(value) <= sys.float_info.max:
        return float(value)
    plain = isinstance(hint, type) and hint is not float and isinstance(value, hint)
    if plain and not (hint is int and isinstance(value, bool)):
        return value
    raise SettingError(f"{name} is {shown(value)}; it should be {_in_words(hint)}.")


def _checked_union(value: Any, kinds: tuple[Any, ...], name: str) -> Any:
    for kind in kinds:
        try:
            return _checked(value, kind, name)
        except SettingError:
            continue
    raise SettingError(f"{name} is {shown(value)}; it should be {' or '.join(map(_in_words, kinds))}.")


def _in_words(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"a list, each item {_in_words(get_args(hint)[0])}"
    if is_dataclass(hint):
        return f"a table with {', '.join(field.name for field in fields(hint))}"
    words = {int: "a whole number", float: "a finite number", str: "text", bool: "true or false", type(None): "null"}
    return words.get(hint, str(hint))
