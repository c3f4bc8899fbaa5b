"""Whose a file is: a settings file of another user is not obeyed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

from shamisa_cli.core.existence import exists, may
from shamisa_cli.core.home import expanded

PROJECT_ROOT = ".git"
"""Name in the root of a project; files in folders above it are ignored."""
ROOT_USER = 0
ANYWHERE = "*"


def folders_to_search(start: Path, safe: Iterable[str] = ()) -> Iterator[Path]:
    """`start` and the folders above it, up to the one with .git; without one, up to the first that is another user's.

    The last folder may be another user's: `is_own` tells which of its files count. One that may not be entered ends the
    search too: nobody knows whether it is the project's root.
    """
    above = [start, *start.parents]
    for number, folder in enumerate(above, start=1):
        if exists(folder / PROJECT_ROOT) or not may(folder, os.X_OK):
            return iter(above[:number])
    own = list(takewhile(lambda folder: is_own(folder, safe), above))
    return iter(above[: len(own) + 1])


def is_own(path: Path, safe: Iterable[str] = ()) -> bool:
    """Whether a file or folder, and what a link leads to, is this user's or root's; everything is on Windows.

    Where this user may not look, it is not. Raises FileNotFoundError if nothing is there.

    Args:
        path: an absolute path.
        safe: folders in which files of all users are obeyed, with all folders in them; "*" is every folder.
    """
    if not hasattr(os, "geteuid"):
        return True
    if any(place == ANYWHERE or path.is_relative_to(expanded(place).absolute()) for place in safe if place):
        return True
    try:
        owners = {path.lstat().st_uid, path.stat().st_uid}
    except PermissionError:
        return False
    return owners <= {os.geteuid(), ROOT_USER}


def owns_link(path: Path) -> bool:
    """Whether a link itself, wherever it leads, is this user's or root's; every one is on Windows."""
    return not hasattr(os, "geteuid") or path.lstat().st_uid in {os.geteuid(), ROOT_USER}
