"""Cache of results: scores and features by key, in one SQLite file of limited size that may be deleted at any time.

SQLite's locks and rollback journal keep the file consistent under concurrent and killed runs. Write-ahead logging
is not used, since it fails on a network file system shared by several machines. Every value is stored with a hash
over its key and itself, so that a damaged entry is never returned.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

from shamisa_cli.core.arguments import Count
from shamisa_cli.core.errors import CacheError, about_the_run

Kind = Literal["features", "groups", "scores"]
"""Kinds of entries, in the order in which they are removed: features take some 300 times the space of scores, and what
groups are found by, six times.
"""

FILE = "pictures-1.sqlite3"
"""Name of the file; its number increases with its schema."""
MEGABYTE = 1_000_000
CLEARING = "shamisa cache clear"
"""The command that makes a damaged cache anew."""
DEFAULT_LIMIT = 1000 * MEGABYTE

BUSY_SECONDS = 30
WRITE_EVERY_SECONDS = 1.0
WRITE_EVERY_BYTES = 8 * MEGABYTE
"""New values are written after this time or this many bytes, whichever comes first; a killed run loses no more."""
TOUCH_SECONDS = 3600
"""Seconds within which repeated uses are recorded once, so that runs that only read rarely write."""
ROWS_DROPPED_AT_ONCE = 64
CHECK_BYTES = 16
_NOT_WRITABLE = ("SQLITE_READONLY", "SQLITE_FULL")

TABLE = (
    "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, kind TEXT NOT NULL, used INTEGER NOT NULL, "
    "value BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_use ON entries (kind, used)",
)


class Cache:
    """Bytes by key, of which the least recently used are removed beyond a limit. Safe for use by several threads.

    A problem with the file causes one warning. From then on the cache stores nothing, and it is empty, but for one that
    can be read and not written (a disk that is full, or mounted for reading). New values are written about every
    second, and when the cache is closed. `hits` is the number of values found so far.

    Args:
        folder: folder of the file; created if missing. None takes the command line's, in the user's cache folder.
        limit: largest size of the file in bytes.
        warn: called with the warning. What it raises, as `warnings.warn` does where warnings are errors, ends the call.

    Raises:
        CacheError: no folder is named, and the user has no home folder.
    """

    def __init__(
        self, folder: Path | None = None, *, limit: Count = DEFAULT_LIMIT, warn: Callable[[str], object] = warnings.warn
    ) -> None:
        folder = folder or default_folder()
        if folder is None:
            raise CacheError("This user has no home folder for the cache. Name a folder for it.")
        self._path = folder / FILE
        self._limit = limit
        self._warn = warn
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._stores = True
        self._new: dict[bytes, tuple[Kind, bytes]] = {}
        self._touched: set[bytes] = set()
        self._written = float("-inf")
        self.hits = 0
        with self._guarded():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = opened(self._path)
            for statement in TABLE:
                self._connection.execute(statement)

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write new values and close the file; afterwards the cache is empty."""
        with self._guarded():
            self._write()
        with self._lock:
            self._let_go()

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None if it is missing or damaged."""
        with self._guarded():
            if key in self._new:
                self.hits += 1
                return self._new[key][1]
            if self._connection is None:
                return None
            row = self._connection.execute("SELECT value, used FROM entries WHERE key = ?", (key,)).fetchone()
            # SQLite keeps any type in any column.
            if row is None or not isinstance(row[0], bytes) or not isinstance(row[1], int | float):
                return None
            if row[0][:CHECK_BYTES] != _check(key, row[0][CHECK_BYTES:]):
                return None
            if self._stores and row[1] + TOUCH_SECONDS < time.time():
                self._touched.add(key)
            value: bytes = row[0][CHECK_BYTES:]
            self.hits += 1
            return value
        return None

    def put(self, kind: Kind, key: bytes, value: bytes) -> None:
        """Store a value under a key of 32 bytes, replacing an earlier one."""
        with self._guarded():
            if self._connection is None or not self._stores:
                return
            self._new[key] = kind, value
            waiting = sum(len(value) for _, value in self._new.values())
            if waiting > WRITE_EVERY_BYTES or time.monotonic() - self._written > WRITE_EVERY_SECONDS:
                self._write()

    def _write(self) -> None:
        if self._connection is None or not (self._new or self._touched):
            return
        now = int(time.time())
        rows = [(key, kind, now, _check(key, value) + value) for key, (kind, value) in self._new.items()]
        try:
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", rows)
                used = [(now, key) for key in self._touched]
                connection.executemany("UPDATE entries SET used = ? WHERE key = ?", used)
                _shrink(connection, self._limit)
        except sqlite3.OperationalError as error:
            if not getattr(error, "sqlite_errorname", "").startswith(_NOT_WRITABLE):
                raise
            self._only_read(error)
        self._new.clear()
        self._touched.clear()
        self._written = time.monotonic()

    def _only_read(self, error: sqlite3.OperationalError) -> None:
        """Store nothing any more, and say so if there was anything to be stored."""
        self._stores = False
        if self._new:
            self._tell(
                f"the cache {self._path} can be read and not written ({why(error)}). New results are not "
                "kept; name another folder for the cache to keep them."
            )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                self._let_go()
                self._tell(
                    f"the cache {self._path} cannot be used ({why(error)}). Results are computed without it; "
                    f"{CLEARING} makes a new one."
                )

    def _tell(self, sentence: str) -> None:
        try:
            self._warn(sentence)
        except Exception as error:
            raise about_the_run(error) from None

    def _let_go(self) -> None:
        self._new.clear()
        self._touched.clear()
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def default_folder() -> Path | None:
    """The user's cache folder on this system; None for a user without a home folder."""
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            named = Path(os.environ.get("XDG_CACHE_HOME", ""))
            base = named if named.is_absolute() else Path.home() / ".cache"  # the XDG rules ignore relative paths
    except RuntimeError:
        return None
    return base / "shamisa"


def opened(path: Path) -> sqlite3.Connection:
    """Open the file; it is made if it does not exist."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    # Safe when the process is killed; a power failure may rarely lose results, which can be computed again.
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _check(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(key + value, digest_size=CHECK_BYTES).digest()


def _shrink(connection: sqlite3.Connection, limit: int) -> None:
    """Remove the least recently used entries, in the order of `Kind`, until the used pages are within the limit."""
    while _pages_in_use(connection) > limit:
        dropped = connection.execute(
            "DELETE FROM entries WHERE key IN (SELECT key FROM entries ORDER BY kind, used LIMIT ?)",
            (ROWS_DROPPED_AT_ONCE,),
        )
        if not dropped.rowcount:
            break


def _pages_in_use(connection: sqlite3.Connection) -> int:
    count, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((count - free) * size)


def why(error: Exception) -> str:
    """The words of the system, or of SQLite, for a failure."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
