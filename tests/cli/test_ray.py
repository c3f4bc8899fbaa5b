"""`--ray`: a real Ray on this machine, started by the program."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shamisa_cli.core.cluster.store import open_parts

WITH_RAY = 400
"""Seconds after which a process that starts Ray is taken to hang."""


def by_path(table: pa.Table) -> dict[str, float]:
    return dict(zip(table["path"].to_pylist(), table["score"].to_pylist(), strict=True))


@pytest.mark.slow
def test_ray_gives_the_rows_that_one_process_gives(process, tiny_model: Path, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("ray", reason="there is no Ray for this Python")
    alone = tmp_path / "alone.parquet"
    assert process("score", photos, "--model", tiny_model, "-o", alone).returncode == 0
    with tarfile.open(tmp_path / "more.tar", "w") as archive:
        archive.add(photos / "0.jpg", "inside/0.jpg")
        archive.add(photos / "1.jpg", "inside/1.jpg")
    (photos / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'more.tar'}\n{tmp_path / 'gone.jpg'}\n")
    out = tmp_path / "out"
    job = ("score", photos, "--files-from", tmp_path / "list.txt", "--model", tiny_model, "--ray", "local", "-o", out)

    done = process(*job, timeout=WITH_RAY)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "broken.jpg is a text" in done.stderr
    assert f"{tmp_path / 'gone.jpg'} does not exist, or was removed" in done.stderr
    assert "6 of 8 pictures scored (2 unreadable)" in done.stderr
    assert "; 7 parts in " in done.stderr
    scores, expected = by_path(open_parts(out).to_table()), by_path(pq.read_table(alone))
    assert {path: scores[path] for path in expected} == expected
    inside = [f"tar://inside/{number}.jpg::{tmp_path / 'more.tar'}" for number in (0, 1)]
    assert [scores[path] for path in inside] == [expected[str(photos / f"{number}.jpg")] for number in (0, 1)]

    (part,) = out.glob("tar-*.parquet")
    shutil.copy(part, out / "tar-of-an-earlier-job-0123.parquet")
    again = process(*job, "--skip-unreadable", timeout=WITH_RAY)
    assert again.returncode == 0, again.stderr
    assert "also holds a part of an earlier job, tar-of-an-earlier-job-0123.parquet, of pictures" in again.stderr
    assert "6 reused from an earlier run" in again.stderr


@pytest.mark.slow
def test_ray_embeds_as_one_process_does(process, tiny_model: Path, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("ray", reason="there is no Ray for this Python")
    features = []
    for options in (("-o", tmp_path / "alone.parquet"), ("-o", tmp_path / "out", "--ray", "local", "--jobs", "1")):
        done = process("embed", photos, "--model", tiny_model, *options, timeout=WITH_RAY)
        assert done.returncode == 0, done.stderr
        table = (pq.read_table(options[1]) if options[1].is_file() else open_parts(options[1]).to_table()).sort_by(
            "path"
        )
        features.append(np.stack(table["features"].to_numpy()))
    assert np.array_equal(*features)


def test_what_ray_cannot_do_is_said_before_the_work(shamisa, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    for options, reason in (
        (("-o", out, "--html", "page.html"), "--html does not go with --ray"),
        (("-o", out, "--shard", "1/2"), "--shard does not go with --ray"),
        (("-o", "scores.parquet"), "a folder of Parquet files"),
        ((), "a folder of Parquet files"),
    ):
        done = shamisa("score", photos, "--ray", "local", *options, cwd=tmp_path)
        assert done.returncode == 2
        assert reason in done.stderr
    assert not out.exists()
