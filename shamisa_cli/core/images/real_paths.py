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
        return os.path.join(self.of_folder(path.parent), path.name)  # noqa: PTH118

    def of_folder(self, folder: Path) -> str:
        """The path of a folder without links."""
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder]
