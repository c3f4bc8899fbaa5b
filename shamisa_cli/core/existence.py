"""Whether something lies at a path: no where nobody can look, as in a folder that may not be entered.

`Path.exists` and its siblings raise an OSError there, and for a name that is too long, so that one name ends a run.
Where the difference matters, open the file: the error then says what is wrong.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


def exists(path: str | Path) -> bool:
    """Whether a path leads to something."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: str | Path) -> bool:
    """Whether a path leads to a regular file."""
    return os.path.isfile(path)  # noqa: PTH113


def is_dir(path: str | Path) -> bool:
    """Whether a path leads to a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def is_link(path: str | Path) -> bool:
    """Whether a path is a symbolic link, wherever it leads."""
    return os.path.islink(path)  # noqa: PTH114


def is_gone(path: Path) -> bool:
    """Whether it is certain that nothing is at a path, not even a link; not so where nobody can look."""
    try:
        path.lstat()
    except ValueError:  # a name that no file has
        return True
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
    return False


def may(path: Path, access: int) -> bool:
    """Whether this user may use what a path leads to, in all ways of `access`: os.R_OK, os.W_OK and os.X_OK."""
    return os.access(path, access, effective_ids=os.access in os.supports_effective_ids)


def closed_on_the_way(path: Path) -> str:
    """A sentence about the first folder on the way to a path, or at it, that this user may not enter; "" if none is."""
    try:
        whole = path.absolute()
    except OSError:  # the current folder was removed
        return ""
    closed = (folder for folder in (*reversed(whole.parents), whole) if is_dir(folder) and not may(folder, os.X_OK))
    return next((f" You may not look into {folder}." for folder in closed), "")
