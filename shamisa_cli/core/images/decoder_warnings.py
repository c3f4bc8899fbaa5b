"""Pillow's warnings about one picture, which would otherwise come once for all of them, on stderr, without a name.

The filters of warnings belong to the whole process, and others rely on them: a warning of Pillow that is an error tells
some that a file is damaged. So filters stay as they are, and Pillow's modules get a `warnings` of their own, which
keeps what is said in a thread that reads a picture here and passes on everything else.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import ImageFile

MOST = 3
"""Warnings that are kept of one picture."""
_LONGEST = 120
_READERS = ("PIL.", "pillow_heif.", "pillow_jxl.")

_thread: threading.local = vars(ImageFile).setdefault("_shamisa_phrases", threading.local())
"""What is kept; where Pillow's modules are, as this module may be imported anew."""


@contextmanager
def collected() -> Iterator[list[str]]:
    """Context that yields a list, to which this thread's warnings of Pillow are added as phrases, each once."""
    watch_readers()
    before = getattr(_thread, "phrases", None)
    phrases: list[str] = []
    _thread.phrases = phrases
    try:
        yield phrases
    finally:
        _thread.phrases = before


def watch_readers() -> None:
    """Give the modules of Pillow that have been imported a `warnings` of their own."""
    for name in list(sys.modules):
        if name.startswith(_READERS) and (module := sys.modules.get(name)) is not None:
            names = vars(module)
            if names.get("warnings") is warnings:
                names["warnings"] = _WARNINGS
            if names.get("warn") is warnings.warn:
                names["warn"] = _WARNINGS.warn


class _ReadersWarnings:
    """The module `warnings` for modules that read pictures."""

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    @staticmethod
    def warn(
        message: Warning | str, category: type[Warning] | None = None, stacklevel: int = 1, *more: Any, **options: Any
    ) -> None:
        """Keep a warning about a picture that is being read here; pass on any other as if this were not between."""
        phrases = getattr(_thread, "phrases", None)
        kind = type(message) if isinstance(message, Warning) else category or UserWarning
        if phrases is None or not issubclass(kind, UserWarning):
            warnings.warn(message, category, stacklevel + 1, *more, **options)
            return
        phrase = f"has parts that its decoder could not use ({_shortened(str(message))})"
        if len(phrases) < MOST and phrase not in phrases:
            phrases.append(phrase)


_WARNINGS = _ReadersWarnings()


def _shortened(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
