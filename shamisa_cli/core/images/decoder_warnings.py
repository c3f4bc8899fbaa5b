"""Pillow's warnings about one picture, which would otherwise come once for all of them, on stderr, without a name."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

MOST = 3
"""Warnings that are kept of one picture."""
_LONGEST = 120
_PILLOW = r"(PIL|pillow_heif|pillow_jxl)(\..*)?"

_thread = threading.local()
_installing = threading.Lock()


@contextmanager
def collected() -> Iterator[list[str]]:
    """Context that yields a list, to which this thread's warnings of Pillow are added as phrases, each once."""
    _install()
    before = getattr(_thread, "phrases", None)
    phrases: list[str] = []
    _thread.phrases = phrases
    try:
        yield phrases
    finally:
        _thread.phrases = before


def _install() -> None:
    """Let every warning come, whatever filters others have set, and go to the thread's list where there is one."""
    with _installing:
        if not getattr(warnings.showwarning, "collects", False):
            _collect()
        if not _is_let_through(warnings.filters[0] if warnings.filters else ()):
            warnings.filterwarnings("always", category=UserWarning, module=_PILLOW)


def _is_let_through(first: Sequence[object]) -> bool:
    """Whether the filter that is asked first is this module's."""
    return bool(first) and first[0] == "always" and getattr(first[3], "pattern", None) == _PILLOW


def _collect() -> None:
    otherwise = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        phrases = getattr(_thread, "phrases", None)
        if phrases is None:
            otherwise(message, category, filename, lineno, file, line)
            return
        phrase = f"has parts that its decoder could not use ({_shortened(str(message))})"
        if len(phrases) < MOST and phrase not in phrases:
            phrases.append(phrase)

    show.collects = True  # type: ignore[attr-defined]
    warnings.showwarning = show


def _shortened(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
