"""Arguments of the public functions, checked against their annotations in one place.

A wrong type is refused by a sentence that says what to pass. A text is taken for a path where one is expected, a path
for a text, one path where several are expected, a column of a table for a list of what it holds, and numbers of other
libraries for Python's own.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path, PurePath
from typing import IO, Annotated, Any, BinaryIO, Literal, TextIO, TypeVar, Union, get_args, get_origin, is_typeddict

from shamisa_cli.core.argument_words import column_as_list, described, is_masked, is_open_file, words_of
from shamisa_cli.core.errors import SettingError

_UNKNOWN: Any = object()
_ONE = (str, bytes, os.PathLike)
"""Single things, although texts and bytes are iterable."""
_BEYOND_64_BITS = 2**63
_Function = TypeVar("_Function", bound=Callable[..., Any])


class AtLeast:
    """The least value of an annotated number, and the largest."""

    def __init__(self, least: float, most: float = math.inf) -> None:
        self.least, self.most = least, most

    def __str__(self) -> str:
        return f"from {self.least:g} on" if self.most == math.inf else f"from {self.least:g} to {self.most:g}"


PositiveInt = Annotated[int, AtLeast(1)]
"""A whole number from 1 on."""
Count = Annotated[int, AtLeast(0)]
"""A whole number from 0 on."""
Share = Annotated[float, AtLeast(0, most=1)]
"""A number from 0 to 1."""
SEED = "seed"
LARGEST_SEED = 2**32 - 1
"""The largest that the random generators of NumPy, scikit-learn and PyTorch all take."""


def require_seed(seed: int) -> None:
    """Raise SettingError for a seed that some random generators do not take."""
    if not 0 <= seed <= LARGEST_SEED:
        raise SettingError(f"The seed is {seed}; it takes a whole number from 0 to {LARGEST_SEED}.")


class _RefusedError(Exception):
    """A value is not of a type: an argument, or its item at these places or keys, outermost first."""

    def __init__(self, value: Any, items: tuple[object, ...] = ()) -> None:
        super().__init__()
        self.value, self.items = value, items


def checked(function: _Function, name: str, public: Callable[[str], Any]) -> _Function:
    """The function, which refuses arguments that do not fit its annotations.

    Args:
        function: with annotations as texts, as after `from __future__ import annotations`.
        name: for messages.
        public: gives a public name that an annotation mentions and the function's module does not import; raises
            AttributeError for others, which are not checked.

    The result raises SettingError for a value of a wrong type, NaN, a number below its least, and a seed out of range.
    """
    signature = inspect.signature(function)
    names = _Names(inspect.unwrap(function).__globals__, public)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        for key, value in given.arguments.items():
            parameter = signature.parameters[key]
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or key == "self":
                continue
            given.arguments[key] = _accepted(name, parameter, names, value)
            if key == SEED and isinstance(value, int):
                require_seed(value)
        return function(*given.args, **given.kwargs)

    return call  # type: ignore[return-value]


def check_fields(record: Any) -> None:
    """Check and convert the fields of a frozen dataclass as `checked` does arguments, in its `__post_init__`."""
    kind = type(record)
    names = vars(sys.modules[kind.__module__])
    for parameter in inspect.signature(kind).parameters.values():
        value = _accepted(kind.__name__, parameter, names, getattr(record, parameter.name))
        object.__setattr__(record, parameter.name, value)


class _Names(Mapping[str, Any]):
    """The names of a module, and public ones that it imports for type checkers alone."""

    def __init__(self, own: Mapping[str, Any], public: Callable[[str], Any]) -> None:
        self._own, self._public = own, public

    def __getitem__(self, name: str) -> Any:
        if name in self._own:
            return self._own[name]
        try:
            return self._public(name)
        except AttributeError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


def _accepted(name: str, parameter: inspect.Parameter, names: Mapping[str, Any], value: Any) -> Any:
    """The value, converted where its annotation wants so. Raises SettingError."""
    try:
        annotation = eval(parameter.annotation, {}, names)
    except NameError:
        return value
    try:
        return _fitted(value, annotation)
    except _RefusedError as error:
        default = "" if parameter.default is parameter.empty else ", or leave it out"
        item = "".join(f"[{place!r}]" for place in error.items)
        value = described(error.value)
        given = f"{parameter.name}{item} is {value}" if item else f"{value} was given"
        raise SettingError(f"{name}: {parameter.name} must be {words_of(annotation)}{default}; {given}.") from None


def _fitted(value: Any, wanted: Any) -> Any:
    """The value if it is of a type, a path or text that was converted, or a list of one. Raises _RefusedError."""
    value = column_as_list(value)
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted in (Any, inspect.Parameter.empty) or isinstance(wanted, TypeVar):
        return value
    if origin in (Union, types.UnionType):
        return _one_of(value, arguments)
    if origin is Annotated:
        return _at_least(_fitted(value, arguments[0]), wanted.__metadata__)
    if origin is Literal:
        return _kept(value, any(type(value) is type(each) and value == each for each in arguments))
    if origin is not None and isinstance(origin, type):
        return _container(value, origin, arguments)
    return _plain(value, wanted)


def _one_of(value: Any, kinds: tuple[Any, ...]) -> Any:
    if any(isinstance(value, kind) for kind in kinds if _is_plain_class(kind)):  # before it is converted
        return _fitted(value, next(kind for kind in kinds if _is_plain_class(kind) and isinstance(value, kind)))
    refused = []
    for kind in kinds:
        try:
            return _fitted(value, kind)
        except _RefusedError as error:
            refused.append(error)
    raise max(refused, key=lambda error: len(error.items))


def _container(value: Any, kind: type, arguments: tuple[Any, ...]) -> Any:
    if kind in (Callable, type(Callable)) or kind.__name__ == "Callable":
        return _kept(value, callable(value))
    if issubclass(kind, Mapping) and isinstance(value, kind) and arguments:
        return {key: _item(each, key, arguments[1]) for key, each in value.items()}
    if is_masked(value):
        raise _RefusedError(value)
    if kind.__name__ == "ndarray":
        return _kept(value, isinstance(value, kind)).view(kind)  # of a subclass its values alone
    if not issubclass(kind, Iterable) or issubclass(kind, Mapping):
        return _kept(value, isinstance(value, kind))
    if isinstance(value, _ONE) and kind is not tuple:
        value = [value]
    if isinstance(value, list) and kind is tuple and arguments[1:] == (...,):
        value = tuple(value)
    no_items = is_open_file(value) or hasattr(value, "columns")  # lines, names of columns
    if not isinstance(value, kind) or no_items or getattr(value, "ndim", 1) == 0:
        raise _RefusedError(value)
    inner = arguments[0] if arguments else Any
    if isinstance(value, tuple) and kind is tuple and arguments[1:] != (...,):
        return _kept(value, len(value) == len(arguments)) and tuple(map(_fitted, value, arguments))
    if isinstance(value, Mapping):
        raise _RefusedError(value)
    if not isinstance(value, Collection):
        return value  # a generator is not run ahead
    if inner in (Path, str) and all(isinstance(each, inner) and "\0" not in str(each) for each in value):
        return tuple(value) if kind is tuple else list(value)
    fitted = [_item(each, place, inner) for place, each in enumerate(value)]
    return tuple(fitted) if kind is tuple else fitted


def _item(value: Any, place: object, wanted: Any) -> Any:
    try:
        return _fitted(value, wanted)
    except _RefusedError as error:
        raise _RefusedError(error.value, (place, *error.items)) from None


def _plain(value: Any, wanted: Any) -> Any:
    if wanted is None or wanted is type(None):
        return _kept(value, value is None)
    if wanted is float:
        number = _kept(value, _is_number(value, Real) and _is_double(value))
        return number if type(number) in (int, float) else float(number)
    if wanted is int:
        return int(_kept(value, _is_number(value, Integral) and abs(value) < _BEYOND_64_BITS))
    if wanted in (Path, str):
        foreign = isinstance(value, PurePath) and not isinstance(value, Path)  # such as PureWindowsPath elsewhere
        text = value.as_posix() if foreign else os.fspath(value) if isinstance(value, os.PathLike) else value
        _kept(text, isinstance(text, str) and "\0" not in text)
        return Path(text) if wanted is Path else text
    if wanted in (BinaryIO, TextIO, IO):
        return _kept(value, hasattr(value, "read") or hasattr(value, "write"))
    if not isinstance(wanted, type) or is_typeddict(wanted):
        return value
    if _is_protocol(wanted):
        return _kept(value, _has_members(value, wanted))
    if wanted is bool:
        return bool(_kept(value, type(value).__name__ in ("bool", "bool_")))
    return _kept(value, isinstance(value, wanted))


def _at_least(value: Any, limits: tuple[Any, ...]) -> Any:
    return _kept(value, all(limit.least <= value <= limit.most for limit in limits if isinstance(limit, AtLeast)))


def _kept(value: Any, fits: bool) -> Any:
    if not fits:
        raise _RefusedError(value)
    return value


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and type(value).__name__ not in ("bool", "bool_")


def _is_double(value: Any) -> bool:
    try:
        return not math.isnan(float(value))
    except OverflowError:
        return False


def _is_plain_class(wanted: Any) -> bool:
    """Whether values of a type are told by `isinstance` alone."""
    if not isinstance(wanted, type) or get_origin(wanted) is not None:
        return False
    return wanted not in (float, int, bool) and not _is_protocol(wanted)


def _is_protocol(wanted: type) -> bool:
    return bool(getattr(wanted, "_is_protocol", False))


def _has_members(value: Any, protocol: type) -> bool:
    if "__call__" in vars(protocol):
        return callable(value)
    members = {name for name in (*vars(protocol), *vars(protocol).get("__annotations__", ())) if name[0] != "_"}
    return not isinstance(value, type) and all(hasattr(value, name) for name in members)
