"""Files that are being written: locked meanwhile, and on the disk before they take their names."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from shamisa_cli.core.existence import is_dir


def flush(path: Path) -> None:
    """See that a file's bytes, or a folder's names, are on the disk; Windows flushes no folders and read-only files."""
    is_windows = sys.platform == "win32"
    with suppress(PermissionError) if is_windows else nullcontext():
        descriptor = os.open(path, os.O_RDWR if is_windows else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a lock on a file or folder; yields whether it was free. On Windows nothing is locked."""
    if sys.platform == "win32":
        yield False
        return
    mode = os.O_RDONLY if is_dir(path) else os.O_RDWR
    descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield try_to_lock(descriptor)
    finally:
        os.close(descriptor)


def try_to_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed, or its process ends; False if another has it, or on Windows."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class UnfinishedFile:
    """A temporary file, locked while it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._mode = 0
        self._owner: tuple[int, int] | None = None

    def create(self, replaced: os.stat_result | None) -> None:
        """Make the file, empty; at the end it has the mode and owner of the one it replaces, or those of new ones."""
        mode = 0o666 if replaced is None else 0o600
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
        try_to_lock(self._descriptor)
        self._mode = stat.S_IMODE((replaced or os.fstat(self._descriptor)).st_mode)
        self._owner = None if replaced is None else (replaced.st_uid, replaced.st_gid)

    def complete(self, *, keeps_mode: bool = False) -> None:
        """See that all of it is on the disk, and give up the lock, before it is renamed: for Windows."""
        flush(self.path)
        if self._owner is not None and sys.platform != "win32":
            user, group = self._owner
            for each in ((user, -1), (-1, group)):
                with suppress(OSError):  # root may, and others where it is theirs already
                    os.chown(self.path, *each)
        if not keeps_mode:
            self.path.chmod(self._mode)  # some libraries make a file that only its owner may read
        self.close()

    def close(self) -> None:
        """Give up the lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
