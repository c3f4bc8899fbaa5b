"""Leaving out files by pattern and by time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

import shamisa_cli as shamisa
from shamisa_cli.core.images.filters import FileFilter, read_date

NAMES = ("a.jpg", "drafts/b.jpg", "raw/drafts/c.png", "d.png", "/abs/drafts/e.jpg")


def left(*patterns: str) -> list[str]:
    return [path.as_posix() for path in FileFilter(patterns).select(list(map(Path, NAMES)))]


def test_patterns_are_those_of_gitignore() -> None:
    assert left() == list(NAMES)
    assert left("drafts/") == ["a.jpg", "d.png"]
    assert left("*.png", "a.*") == ["drafts/b.jpg", "/abs/drafts/e.jpg"]
    assert left("/drafts/") == ["a.jpg", "raw/drafts/c.png", "d.png", "/abs/drafts/e.jpg"]
    assert left("*.png", "!d.png") == ["a.jpg", "drafts/b.jpg", "d.png", "/abs/drafts/e.jpg"]


def test_patterns_are_relative_to_the_current_folder_whatever_the_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "photos"
    (place / "2026" / "keepers").mkdir(parents=True)
    (place / "2026" / "keepers" / "a.jpg").touch()
    (tmp_path / "link").symlink_to(place)
    monkeypatch.chdir(place)
    for spelt in ("2026/keepers/a.jpg", f"{place}/2026/keepers/a.jpg", "../photos/2026/keepers/a.jpg",
                  f"{tmp_path}/link/2026/keepers/a.jpg"):  # fmt: skip
        for pattern in ("2026/keepers/", "./2026/keepers/", "/2026/*/a.jpg", "keepers/"):
            chosen = FileFilter((pattern,))
            assert chosen.select([Path(spelt)]) == []
            assert chosen.idle([Path(spelt)]) == []


def test_an_exception_may_be_spelt_as_the_paths_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / "q" / name for name in ("cat.jpg", "dog.jpg")]
    for exception in (f"!{tmp_path}/q/cat.jpg", "!q/cat.jpg", "!cat.jpg"):
        assert FileFilter(("*.jpg", exception)).select(paths) == paths[:1]
        assert FileFilter((f"{tmp_path}/q/*.jpg", exception)).select(paths) == paths[:1]
        assert FileFilter((exception, "*.jpg")).select(paths) == []


def test_a_pattern_that_matches_nothing_is_told() -> None:
    chosen = FileFilter(("drafts/", "/photos/1.jpg", "!a.jpg", "# a comment"))
    assert chosen.idle(list(map(Path, NAMES))) == ["/photos/1.jpg"]
    assert FileFilter().idle([Path("a.jpg")]) == []


def test_a_pattern_that_cannot_be_used_is_an_error() -> None:
    with pytest.raises(shamisa.SettingError):
        FileFilter(("!",))


def test_files_changed_earlier_are_left_out_and_those_of_unknown_time_are_kept(tmp_path: Path) -> None:
    times = {"old.jpg": datetime(2026, 4, 30, 23, 59), "new.jpg": datetime(2026, 5, 1, 0, 1)}
    for name, time in times.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.timestamp(),) * 2)
    paths = [tmp_path / name for name in (*times, "gone.jpg")]
    found = FileFilter(since=read_date("2026-05-01")).select(paths)
    assert [path.name for path in found] == ["new.jpg", "gone.jpg"]


def test_dates_are_iso_8601() -> None:
    assert read_date("2026-05-01") == datetime(2026, 5, 1)
    assert read_date("2026-05-01T18:30") == datetime(2026, 5, 1, 18, 30)
    assert read_date("2026-05-01T18:30+00:00") == datetime(2026, 5, 1, 18, 30, tzinfo=UTC)
    for wrong in ("yesterday", "1.5.2026", "", "2026-13-01", "0001-01-01"):
        with pytest.raises(shamisa.SettingError, match="2026-05-01"):
            read_date(wrong)
