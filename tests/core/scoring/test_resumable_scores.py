from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.killing import KilledError, killed_after

from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.records import JobResult
from shamisa_cli.core.scoring import provenance, unpacking
from shamisa_cli.core.scoring.pipeline import score_files
from shamisa_cli.core.scoring.resumable import parts_folder, score_to_file
from shamisa_cli.core.scoring.score_table import arrow_errors, read_scores


def run(model: Model, paths: list[Path], target: Path, *, kill_after: int | None = None, **settings: int) -> JobResult:
    """Score in parts of two rows; raise KilledError when that many pictures are done."""
    return score_to_file(model, paths, target, advance=killed_after(kill_after), rows_per_part=2, **settings)


def test_a_table_holds_the_records_in_order_whatever_is_wrong_with_a_picture(
    model: Model, photos: list[Path], broken: Path, tmp_path: Path
) -> None:
    target = tmp_path / "scores.parquet"
    named = [photos[3], broken, *photos[:3], tmp_path / "gone.jpg"]
    done = run(model, named, target)
    assert (done.rows, done.reused, done.unreadable) == (6, 0, 2)
    assert [any(name in said for said in done.errors) for name in (broken.name, "gone.jpg")] == [True, True]
    assert list(read_scores(target)) == list(score_files(model, named))
    assert not parts_folder(target).exists()


def test_a_table_is_not_written_under_the_name_of_another_kind(
    model: Model, photos: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=r"Name it so, such as scores\.parquet\."):
        score_to_file(model, photos, tmp_path / "scores.csv")
    assert not list(tmp_path.glob("scores*"))


@pytest.mark.parametrize("killed", [1, 4, 9])
def test_a_killed_run_leaves_no_table_and_goes_on_where_it_stopped(
    model: Model, photos: list[Path], tmp_path: Path, killed: int
) -> None:
    target = tmp_path / "scores.parquet"
    with pytest.raises(KilledError):
        run(model, photos, target, kill_after=killed)
    assert not target.exists()
    assert run(model, photos, target).reused == (killed - 1) // 2 * 2
    assert list(read_scores(target)) == list(score_files(model, photos))


def test_what_a_table_loses_is_counted_and_nothing_named_loses_nothing(
    model: Model, photos: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "scores.parquet"
    assert run(model, photos[:4], target).dropped == 0
    before = target.read_bytes()
    assert run(model, [], target) == JobResult(0, 0)
    assert target.read_bytes() == before
    os.utime(photos[0], ns=(0, 0))  # changed, not lost
    assert run(model, photos[:3], target).dropped == 1
    assert run(model, photos[1:3], target, view_size=48).dropped == 1  # all are made anew, but for the one not named
    target.write_bytes(b"no table")
    assert run(model, photos[:1], target).dropped == 0


def test_only_new_changed_and_unreadable_pictures_are_scored_again(
    model: Model, photos: list[Path], broken: Path, tmp_path: Path
) -> None:
    target = tmp_path / "scores.parquet"
    run(model, [broken, *photos[:4]], target)
    os.utime(photos[1], ns=(0, 0))
    assert replace(run(model, [*photos[5:0:-1], broken], target), errors=()) == JobResult(6, 2, unreadable=1, dropped=1)
    assert [record.path for record in read_scores(target)] == [str(path) for path in [*photos[5:0:-1], broken]]


def test_pictures_that_two_runs_scored_at_once_are_in_the_table_once(
    model: Model, photos: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "scores.parquet"
    for name in ("one.parquet", "two.parquet"):
        run(model, photos[:5], tmp_path / name)
        parts_folder(target).mkdir(exist_ok=True)
        (tmp_path / name).rename(parts_folder(target) / name)
    assert run(model, photos, target) == JobResult(rows=9, reused=5)
    assert list(read_scores(target)) == list(score_files(model, photos))


def test_scores_of_other_settings_are_made_anew(model: Model, photos: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "scores.parquet"
    run(model, photos[:3], target)
    assert run(model, photos[:3], target, view_size=96).reused == 0
    target.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ModelError, match="damaged"):
        list(read_scores(target))
    assert run(model, photos[:3], target).reused == 0


@pytest.mark.parametrize(("what", "other"), [("READING", 99), ("_version", lambda _package: "99.9")])
def test_scores_that_another_version_read_or_computed_are_made_anew(
    model: Model, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, other: object
) -> None:
    target = tmp_path / "scores.parquet"
    run(model, photos[:3], target)
    monkeypatch.setattr(provenance, what, other)
    assert run(model, photos[:3], target).reused == 0


def test_the_part_of_a_job_in_which_no_picture_falls_is_an_empty_table(model: Model, tmp_path: Path) -> None:
    target = tmp_path / "out" / "part-00007-of-00100.parquet"
    assert run(model, [], target) == JobResult(rows=0, reused=0)
    assert pq.read_table(target).num_rows == 0


def test_a_table_whose_rows_are_damaged_is_made_anew(model: Model, photos: list[Path], tmp_path: Path) -> None:
    """Its end is whole, so that only reading the rows shows it."""
    target = tmp_path / "scores.parquet"
    run(model, photos[:3], target)
    data = bytearray(target.read_bytes())
    data[4:200] = bytes(196)
    target.write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        list(read_scores(target))
    assert run(model, photos[:3], target) == JobResult(rows=3, reused=0)
    assert list(read_scores(target)) == list(score_files(model, photos[:3]))


def test_a_table_that_unpacks_to_far_more_than_it_takes_is_made_anew(
    model: Model, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rows = tmp_path / "scores.parquet", 100_000
    monkeypatch.setattr(unpacking, "ROOM", 1_000_000)
    run(model, photos[:1], target)
    made = pq.read_table(target)
    same = [pa.repeat(column[0], rows) for column in made.columns]
    pq.write_table(pa.table(same, schema=made.schema), target)
    assert run(model, photos[:1], target) == JobResult(rows=1, reused=0)


def test_a_disk_that_fails_is_not_taken_for_a_damaged_table() -> None:
    with pytest.raises(OSError, match="no answer") as caught, arrow_errors():
        raise OSError(errno.EIO, "no answer")
    assert caught.value.errno == errno.EIO
