from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from shamisa_cli.core.cluster.store import open_parts
from shamisa_cli.core.scoring.resumable import ROWS_PER_PART

pytestmark = pytest.mark.slow  # every test starts processes


def test_machines_share_a_folder_and_their_parts_are_read_as_one(shamisa, tiny_model: Path, photos: Path) -> None:  # type: ignore[no-untyped-def]
    (photos / "broken.jpg").write_bytes(b"no picture")
    out = photos.parent / "out"
    codes = []
    for index in (1, 2, 3):
        named = [photos] if index == 2 else sorted(photos.iterdir(), reverse=True)
        done = shamisa("score", *named, "--model", tiny_model, "--shard", f"{index}/3", "-o", out)
        assert done.stdout == ""
        codes.append(done.returncode)
    assert sorted(codes) == [0, 0, 3]
    assert sorted(path.name for path in out.iterdir()) == [f"part-0000{index}-of-00003.parquet" for index in (1, 2, 3)]
    table = open_parts(out).to_table()
    assert Counter(table["path"].to_pylist()) == Counter(str(path) for path in photos.iterdir())
    assert pads.dataset(out, format="parquet").to_table().equals(table)

    again = shamisa("score", photos, "--model", tiny_model, "--shard", "1/4", "-o", out)
    assert again.returncode == 2
    assert "one of 3 parts, and this job has 4" in again.stderr


def test_features_are_shared_out_the_same_way(shamisa, tiny_model: Path, photos: Path) -> None:  # type: ignore[no-untyped-def]
    for command, out in (("score", photos.parent / "scores"), ("embed", photos.parent / "features")):
        for index in (1, 2):
            done = shamisa(command, photos, "--model", tiny_model, "--shard", f"{index}/2", "-o", out)
            assert done.returncode == 0, done.stderr
    for name in ("part-00001-of-00002.parquet", "part-00002-of-00002.parquet"):
        scores, features = (pq.read_table(photos.parent / kind / name) for kind in ("scores", "features"))
        assert scores["path"].to_pylist() == features["path"].to_pylist()
    assert open_parts(photos.parent / "features").count_rows() == 4


def test_a_folder_may_be_called_as_one_likes(shamisa, tiny_model: Path, photos: Path) -> None:  # type: ignore[no-untyped-def]
    out = photos.parent / "out.v2"
    for index in (1, 2):
        assert shamisa("score", photos, "--model", tiny_model, "--shard", f"{index}/2", "-o", out).returncode == 0
    assert open_parts(out).count_rows() == 4


@pytest.mark.parametrize(
    ("command", "suffix"), [("score", "parquet"), ("embed", "parquet"), ("embed", "npz"), ("embed", "safetensors")]
)
def test_no_part_replaces_another(shamisa, tiny_model: Path, photos: Path, command: str, suffix: str) -> None:  # type: ignore[no-untyped-def]
    out = photos.parent / f"all.{suffix}"
    job = (command, "photos", "--model", tiny_model, "-o", out)  # of these names, both parts have some

    def run(part: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = shamisa(*job, "--shard", part, cwd=photos.parent)
        return done

    assert run("1/2").returncode == 0
    one = out.read_bytes()
    refused = run("2/2")
    assert refused.returncode == 2
    assert "holds pictures of parts other than 2/2" in refused.stderr
    assert out.read_bytes() == one
    assert run("1/2").returncode == 0


@pytest.mark.parametrize("name", ["scores.csv", "scores.json", "scores.sarif", "page.html"])
def test_a_file_of_another_part_is_not_replaced(shamisa, tiny_model: Path, photos: Path, tmp_path: Path, name: str):  # type: ignore[no-untyped-def]
    option = "--html" if name.endswith(".html") else "-o"
    job = ["score", photos, "--model", tiny_model, option, name, "--shard"]
    assert shamisa(*job, "1/2", cwd=tmp_path).returncode == 0
    first = (tmp_path / name).read_bytes()
    second = shamisa(*job, "2/2", cwd=tmp_path)
    assert second.returncode == 2
    assert "may hold another part" in second.stderr
    assert (tmp_path / name).read_bytes() == first
    (tmp_path / name).write_bytes(b"")
    assert shamisa(*job, "2/2", cwd=tmp_path).returncode == 0


def test_a_shard_that_is_killed_again_and_again_comes_to_its_end_with_every_picture_once(
    shamisa, tiny_model: Path, photos: Path
) -> None:  # type: ignore[no-untyped-def]
    for number in range(1200):
        os.link(photos / f"{number % 4}.jpg", photos / f"more{number:04}.jpg")
    out = photos.parent / "out"
    command = [sys.executable, "-m", "shamisa_cli", "score", photos, "--model", tiny_model, "--shard", "1/1", "-o", out]
    target = out / "part-00001-of-00001.parquet"
    kept = out / ".part-00001-of-00001.parquet.parts"
    for parts in (1, 3):
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while process.poll() is None and len(list(kept.glob("[0-9a-f]*.parquet"))) < parts:
            os.sched_yield()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not target.exists()
    done = shamisa(*command[3:])
    assert done.returncode == 0, done.stderr
    assert "1,204 pictures" in done.stderr
    assert int(done.stderr.split(" (")[1].split(" ")[0]) >= 3 * ROWS_PER_PART
    assert Counter(pq.read_table(target)["path"].to_pylist()) == Counter(str(path) for path in photos.iterdir())
    assert list(out.iterdir()) == [target]


def test_a_table_passes_the_gate_or_fails_by_it(shamisa, tiny_model: Path, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    table = tmp_path / "scores.parquet"
    assert shamisa("score", photos, "--model", tiny_model, "-o", table).returncode == 0
    scores = sorted(pq.read_table(table)["score"].to_pylist())
    done = shamisa("score", photos, "--model", tiny_model, "-o", table, "--min-score", repr(scores[1]))
    assert done.returncode == 1
    assert "4 reused from an earlier run" in done.stderr
    assert "4 checked: 1 failed" in done.stderr


def test_what_a_table_cannot_do_is_said_before_the_work(
    shamisa, tiny_model: Path, photos: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    for options, reason in (
        (("-f", "parquet"), "name one with --output"),
        (("-o", "x.parquet", "--maps", tmp_path / "maps"), "--html and --maps cannot be combined"),
        (("-o", "x.parquet", "--sort", "score"), "cannot be combined with parquet"),
        (("-o", out, "--shard", "1/2", "-f", "csv"), "is a folder of parts"),
        (("-o", out, "--shard", "3/2"), "I from 1 to N"),
    ):
        done = shamisa("score", photos, "--model", tiny_model, *options, cwd=tmp_path)
        assert done.returncode == 2
        assert reason in done.stderr
    assert not out.exists()
