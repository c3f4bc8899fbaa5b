"""Paths of files without links, with few calls of the system."""

from __future__ import annotations

import os
from pathlib import Path


class RealPaths:
    """Finds the real paths of many files; that of each folder once."""

    def __init__(self) -> None:
        self._folders: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """The path of a file without links."""
        if os.path.islink(path):  # noqa: PTH114  Path's raises where a folder may not be entered
            return os.path.realpath(path)
        return os.path.join(self._of_folder(path.parent), path.name)  # noqa: PTH118

    def _of_folder(self, folder: Path) -> str:
        """The path of a folder without links; from that of the folder above, as a system finds each from the root."""
        plain: list[Path] = []
        while folder not in self._folders:
            if folder.name in ("", "..") or os.path.islink(folder):  # noqa: PTH114
                self._folders[folder] = os.path.realpath(folder)
                break
            plain.append(folder)
            folder = folder.parent
        real = self._folders[folder]
        for below in reversed(plain):
            real = self._folders[below] = os.path.join(real, below.name)  # noqa: PTH118
        return real


def ownness(path: str | Path, real: str) -> int:
    """2 for the name without links; 1 for one in a folder that links lead to; 0 for a link to the file."""
    return 2 if os.path.abspath(path) == real else int(not os.path.islink(path))  # noqa: PTH100, PTH114
