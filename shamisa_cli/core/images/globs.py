"""Paths that match a pattern (`*`, `?`, `[…]`, and `**` for any depth), as in a shell."""

# As in discovery: Path's own tests raise where a folder may be listed but not entered.
# ruff: noqa: PTH110, PTH112

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from shamisa_cli.core.images.listing import SYSTEM_FOLDERS, Walk, natural_key


def is_pattern(name: str) -> bool:
    """Whether a name has a character that stands for others."""
    return any(character in name for character in "*?[")


def matches(pattern: Path, *, visits: int = 1) -> Iterator[Path]:
    """Paths that match a pattern; each `**` reads each real folder at most `visits` times by names with links.

    The standard library's `**` follows loops of links.
    """
    start = Path(pattern.anchor)
    parts = pattern.parts[1 if pattern.anchor else 0 :]
    # One walk for all folders that an earlier part matches, so that links among them do not multiply.
    walks = {place: Walk(visits) for place, part in enumerate(parts) if part == "**"}
    return _matches_below(start, parts, 0, walks)


def _matches_below(folder: Path, parts: tuple[str, ...], place: int, walks: Mapping[int, Walk]) -> Iterator[Path]:
    if place == len(parts):
        yield folder
        return
    first, following = parts[place], place + 1
    if first == "**":
        ending = parts if following < len(parts) else (*parts, "*")
        for below, _, _ in walks[place].below(folder):
            yield from _matches_below(below, ending, following, walks)
    elif os.path.exists(folder / first):
        yield from _matches_below(folder / first, parts, following, walks)
    elif is_pattern(first):
        try:
            candidates = sorted(os.listdir(folder), key=natural_key)  # noqa: PTH208
        except OSError:
            yield folder
            return
        for name in candidates:
            hidden = (name.startswith(".") and not first.startswith(".")) or name.lower() in SYSTEM_FOLDERS
            if (
                not hidden
                and fnmatch.fnmatch(name, first)
                and (following == len(parts) or os.path.isdir(folder / name))
            ):
                yield from _matches_below(folder / name, parts, following, walks)
