"""Sixty runs that are killed at any moment: nothing is lost or half-written, and the same command then completes."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa

from shamisa_cli.core.atomic import TEMPORARY
from shamisa_cli.core.models.manifest import FolderFiles
from shamisa_cli.core.scoring.feature_table import load_features

PICTURES = 40
KILLS = 6
"""Of each of the ten commands."""


def is_csv(path: Path) -> bool:
    lines = path.read_text().splitlines(keepends=True)
    return len(lines) == PICTURES + 1 and lines[-1].endswith("\n")


def is_parquet(path: Path) -> bool:
    from pyarrow import parquet

    return parquet.read_table(path).num_rows == PICTURES


def is_features(path: Path) -> bool:
    return len(load_features(path).stamps) == PICTURES


def is_json(path: Path) -> bool:
    return bool(json.loads(path.read_text()))


def is_page(path: Path) -> bool:
    return path.read_text().rstrip().endswith("</html>")


def is_model(path: Path) -> bool:
    if not any((path / name).exists() for name in ("config.json", "probe.json")):
        return True  # not there yet, since the list of its files is written last
    FolderFiles(path).verify()
    return True


def are_sidecars(path: Path) -> bool:
    return all(ElementTree.parse(sidecar) is not None for sidecar in path.glob("*.xmp"))


def is_cache(path: Path) -> bool:
    for file in path.glob("*.sqlite3"):
        with sqlite3.connect(file) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return True


@dataclass(frozen=True)
class Writer:
    """A command, what it writes, and whether that is whole."""

    command: Sequence[str]
    target: str
    is_whole: Callable[[Path], bool]


MODEL = ("--model", "MODEL")
WRITERS = {
    "csv": Writer(("score", "photos", *MODEL, "-o", "out/a.csv"), "out/a.csv", is_csv),
    "parquet": Writer(("score", "photos", *MODEL, "-o", "out/a.parquet"), "out/a.parquet", is_parquet),
    "page": Writer(("score", "photos", *MODEL, "-f", "csv", "--html", "out/a.html"), "out/a.html", is_page),
    "baseline": Writer(
        ("score", "photos", *MODEL, "--baseline", "out/a.json", "--update-baseline"), "out/a.json", is_json
    ),
    "features": Writer(("embed", "photos", *MODEL, "-o", "out/a.npz"), "out/a.npz", is_features),
    "sidecars": Writer(("cull", "photos", *MODEL, "--keep-best", "50", "--apply"), "photos", are_sidecars),
    "comparison": Writer(
        (
            "compare",
            "photos/0.jpg",
            *(f"photos/{number}.jpg" for number in range(1, 8)),
            "-f",
            "json",
            "-o",
            "out/a.json",
        ),
        "out/a.json",
        is_json,
    ),
    "probe": Writer(("fit-probe", "--mos", "mos.csv", *MODEL, "-o", "out/probe"), "out/probe", is_model),
    "derived": Writer(("models", "derive", "MODEL", "-o", "out/model", "--view-size", "32"), "out/model", is_model),
    "cache": Writer(("score", "photos", *MODEL, "--cache", "--cache-dir", "out"), "out", is_cache),
}


def make_place(folder: Path) -> dict[str, bytes]:
    """A folder with photographs and ratings; the photographs' names and contents."""
    folder.mkdir()
    photos = save_noise(folder / "photos", [(120, 80)] * PICTURES, blur=0.1)
    lines = [f"photos/{number}.jpg,{number + 1}" for number in range(PICTURES)]
    (folder / "mos.csv").write_text("\n".join(["image,mos", *lines]) + "\n")
    return {path.name: path.read_bytes() for path in photos}


def killed(command: Sequence[str], place: Path, after: float | None) -> float:
    """Run the program, kill it after so many seconds unless it has ended, and give the seconds it ran."""
    begun = time.monotonic()
    run = subprocess.Popen(
        [sys.executable, "-m", "shamisa_cli", *command], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        run.wait(timeout=after)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
    return time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_killed_run_leaves_all_or_nothing_and_the_next_one_completes(
    tiny_model: Path, tmp_path: Path, name: str
) -> None:
    writer = WRITERS[name]
    command = [str(tiny_model) if word == "MODEL" else word for word in writer.command]
    make_place(tmp_path / "whole")
    whole = killed(command, tmp_path / "whole", None)
    for number in range(KILLS):
        place = tmp_path / str(number)
        photos = make_place(place)
        killed(command, place, whole * (0.4 + 0.6 * number / KILLS))
        target = place / writer.target
        assert not target.exists() or writer.is_whole(target)
        assert {file: (place / "photos" / file).read_bytes() for file in photos} == photos
        if name == "derived" and (target / "config.json").exists():
            continue  # it was made in time, and is never overwritten
        done = shamisa(*command, cwd=place)
        assert done.returncode == 0, done.stderr
        assert writer.is_whole(target)
        assert not list(place.rglob(f"{TEMPORARY}*"))
        shutil.rmtree(place)


@pytest.mark.slow
def test_a_killed_move_loses_no_picture_and_is_undone(tiny_model: Path, tmp_path: Path) -> None:
    command = ["cull", "photos", "--model", str(tiny_model), "--keep-best", "50", "--move-to", "out", "--apply"]
    make_place(tmp_path / "whole")
    whole = killed(command, tmp_path / "whole", None)
    for number in range(KILLS):
        place = tmp_path / str(number)
        photos = make_place(place)
        killed(command, place, whole * (0.4 + 0.6 * number / KILLS))
        for name, content in photos.items():
            found = [path for path in (place / "photos" / name, place / "out" / name) if path.exists()]
            assert found
            assert all(path.read_bytes() == content for path in found)
        if (place / "out").exists():
            assert shamisa("cull", "--undo", "out", "--apply", cwd=place).returncode == 0
        assert {name: (place / "photos" / name).read_bytes() for name in photos} == photos
        assert not list((place / "out").glob("*.jpg"))
