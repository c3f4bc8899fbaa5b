"""Discovery of image files from files, folders and patterns."""

# Path's own tests for files and folders raise where a folder may be listed but not entered; os.path's never do.
# ruff: noqa: PTH110, PTH112, PTH113

from __future__ import annotations

import codecs
import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from shamisa_cli.core.errors import InputNotFoundError

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif", ".hif")
)
"""Files in folders with these suffixes (in upper or lower case) are taken for images."""


def discover(inputs: Sequence[str | Path], *, recursive: bool = True) -> list[Path]:
    """Find the files that are named, in the order they were named, each real file once.

    - A file is kept whatever its suffix; decoding it will report any error.
    - A folder stands for its files with a suffix of `IMAGE_SUFFIXES`, and with `recursive` those of its
      subfolders after them, in natural order ("img2" before "img10"). Hidden files and folders (names
      that start with a dot) are left out. Links to folders are followed, each real folder once, so
      loops end. A subfolder that may not be listed is left out; the rest is still found.
    - A pattern (`*`, `?`, `[…]`, and `**` for any depth) stands for its matches, as in a shell. A file or
      folder whose name is the pattern itself takes precedence.

    Raises:
        InputNotFoundError: something named does not exist, a pattern matches nothing, a folder or the
            folders a pattern matches hold no picture, or nothing was named at all.
    """
    found: dict[str, Path] = {}
    for named in inputs:
        for path in _named(os.fspath(named), recursive):
            found.setdefault(os.path.realpath(path), path)
    if not found:
        raise InputNotFoundError("No input was named; give at least one picture, folder or pattern.")
    return list(found.values())


def read_list(stream: BinaryIO) -> list[str]:
    """Read the names in a list: NUL separated if it contains a NUL, else one per line.

    Empty entries are left out; bytes that are not text in the file system's encoding are kept the way
    `os.fsdecode` does, so that every file name can be listed.
    """
    data = stream.read().removeprefix(codecs.BOM_UTF8)
    names = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(name) for name in names if name]


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sorting key under which runs of digits compare as numbers, and letters without regard to case."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [int(piece) if position % 2 else piece for position, piece in enumerate(pieces)], name


def _named(name: str, recursive: bool) -> list[Path]:
    if os.path.isdir(name):
        paths = list(_pictures_in(Path(name), recursive))
        nothing = (
            f"No picture was found in the folder {name}: it has none"
            f"{'' if recursive else ' itself (its subfolders were left out)'}, or may not be listed."
        )
    elif os.path.exists(name):
        return [Path(name)]
    elif _is_pattern(name):
        paths = [path for match in _matches(Path(name)) for path in _expanded(match, recursive)]
        nothing = f"The pattern {name} matches no file, and no folder with a picture in it."
    else:
        paths = []
        nothing = f"{name!r} does not exist, or may not be reached. Check the spelling and the folder."
    if not paths:
        raise InputNotFoundError(nothing)
    return paths


def _expanded(match: Path, recursive: bool) -> list[Path]:
    if os.path.isdir(match):
        return list(_pictures_in(match, recursive))
    return [match] if os.path.exists(match) else []  # a link may lead nowhere


def _pictures_in(folder: Path, recursive: bool) -> Iterator[Path]:
    for place in _folders(folder) if recursive else [folder]:
        for path in _visible(place):
            if path.suffix.lower() in IMAGE_SUFFIXES and os.path.isfile(path):
                yield path


def _folders(root: Path) -> Iterator[Path]:
    """The folder and all below it, each real folder once, parents first."""
    visited: set[str] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in visited:
            continue
        visited.add(real)
        yield folder
        waiting.extend(path for path in reversed(_visible(folder)) if os.path.isdir(path))


def _visible(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if not path.name.startswith(".")]


def _entries(folder: Path) -> list[Path]:
    """Entries of a folder in natural order; none if it may not be listed."""
    try:
        return sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    except OSError:
        return []


def _matches(pattern: Path) -> Iterator[Path]:
    """Paths that match a pattern. The standard library's `**` follows loops of links; `_folders` does not."""
    start = Path(pattern.anchor)
    return _matches_below(start, pattern.parts[1 if pattern.anchor else 0 :])


def _matches_below(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if first == "**":
        for place in _folders(folder):
            yield from _matches_below(place, rest or ("*",))
    elif os.path.exists(folder / first):
        yield from _matches_below(folder / first, rest)
    elif _is_pattern(first):
        candidates = _entries(folder) if first.startswith(".") else _visible(folder)
        for path in candidates:
            if fnmatch.fnmatch(path.name, first) and (not rest or os.path.isdir(path)):
                yield from _matches_below(path, rest)


def _is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")
