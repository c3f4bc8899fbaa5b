"""Files that are either complete or absent, even if the program is interrupted or the disk is full."""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

if sys.platform != "win32":
    import fcntl

TEMPORARY = ".shamisa-"
"""Beginning of the names of files that are being written; what a killed run left is known by it."""
_LEFT_OVER = re.compile(re.escape(TEMPORARY) + r"[0-9a-f]{12}(\.[^.]*)?")
_LONGEST_SUFFIX = 16
_FOREIGN_ERROR = re.compile(r"(?:os error |errno )(\d+)")
"""The number in errors of the system that safetensors and Arrow pass on as text."""


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its name when the block ends without an error.

    The parent folder is created. On an error, or Ctrl-C, the temporary file is removed and `target` is
    left as it was; what a killed run left in the folder is removed by the next one that writes there. The temporary
    name keeps the suffix of `target`, since libraries choose a format by it.

    Raises:
        OSError: it cannot be written; `filename` is `target`.
    """
    with naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(target.parent.absolute())
        suffix = target.suffix if len(target.suffix) <= _LONGEST_SUFFIX else ""
        temporary = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}{suffix}")
        lock = None
        try:  # from before the file is there, since Ctrl-C may come at once
            lock = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
            _try_to_lock(lock)
            mode = os.fstat(lock).st_mode
            yield temporary
            temporary.chmod(mode)  # some libraries make a file that only its owner may read
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            os.close(lock)  # before it is renamed, for Windows
            lock = None
            temporary.replace(target)
        except OSError as error:
            if error.filename == str(temporary):
                error.filename, error.filename2 = str(target), None
            raise
        finally:
            if lock is not None:
                os.close(lock)
            temporary.unlink(missing_ok=True)


@contextmanager
def naming(target: Path | str) -> Iterator[None]:
    """Give an error of the system that names no file, such as a full disk, the name of what was written."""
    try:
        yield
    except Exception as error:
        if getattr(error, "filename", None) is None and (number := _error_number(error)):
            raise OSError(number, os.strerror(number), str(target)) from error
        raise


def _error_number(error: Exception) -> int | None:
    from safetensors import SafetensorError

    if isinstance(error, OSError) and error.errno:
        return error.errno
    said = _FOREIGN_ERROR.search(str(error)) if isinstance(error, OSError | SafetensorError) else None
    return None if said is None else int(said[1])


def is_free(folder: Path) -> bool:
    """Whether a folder is empty, but for what killed runs left."""
    return all(_LEFT_OVER.fullmatch(path.name) for path in folder.iterdir())


@cache
def _remove_left_over(folder: Path) -> None:
    """Remove temporary files of runs that were killed; once for each folder. Those that are being written stay."""
    with suppress(OSError):
        for path in [Path(entry) for entry in os.scandir(folder) if _LEFT_OVER.fullmatch(entry.name)]:
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
                try:
                    if _try_to_lock(descriptor):
                        path.unlink(missing_ok=True)
                finally:
                    os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed, or its process ends; False if another has it, or on Windows."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
