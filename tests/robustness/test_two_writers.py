"""Two runs that write the same file or folder: the second one says so at once, and a lock never outlives its run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa

from shamisa_cli.core.culling.journal import JOURNAL
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.scoring.feature_table import load_features
from shamisa_cli.core.sole_writer import lock_file, sole_writer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked on Windows")

HOLDER = """
import sys
from pathlib import Path
from shamisa_cli.core.sole_writer import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(target: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes `target` until the block ends."""
    command = [sys.executable, "-c", HOLDER, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    save_noise(folder, [(64, 64)] * 12, blur=1)
    rows = [f"{path.name},{1 + number % 5}" for number, path in enumerate(sorted(folder.iterdir()))]
    (folder / "mos.csv").write_text("\n".join(["image,mos", *rows]) + "\n")
    return folder


def commands(target: Path, photos: Path, model: Path) -> dict[str, list[str | Path]]:
    """A command of each kind that writes `target` over a longer time."""
    return {
        "embed": ["embed", photos, "-o", target.with_suffix(".npz"), "--model", model],
        "score": ["score", photos, "-o", target.with_suffix(".parquet"), "--model", model],
        "fit-probe": ["fit-probe", "--mos", photos / "mos.csv", "-o", target, "--model", model, "--splits", "2"],
        "fit-defects": ["fit-defects", "--data", photos, "--model", target],
        "fit-direction": ["fit-direction", "--data", photos, "--model", target],
        "train": ["train", "--data", photos, "-o", target, "--device", "cpu"],
        "models derive": ["models", "derive", model, "-o", target, "--view-size", "64"],
        "models export": ["models", "export", target],
        "baseline": ["score", photos, "--model", model, "--baseline", target.with_suffix(".json"), "--update-baseline"],
    }


@pytest.mark.parametrize("kind", list(commands(Path("x"), Path(), Path())))
def test_the_second_writer_is_told_who_writes(tiny_model: Path, photos: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "made"
    arguments = commands(target, photos, tiny_model)[kind]
    named = next((Path(each) for each in arguments if Path(each).stem == "made"), target)
    if kind in ("fit-defects", "fit-direction", "models export"):
        shutil.copytree(tiny_model, target)
    with another_run(named) as other:
        refused = shamisa(*arguments)
    assert refused.returncode == 2, refused.stdout
    assert f"made{named.suffix} is being written by process {other.pid} on " in refused.stderr
    assert "bug" not in refused.stderr


@pytest.mark.parametrize("action", [("--move-to",), ("--copy-to",), ("--undo",)])
def test_one_run_at_a_time_keeps_the_journal_of_a_folder(
    tiny_model: Path, photos: Path, tmp_path: Path, action: tuple[str]
) -> None:
    target, cull = tmp_path / "made", ["cull", photos, "--model", tiny_model, "--keep-best", "3"]
    if action == ("--undo",):
        assert shamisa(*cull, "--move-to", target, "--apply").returncode == 0
        cull = ["cull"]
    before = sorted(path.name for path in photos.iterdir())
    with another_run(target / JOURNAL) as other:
        refused = shamisa(*cull, *action, target, "--apply")
    assert refused.returncode == 2, refused.stdout
    assert f"{JOURNAL} is being written by process {other.pid} on " in refused.stderr
    assert sorted(path.name for path in photos.iterdir()) == before


def test_baselines_that_are_updated_together_lose_no_score(tiny_model: Path, photos: Path, tmp_path: Path) -> None:
    base, names = tmp_path / "base.json", sorted(path for path in photos.iterdir() if path.suffix != ".csv")
    command = [sys.executable, "-m", "shamisa_cli", "score", "--model", tiny_model, "--baseline", base]
    runs = [subprocess.Popen([*command, "--update-baseline", *part]) for part in (names[:6], names[6:])]
    done = sum(run.wait() == 0 for run in runs)
    assert done
    assert len(json.loads(base.read_text())["scores"]) == 6 * done


def test_the_lock_of_a_killed_run_is_taken_over_and_removed(tiny_model: Path, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.npz"
    with another_run(target) as killed:
        killed.kill()
        killed.wait()
        assert lock_file(target).exists()
        done = shamisa("embed", photos, "-o", target, "--model", tiny_model)
    assert done.returncode == 0, done.stderr
    assert len(load_features(target).stamps) == 12
    assert not lock_file(target).exists()


def test_runs_that_begin_together_leave_a_whole_table(tiny_model: Path, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.npz"
    command = [sys.executable, "-m", "shamisa_cli", "embed", photos, "-o", target, "--model", tiny_model, "--jobs", "1"]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [run.communicate()[1] for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes
    assert all("is being written by process" in text for code, text in zip(codes, said, strict=True) if code)
    assert len(load_features(target).stamps) == 12
    assert not lock_file(target).exists()


def test_a_lock_is_of_the_file_and_not_of_its_spelling(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with (
        sole_writer(tmp_path / "folder" / "x.npz"),
        pytest.raises(SettingError, match="is being written"),
        sole_writer(tmp_path / "link" / ".." / "folder" / "x.npz"),
    ):
        pass


def test_a_run_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), sole_writer(tmp_path / "new" / "newer" / "x.npz"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
