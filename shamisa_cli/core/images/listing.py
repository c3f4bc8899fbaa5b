"""Entries of folders, in the order a person counts, with few calls of the system."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

_DIGITS = re.compile(r"(\d+)")
_ONE_DIGIT = str.maketrans("123456789", "000000000")
SYSTEM_FOLDERS = frozenset((
    "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found",
    "__macosx", "found.000", "thumbnails.lrdata", "previews.lrdata",
))  # fmt: skip
"""Folders, in lower case, that drives and systems fill with thumbnails and deleted files; read only where named."""
CHAINED = 8
"""Names of a folder up to which chains of links are followed."""
_Place = tuple[Path, str, frozenset[str], int]
"""A folder, its real path, the real folders above it on the way to it, and the number of links that were followed."""
Listed = tuple[Path, str, list[os.DirEntry[str]] | None]
"""A folder, its real path, and what it holds that is not hidden; None if it may not be listed."""


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sorting key under which runs of digits compare as numbers, and letters without regard to case."""
    pieces: list[str | int] = list(_DIGITS.split(name.casefold()))
    pieces[1::2] = map(int, pieces[1::2])
    return pieces, name


@dataclass
class Walk:
    """A walk through folders, which reads each real folder by its own name, and otherwise a few times at most.

    Attributes:
        visits: how often a real folder is read by names with links, less the times that it was read before.
        visited: real folder → how often it was read.
        passed_over: number of links that were not followed, as their folders were read below an earlier root.
    """

    visits: int = 1
    visited: Counter[str] = field(default_factory=Counter)
    passed_over: int = 0

    def below(self, root: Path, *, deep: bool = True) -> Iterator[Listed]:
        """The folder and, if `deep`, all below it in natural order, parents first; none within itself.

        Links are followed once all is read by its own name, nearer ones first, and links behind links only to what was
        read less than `CHAINED` times by then: chains of links multiply, and a system follows some 40 of them.
        """
        waiting: list[_Place] = [(root, os.path.realpath(root), frozenset(), 0)]
        links: deque[_Place] = deque()
        read: set[str] = set()
        while waiting or links:
            folder, real, above, followed = waiting.pop() if waiting else links.popleft()
            if real in above:
                continue
            if followed and self.visited[real] >= (self.visits if followed == 1 else min(self.visits, CHAINED)):
                self.passed_over += real not in read
                continue
            self.visited[real] += 1
            read.add(real)
            entries = _visible_entries(folder)
            yield folder, real, entries
            if deep and entries is not None:
                own: list[_Place] = []
                for entry in naturally_sorted(filter(_is_folder, entries)):
                    is_link = entry.is_symlink()
                    # A system walks through all folders above to find a real path: where they are deep, only for links.
                    below = os.path.realpath(entry.path) if is_link else os.path.join(real, entry.name)  # noqa: PTH118
                    place = (folder / entry.name, below, above | {real}, followed + is_link)
                    (links if is_link else own).append(place)
                waiting.extend(reversed(own))


def _visible_entries(folder: Path) -> list[os.DirEntry[str]] | None:
    """Entries of a folder that are not hidden; None if it may not be listed."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return None


def naturally_sorted(entries: Iterable[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    """Entries of a folder in natural order of their names."""
    found = list(entries)
    shapes = set("/".join(entry.name for entry in found).translate(_ONE_DIGIT).split("/"))
    if len(shapes) == 1:  # digits stand at the same places, as in the names of a camera, so text compares as numbers do
        return sorted(found, key=attrgetter("name"))
    return sorted(found, key=lambda entry: natural_key(entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder of the user's."""
    try:
        return entry.is_dir() and entry.name.lower() not in SYSTEM_FOLDERS
    except OSError:
        return False


def is_passed_over(name: str) -> bool:
    """Whether a folder or file of this name is hidden, or a system's own."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def suffix_of(name: str) -> str:
    """The suffix of a name that does not begin with a dot, such as ".jpg"; empty if it has none."""
    return name[name.rindex(".") :] if "." in name else ""
