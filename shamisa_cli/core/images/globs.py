"""Paths that match a pattern (`*`, `?`, `[…]`, and `**` for any depth), as in a shell."""

# As in discovery: Path's own tests raise where a folder may be listed but not entered.
# ruff: noqa: PTH110, PTH112

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from shamisa_cli.core.images.listing import SYSTEM_FOLDERS, Walk, natural_key


def is_pattern(name: str) -> bool:
    """Whether a name has a character that stands for others."""
    return any(character in name for character in "*?[")


def matches(pattern: Path, *, visits: int = 1) -> Iterator[Path]:
    """Paths that match a pattern; `**` reads each real folder at most `visits` times, as `Walk` does.

    The standard library's `**` follows loops of links.
    """
    start = Path(pattern.anchor)
    return _matches_below(start, pattern.parts[1 if pattern.anchor else 0 :], visits)


def _matches_below(folder: Path, parts: tuple[str, ...], visits: int) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if first == "**":
        for place, _ in Walk(visits).below(folder):
            yield from _matches_below(place, rest or ("*",), visits)
    elif os.path.exists(folder / first):
        yield from _matches_below(folder / first, rest, visits)
    elif is_pattern(first):
        try:
            candidates = sorted(os.listdir(folder), key=natural_key)  # noqa: PTH208
        except OSError:
            yield folder
            return
        for name in candidates:
            hidden = (name.startswith(".") and not first.startswith(".")) or name.lower() in SYSTEM_FOLDERS
            if not hidden and fnmatch.fnmatch(name, first) and (not rest or os.path.isdir(folder / name)):
                yield from _matches_below(folder / name, rest, visits)
