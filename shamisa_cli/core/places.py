"""Where results may be written: said before the work, since a run can take hours."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_dir, may

SYSTEM_FOLDERS = (Path("/dev"), Path("/proc"))
"""Names in them stand for devices and for streams that are open, as /dev/stdout does."""
MEMORY = Path("/dev/shm")
"""A folder of files that are held in memory, for everyone."""


def require_place(target: Path) -> None:
    """Raise SettingError if this user cannot write a file of this name, or into this folder.

    What is not there yet is made with its parents; a file is replaced by another one of its name.
    """
    require_no_stream(target)
    absolute = target.absolute()
    start = absolute if is_dir(absolute) else absolute.parent
    there = next(place for place in (start, *start.parents) if os.path.lexists(place))
    if is_dir(there) and not may(there, os.W_OK | os.X_OK):
        raise SettingError(f"You may not write into {there}. Name another place for {target.name or target}.")
    if os.path.lexists(absolute) and not is_dir(absolute) and _keeps_files_of_others(absolute):
        raise SettingError(f"{target} is another user's, whose folder keeps it for them. Name another file.")


def require_no_stream(target: Path) -> None:
    """Raise SettingError if a name is one of the system's, such as /dev/stdout: a file would take its place."""
    folder = Path(os.path.realpath(target.parent))
    if any(folder.is_relative_to(each) for each in SYSTEM_FOLDERS) and not folder.is_relative_to(MEMORY):
        raise SettingError(f"{target} is no file but a device or stream of the system. Name a file.")


def _keeps_files_of_others(file: Path) -> bool:
    """Whether a file lies in a folder such as /tmp, where everyone may write but replace their own files alone."""
    if not hasattr(os, "geteuid"):
        return False
    folder, user = file.parent.stat(), os.geteuid()
    return bool(folder.st_mode & stat.S_ISVTX) and user not in (0, folder.st_uid, file.lstat().st_uid)
