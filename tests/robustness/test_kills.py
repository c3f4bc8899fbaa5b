"""A hundred runs that are killed at any moment: nothing is lost or half-written, and the same command completes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers.forked import begin_program
from helpers.loopback_hub import LoopbackHub
from helpers.pictures import save_noise, save_soft
from helpers.program import ENVIRONMENT
from helpers.program import run_here as shamisa
from helpers.runs import numbers

from shamisa_cli.core import atomic
from shamisa_cli.core.atomic import TEMPORARY
from shamisa_cli.core.culling.journal import JOURNAL, Transfer, line_of
from shamisa_cli.core.models.manifest import DIRECTION_WEIGHTS, FolderFiles
from shamisa_cli.core.scoring.feature_table import load_features

PICTURES = 40
KILLS = 6
"""Of each command."""


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
    shown = (sidecar for sidecar in path.glob("*.xmp") if not sidecar.name.startswith(TEMPORARY))
    return all(ElementTree.parse(sidecar) is not None for sidecar in shown)


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
    run = begin_program(command, cwd=place)
    run.join(after)
    run.kill()
    run.join()
    return time.monotonic() - begun


def killed_once(
    command: Sequence[str], place: Path, is_time: Callable[[], bool], after: float, **settings: Any
) -> None:
    """Run the program, and kill it so many seconds after the time has come, unless it has ended."""
    run = begin_program(command, cwd=place, **settings)
    while run.is_alive() and not is_time():
        time.sleep(0.001)
    time.sleep(after)
    run.kill()
    run.join()


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
        killed(command, place, whole * (0.1 + 0.9 * number / KILLS))
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


@pytest.fixture(params=["beside", "on another device"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder for pictures; on another device they are moved by copying them."""
    if request.param == "beside":
        yield tmp_path / "out"
        return
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other device to write to")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder) / "out"


def make_heavy(place: Path) -> dict[str, bytes]:
    """A folder with photographs of four megabytes, since they have a tail; their names and contents."""
    place.mkdir()
    for photo in save_noise(place / "photos", [(120, 80)] * 12, blur=0.1):
        photo.write_bytes(photo.read_bytes() + bytes(4_000_000))
    return {path.name: path.read_bytes() for path in (place / "photos").iterdir()}


