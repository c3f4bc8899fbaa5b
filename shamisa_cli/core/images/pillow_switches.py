"""Switches of Pillow that change what is read, left as they are for everybody else in the process.

Any library may set `ImageFile.LOAD_TRUNCATED_IMAGES`, and data loaders do: files that are cut short then load without a
word, their rest black. Pillow's readers ask for it in many places, and other threads may need it as it is, so it cannot
be set back while a picture is read. So its value becomes one that is off in a thread that reads, whoever sets it when.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from PIL import BmpImagePlugin, ImageFile, TiffImagePlugin

_thread: threading.local = vars(ImageFile).setdefault("_shamisa_reads", threading.local())
"""Whether the thread reads; kept where the switches are, as this module may be imported anew."""


@contextmanager
def as_shipped() -> Iterator[None]:
    """Context in which the switches are off for this thread, as Pillow ships them."""
    before = getattr(_thread, "reads", False)
    _thread.reads = True
    try:
        yield
    finally:
        _thread.reads = before


class _Elsewhere:
    """The value of a switch for everybody else."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value) and not getattr(_thread, "reads", False)


def _watched(name: str) -> property:
    """The switch of a module: a plain bool for whoever asks, and never one in the module's own variables."""

    def get(module: ModuleType) -> bool:
        return bool(vars(module)[name])

    def put(module: ModuleType, value: object) -> None:
        vars(module)[name] = _Elsewhere(value)

    return property(get, put)


def _watch(module: ModuleType, name: str) -> None:
    """Let a module wrap each value of a switch (Python's data model, "Customizing module attribute access")."""
    value = getattr(module, name)
    module.__class__ = type("ModuleType", (type(module),), {name: _watched(name), "__reduce__": _by_name})
    setattr(module, name, value)


def _by_name(module: ModuleType) -> tuple[Callable[[str], Any], tuple[str]]:
    """How picklers that take plain modules by their name take this one."""
    return importlib.import_module, (module.__name__,)


_SWITCHES = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES"), (BmpImagePlugin, "USE_RAW_ALPHA"), (TiffImagePlugin, "READ_LIBTIFF"),
)  # fmt: skip
for _module, _name in _SWITCHES:
    if hasattr(_module, _name):  # releases of Pillow differ in what can be switched
        _watch(_module, _name)
