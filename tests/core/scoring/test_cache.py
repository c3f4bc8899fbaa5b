"""The cache file: what goes in comes out, or nothing, whatever happens to the file or to those who use it."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shamisa_cli.core.errors import CacheError
from shamisa_cli.core.scoring import cache as caching
from shamisa_cli.core.scoring.cache import FILE, Cache, default_folder
from shamisa_cli.core.scoring.cache_contents import clear, contents

WRITER = """
import hashlib, sys
from pathlib import Path
from shamisa_cli.core.scoring.cache import Cache

def key(n): return hashlib.sha256(str(n).encode()).digest()

folder, start, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with Cache(folder, warn=lambda text: sys.exit(text)) as cache:
    n = start
    while count == 0 or n < start + count:
        cache.put("scores", key(n), str(n).encode() * 50)
        assert cache.get(key(n)) == str(n).encode() * 50
        if n % 20 == 0:
            cache._write()
            print(n, flush=True)
        n += 1
"""


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def fail(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def filled(folder: Path, count: int = 50) -> None:
    with Cache(folder, warn=fail) as cache:
        for number in range(count):
            cache.put("scores", key(number), b"%d" % number * 40)


def test_what_one_run_puts_the_next_one_gets(folder: Path) -> None:
    with Cache(folder, warn=fail) as cache:
        assert cache.get(key(1)) is None
        cache.put("scores", key(1), b"one")
        assert cache.get(key(1)) == b"one"
        cache.put("features", key(2), b"two")
        cache.put("scores", key(1), b"uno")
    with Cache(folder, warn=fail) as cache:
        assert (cache.get(key(1)), cache.get(key(2)), cache.get(key(3))) == (b"uno", b"two", None)
    assert contents(folder).to_json() == {
        "path": str(folder / FILE),
        "size": (folder / FILE).stat().st_size,
        "scores": 1,
        "features": 1,
    }
    assert sorted(path.name for path in folder.iterdir()) == [FILE]


def test_features_go_first_then_what_was_not_used_for_longest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(caching.time, "time", lambda: now)
    limit = 400_000
    with Cache(folder, limit=limit, warn=fail) as cache:
        for number in range(30):
            now += 10_000
            cache.put("features" if number % 2 else "scores", key(number), b"x" * 10_000)
            cache._write()
    now += 10_000
    with Cache(folder, limit=limit, warn=fail) as cache:
        assert cache.get(key(0)) is not None, "features went before it"
    with Cache(folder, limit=limit, warn=fail) as cache:
        for number in range(30, 70):
            now += 10_000
            cache.put("scores", key(number), b"x" * 10_000)
            cache._write()
    assert (folder / FILE).stat().st_size <= limit + 100_000
    with Cache(folder, warn=fail) as cache:
        assert cache.get(key(69)) is not None
        assert cache.get(key(2)) is None
        assert contents(folder).features == 0


def test_a_value_that_was_used_outlives_one_that_was_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(caching.time, "time", lambda: now)
    monkeypatch.setattr(caching, "ROWS_DROPPED_AT_ONCE", 1)
    for number in range(25):
        now += 10_000
        with Cache(folder, limit=150_000, warn=fail) as cache:
            cache.get(key(0))
            cache.put("scores", key(number), b"x" * 12_000)
    with Cache(folder, warn=fail) as cache:
        assert cache.get(key(0)) is not None
        assert cache.get(key(1)) is None


def test_a_value_larger_than_the_limit_is_not_kept(folder: Path) -> None:
    with Cache(folder, limit=100_000, warn=fail) as cache:
        cache.put("features", key(1), bytes(1_000_000))
    with Cache(folder, limit=100_000, warn=fail) as cache:
        assert cache.get(key(1)) is None


@pytest.mark.parametrize("damage", ["no database", "empty", "cut", "folder", "foreign"])
def test_a_damaged_file_is_warned_of_once_and_then_the_cache_is_empty(folder: Path, damage: str) -> None:
    filled(folder, 500)
    path = folder / FILE
    if damage == "no database":
        path.write_bytes(b"no database, but something long enough to be read as one" * 100)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:20_000])
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
        else:
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE entries (name TEXT)")
    warnings: list[str] = []
    with Cache(folder, warn=warnings.append) as cache:
        found = [cache.get(key(number)) for number in range(500)]
        cache.put("scores", key(1), b"new")
    assert all(value in (None, b"%d" % number * 40) for number, value in enumerate(found))
    assert found.count(None) > 100
    # An empty file is what SQLite makes a database of.
    assert len(warnings) == (0 if damage == "empty" else 1)
    assert all("shamisa cache clear" in text for text in warnings)
    if damage == "folder":
        return
    clear(folder)
    filled(folder)
    assert contents(folder).scores == 50


def test_flipped_bits_never_come_out(folder: Path) -> None:
    filled(folder, 200)
    path = folder / FILE
    whole = bytearray(path.read_bytes())
    for place in range(5000, len(whole), 97):
        whole[place] ^= 0x10
    path.write_bytes(whole)
    with Cache(folder, warn=lambda _text: None) as cache:
        for number in range(200):
            assert cache.get(key(number)) in (None, b"%d" % number * 40)


def test_a_folder_that_cannot_be_made_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    warnings: list[str] = []
    with Cache(tmp_path / "file" / "cache", warn=warnings.append) as cache:
        cache.put("scores", key(1), b"one")
        assert cache.get(key(1)) is None
    assert len(warnings) == 1


@pytest.mark.parametrize("reads_first", [True, False])
def test_what_can_be_read_and_not_written_is_read_and_that_is_said_where_something_is_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch, reads_first: bool
) -> None:
    with Cache(folder, warn=fail) as cache:
        for number in range(3):
            cache.put("scores", key(number), b"old")
    later = time.time() + 2 * caching.TOUCH_SECONDS
    monkeypatch.setattr(caching.time, "time", lambda: later)
    opened = caching.opened

    def for_reading(path: Path) -> sqlite3.Connection:
        connection = opened(path)
        connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr(caching, "opened", for_reading)
    with Cache(folder, warn=fail) as cache:
        assert [cache.get(key(number)) for number in range(3)] == [b"old"] * 3
    said: list[str] = []
    with Cache(folder, warn=said.append) as cache:
        if reads_first:
            assert cache.get(key(0)) == b"old"
        for number in range(3, 6):
            cache.put("scores", key(number), b"new")
            cache._written = float("-inf")
        assert [cache.get(key(number)) for number in range(3)] == [b"old"] * 3
    assert len(said) == 1
    assert "can be read and not written (attempt to write a readonly database). New results are not kept" in said[0]


def test_clearing_leaves_nothing_and_a_run_that_has_it_open_goes_on(folder: Path) -> None:
    assert clear(folder) == 0
    with Cache(folder, warn=fail) as cache:
        cache.put("scores", key(1), bytes(200_000))
        cache._write()
        assert clear(folder) > 100_000
        assert cache.get(key(1)) is None
        cache.put("scores", key(2), b"two")
    assert contents(folder).scores == 1


def test_the_contents_of_a_damaged_file_are_an_error_that_says_what_to_do(folder: Path) -> None:
    folder.mkdir()
    (folder / FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(CacheError, match="shamisa cache clear"):
        contents(folder)


def test_the_default_folder_follows_the_rules_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert default_folder() == tmp_path / "caches" / "shamisa"
    for ignored in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_folder() == tmp_path / ".cache" / "shamisa"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder() == tmp_path / "Library" / "Caches" / "shamisa"


@pytest.mark.slow
def test_several_processes_lose_nothing_to_each_other(folder: Path) -> None:
    commands = [[sys.executable, "-c", WRITER, folder, str(start), "400"] for start in range(0, 1600, 400)]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for command in commands]
    for process in running:
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, complaint
    assert contents(folder).scores == 1600
    with Cache(folder, warn=fail) as cache:
        assert all(cache.get(key(number)) == b"%d" % number * 50 for number in range(1600))


@pytest.mark.slow
def test_a_killed_process_leaves_what_it_had_written(folder: Path) -> None:
    for attempt in range(3):
        command = [sys.executable, "-c", WRITER, folder, str(10_000 * attempt), "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(3 + attempt):
                written = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
        with Cache(folder, warn=fail) as cache:
            for number in range(10_000 * attempt, written + 1):
                assert cache.get(key(number)) == b"%d" % number * 50
    with sqlite3.connect(folder / FILE) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("column", ["value", "used"])
@pytest.mark.parametrize("odd", [None, "text", -1, 1e308, b"", b"[]"])
def test_odd_types_in_a_column_are_a_missing_value_or_do_not_matter(folder: Path, column: str, odd: object) -> None:
    key = hashlib.sha256(b"a").digest()
    with Cache(folder, warn=fail) as cache:
        cache.put("scores", key, b"found")
    with sqlite3.connect(folder / FILE) as connection:
        try:
            connection.execute(f"UPDATE entries SET {column} = ?", (odd,))
        except sqlite3.IntegrityError:
            return  # the table does not take it
    with Cache(folder, warn=fail) as cache:
        assert cache.get(key) in (None, b"found")
        assert column == "used" or cache.get(key) is None
        cache.put("scores", key, b"again")
    with Cache(folder, warn=fail) as cache:
        assert cache.get(key) == b"again"
