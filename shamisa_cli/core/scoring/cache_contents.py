"""The size of a cache, its number of entries, and its end."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shamisa_cli.core.errors import CacheError
from shamisa_cli.core.existence import is_gone
from shamisa_cli.core.scoring.cache import CLEARING, FILE, TABLE, opened, why

_NOT_DAMAGED = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_FULL")


@dataclass(frozen=True)
class CacheContents:
    """Size of a cache and its number of entries.

    Attributes:
        path: the cache file, which need not exist.
        size: size of the file in bytes; 0 if it does not exist. It does not shrink until the cache is cleared.
        scores, features: number of images whose scores and features are stored.
    """

    path: str
    size: int
    scores: int
    features: int

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)


def contents(folder: Path) -> CacheContents:
    """Count the entries of the cache in `folder`.

    Raises:
        CacheError: the file exists but cannot be read or reached.
    """
    path = folder / FILE
    if is_gone(path):
        return CacheContents(str(path), 0, 0, 0)
    size = _size(path)
    try:
        with closing(opened(path)) as connection:
            counts = dict(connection.execute("SELECT kind, count(*) FROM entries GROUP BY kind").fetchall())
    except sqlite3.Error as error:
        raise CacheError(f"The cache {path} cannot be read ({why(error)}). Clear it with: {CLEARING}.") from error
    return CacheContents(str(path), size, counts.get("scores", 0), counts.get("features", 0))


def clear(folder: Path) -> int:
    """Clear the cache in `folder`, even if it is damaged, and return the number of bytes that were freed.

    Raises CacheError if another program has locked it, or it cannot be reached.
    """
    path = folder / FILE
    if is_gone(path):
        return 0
    before = _size(path)
    try:
        # The file is kept: runs that have it open would otherwise write to a deleted file.
        with closing(opened(path)) as connection:
            connection.execute("DELETE FROM entries")
            connection.execute("VACUUM")
            for statement in TABLE:  # fails on a table with a different schema
                connection.execute(statement)
        return before - path.stat().st_size
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith(_NOT_DAMAGED):
            remedy = "Try again" if "locked" in str(error) else "Make it writable, or name another folder for the cache"
            raise CacheError(f"The cache {path} cannot be cleared ({why(error)}). {remedy}.") from error
    for damaged in (path, path.with_name(f"{FILE}-journal")):
        damaged.unlink(missing_ok=True)
    return before


def _size(path: Path) -> int:
    """The bytes of the file. Raises CacheError where the system does not tell, as for a link that leads nowhere."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise CacheError(
            f"The cache {path} cannot be reached ({why(error)}): a link that leads nowhere, or in a closed folder. "
            "Remove it by hand, or name another folder for the cache."
        ) from error
