"""Whole small files, read only where they are files and small: a device or a pipe would never end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from shamisa_cli.core.errors import SettingError


def read_plain(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises:
        OSError: it cannot be read, or is a folder.
        SettingError: it is a device, pipe or socket, or longer.
    """
    status = path.stat()  # before opening: opening a pipe would wait for a writer
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise SettingError(f"{path} is not a regular file but a device, pipe or socket.")
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise SettingError(f"{path} is longer than {most:,} bytes, so it is not what was expected.")
    return content