def shown(folder: Path) -> list[Path]:
    """The pictures in a folder that a person sees."""
    return [path for path in folder.glob("*.jpg") if not path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize("action", ["--move-to", "--copy-to"])
def test_a_killed_move_or_copy_loses_no_picture_goes_on_and_is_undone(
    tiny_model: Path, tmp_path: Path, elsewhere: Path, action: str
) -> None:
    command = ["cull", "photos", "--model", str(tiny_model), "--keep-best", "50", action, str(elsewhere), "--apply"]
    journal = elsewhere / JOURNAL
    for number in range(KILLS):
        place = tmp_path / str(number)
        photos = make_heavy(place)
        killed_once(command, place, journal.exists, 0.004 * number)
        for path in shown(elsewhere):
            assert path.read_bytes() == photos[path.name], "half-written"
        for name, content in photos.items():
            found = [path for path in (place / "photos" / name, elsewhere / name) if path.exists()]
            assert found
            assert all(path.read_bytes() == content for path in found)
        atomic._remove_left_over.cache_clear()  # as another process would begin
        if action == "--copy-to":
            done = shamisa(*command, cwd=place)
            assert done.returncode == 0, done.stderr
            assert len(shown(elsewhere)) == len(photos) // 2
            assert not list(elsewhere.glob(f"{TEMPORARY}*"))
        undone = shamisa("cull", "--undo", elsewhere, "--apply", cwd=place)
        assert undone.returncode == 0, undone.stderr
        assert {name: (place / "photos" / name).read_bytes() for name in photos} == photos
        assert not shown(elsewhere)
        shutil.rmtree(elsewhere)
        shutil.rmtree(place)


@pytest.mark.slow
def test_a_move_killed_between_its_two_steps_is_completed_by_the_next_run(tiny_model: Path, tmp_path: Path) -> None:
    photos = make_place(tmp_path / "place")
    command = ["cull", "photos", "--model", str(tiny_model), "--keep-best", "50", "--move-to", "out", "--apply"]
    planned = shamisa(*command[:-1], "-f", "json", cwd=tmp_path / "place")
    rejected = [each["path"] for each in json.loads(planned.stdout)["images"] if each["verdict"] == "reject"]
    (tmp_path / "place" / "out").mkdir()
    begun = [
        Transfer("move", tmp_path / "place" / name, tmp_path / "place" / "out" / Path(name).name) for name in rejected
    ]
    for transfer in begun[:3]:
        os.link(transfer.source, transfer.target)
    (tmp_path / "place" / "out" / JOURNAL).write_text("".join(map(line_of, begun[:3])))
    done = shamisa(*command, cwd=tmp_path / "place")
    assert done.returncode == 0, done.stderr
    assert shamisa("cull", "--undo", "out", "--apply", cwd=tmp_path / "place").returncode == 0
    assert {name: (tmp_path / "place" / "photos" / name).read_bytes() for name in photos} == photos


@pytest.mark.slow
def test_a_killed_fit_of_a_direction_leaves_the_model_usable_and_the_next_one_completes(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    save_soft(tmp_path / "photos", 5, (96, 80))
    (tmp_path / "bad").mkdir()
    command = ["fit-direction", "--model", "model", "--data", "../photos", "--store", "store"]

    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        shutil.copytree(tiny_model, tmp_path / name / "model")
        return tmp_path / name

    whole = killed(command, make("whole"), None)
    wanted = FolderFiles(tmp_path / "whole" / "model").sha256(DIRECTION_WEIGHTS)
    for number in range(0, KILLS, 2):  # a run takes many seconds
        place = make(str(number))
        killed(command, place, whole * (0.1 + 0.9 * number / KILLS))
        FolderFiles(place / "model").verify()
        assert shamisa("models", "show", "model", cwd=place).returncode == 0
        done = shamisa(*command, cwd=place)
        assert done.returncode == 0, done.stderr
        assert FolderFiles(place / "model").sha256(DIRECTION_WEIGHTS) == wanted
        assert not list(place.rglob(f"{TEMPORARY}*"))


SETTINGS = {
    "shamisa": "init = 'none'\nsteps = 5\nprojector_hidden = 32\nprojector_out = 16\n[batch]\ncrop = 32\nphotos = 2\n"
    "scales = 1\ncompositions = 2\nlevels = 2\n",
    "relational": "init = 'none'\nsteps = 5\n[batch]\nsets = 1\nversions = 2\ncrop = 64\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("task", SETTINGS)
def test_a_killed_training_run_is_resumed_to_the_model_of_a_whole_one(tmp_path: Path, task: str) -> None:
    (tmp_path / "photos").mkdir()
    save_soft(tmp_path / "photos", 4, (100, 90))
    (tmp_path / "settings.toml").write_text(SETTINGS[task])
    here = ["--workers", "0", "--device", "cpu", "--checkpoint-every", "1"]
    begin = ["train", "--task", task, "--data", "photos", "--config", "settings.toml", *here]
    whole = killed([*begin, "-o", "whole"], tmp_path, None)
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole" / "model").glob("*.safetensors")}
    assert files
    for number in range(KILLS):
        run = tmp_path / str(number)
        killed([*begin, "-o", str(run)], tmp_path, whole * (0.1 + 0.9 * number / KILLS))
        is_begun = (run / "run.json").exists()
        assert not (run / "model").exists() or is_model(run / "model")
        again = ["train", "-o", str(run), "--resume", *here] if is_begun else [*begin, "-o", str(run)]
        done = shamisa(*again, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert {name: (run / "model" / name).read_bytes() for name in files} == files
        assert numbers(run) == numbers(tmp_path / "whole")
        assert not list(run.rglob(f"{TEMPORARY}*"))


@pytest.mark.slow
def test_a_killed_download_is_completed_by_the_next_and_never_used_as_it_is(
    tiny_model: Path, tmp_path: Path, hub: LoopbackHub
) -> None:
    hub.publish("lab/killed", tiny_model)
    for number in range(KILLS):
        home = tmp_path / str(number)
        home.mkdir()
        variables = ENVIRONMENT | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        pull = ["models", "pull", "hf:lab/killed"]
        killed_once(pull, tmp_path, lambda home=home: any(home.rglob("*.incomplete")), 0.01 * number, env=variables)
        used = shamisa("models", "show", "hf:lab/killed", "--offline", env=variables)
        assert used.returncode == 0 or "not completely in this machine's cache" in used.stderr, used.stderr
        assert shamisa("models", "list", env=variables).returncode == 0
        done = shamisa(*pull, env=variables)
        assert done.returncode == 0, done.stderr
        assert shamisa("models", "show", "hf:lab/killed", "--offline", "--verify", env=variables).returncode == 0
