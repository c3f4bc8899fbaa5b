"""The recipes in examples/, run as a person runs them, with the model that ships."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.program import ENVIRONMENT, run_script_here
from PIL import ExifTags, Image

import shamisa_cli

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipes(example_photos: Path) -> Path:
    return example_photos.parent


@pytest.fixture
def shoot(example_photos: Path, tmp_path: Path) -> Path:
    """A folder with two photographs, a spoiled version of each, and a file that is none."""
    folder = tmp_path / "shoot"
    folder.mkdir()
    for name in ("coffee", "coffee_JPEG", "rocket", "rocket_motion-blur"):
        shutil.copy(example_photos / f"{name}.jpg", folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def fails(script: Path, *arguments: object) -> str:
    """What a recipe that ends with an error says on stderr, which is no traceback."""
    done = run_script_here(script, *arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def run(script: Path, *arguments: object) -> str:
    done = run_script_here(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_photograph_is_degraded(recipes: Path, shoot: Path, tmp_path: Path) -> None:
    run(recipes / "degrade.py", shoot / "coffee.jpg", "gaussian blur", "3.5", tmp_path / "blurred.jpg")
    with Image.open(tmp_path / "blurred.jpg") as blurred, Image.open(shoot / "coffee.jpg") as original:
        assert blurred.size == original.size


def test_culling_keeps_the_originals_and_moves_only_when_told(recipes: Path, shoot: Path, tmp_path: Path) -> None:
    before = sorted(shoot.iterdir())
    listed = run(recipes / "cull_a_shoot.py", shoot).splitlines()
    assert sorted(shoot.iterdir()) == before
    kept = {line.split("shoot/")[1] for line in listed if line.startswith("keep")}
    assert kept == {"coffee.jpg", "rocket.jpg"}
    assert any(line.startswith("skip") and "broken.jpg" in line for line in listed)

    rejects = tmp_path / "rejects"
    rejects.mkdir()
    (rejects / "coffee_JPEG.jpg").write_bytes(b"an earlier one")
    run(recipes / "cull_a_shoot.py", shoot, "--move-to", rejects)
    assert {path.name for path in shoot.iterdir()} == {"coffee.jpg", "rocket.jpg", "broken.jpg"}
    assert {path.name for path in rejects.iterdir()} == {
        "coffee_JPEG.jpg",
        "coffee_JPEG-1.jpg",
        "rocket_motion-blur.jpg",
    }
    assert (rejects / "coffee_JPEG.jpg").read_bytes() == b"an earlier one"


def test_the_best_of_each_burst_is_found(recipes: Path, shoot: Path) -> None:
    for name, moment in (
        ("coffee", "2026:01:01 10:00:01"),
        ("coffee_JPEG", "2026:01:01 10:00:00"),
        ("rocket", "2026:01:01 10:00:09"),
        ("rocket_motion-blur", "2026:01:01 10:00:10"),
    ):
        with Image.open(shoot / f"{name}.jpg") as picture:
            exif = picture.getexif()
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = moment
            picture.save(shoot / f"{name}.jpg", exif=exif, quality=95)
    first, second = run(recipes / "best_of_burst.py", shoot).splitlines()
    assert "coffee.jpg  (best of 2)" in first
    assert "rocket.jpg  (best of 2)" in second


@pytest.mark.parametrize("stamp", ["0000:00:00 00:00:00", "    :  :     :  :  ", "\0"])
def test_a_camera_whose_clock_was_never_set_does_not_end_the_search(recipes: Path, shoot: Path, stamp: str) -> None:
    with Image.open(shoot / "coffee.jpg") as picture:
        exif = picture.getexif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = stamp
        picture.save(shoot / "coffee.jpg", exif=exif)
    assert "(best of 4)" in run(recipes / "best_of_burst.py", shoot, "--gap", "1e9")


def test_a_burst_with_a_damaged_file_names_it_and_a_folder_without_pictures_is_said(
    recipes: Path, shoot: Path, tmp_path: Path
) -> None:
    (shoot / "new.jpg").mkdir()
    done = run_script_here(recipes / "best_of_burst.py", shoot, "--gap", "1e9")
    assert done.returncode == 0, done.stderr
    assert "(best of 4)" in done.stdout
    assert "broken.jpg" in done.stderr
    (tmp_path / "empty").mkdir()
    assert "No picture was found" in fails(recipes / "best_of_burst.py", tmp_path / "empty")
    assert "does not exist" in fails(recipes / "best_of_burst.py", tmp_path / "nowhere")


def test_a_picture_that_is_gone_since_it_was_scored_does_not_end_the_search(
    recipes: Path, shoot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = shamisa_cli.score

    def removing(*arguments: Any, **settings: Any) -> Any:
        records = original(*arguments, **settings)
        (shoot / "coffee.jpg").unlink()
        return records

    monkeypatch.setattr(shamisa_cli, "score", removing)
    lines = run(recipes / "best_of_burst.py", shoot).splitlines()
    assert sum(int(line.split("best of ")[1].rstrip(")")) for line in lines) == 4


@pytest.fixture
def watched(recipes: Path, tmp_path: Path) -> Iterator[tuple[Path, Any]]:
    """A folder under watch, and the lines that the watcher prints."""
    folder = tmp_path / "camera"
    folder.mkdir()
    command = [sys.executable, str(recipes / "watch_camera.py"), str(folder), "--recent", "1", "--every", "0.02"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        too_long = threading.Timer(240, process.kill)  # lines then end, and the test with them
        too_long.start()
        yield folder, map(json.loads, process.stdout)
        too_long.cancel()
        process.terminate()


def test_a_camera_that_gets_worse_raises_an_alarm(watched: tuple[Path, Any], example_photos: Path) -> None:
    folder, lines = watched
    assert next(lines) == {"watching": str(folder)}
    seen = []
    for name in ("rocket", "rocket_motion-blur"):
        shutil.copy(example_photos / f"{name}.jpg", folder)
        seen.append(next(lines))
    assert [Path(line["path"]).stem for line in seen] == ["rocket", "rocket_motion-blur"]
    assert [line["alarm"] for line in seen] == [False, True]
    (folder / "torn.jpg").write_bytes(b"not a picture")
    torn = next(lines)
    assert (torn["score"], torn["alarm"]) == (None, False)
    assert "torn.jpg" in torn["error"]


def test_what_is_no_picture_or_gone_again_does_not_end_the_watch(
    watched: tuple[Path, Any], example_photos: Path
) -> None:
    folder, lines = watched
    assert next(lines) == {"watching": str(folder)}
    (folder / "new.jpg").mkdir()
    (folder / "gone.jpg").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.jpg")
    for number in range(20):  # each is removed about when it is read
        brief = folder / f"brief{number}.jpg"
        shutil.copy(example_photos / "rocket.jpg", brief)
        time.sleep(0.05)
        brief.unlink()
    (folder / "damaged.jpg").write_bytes((example_photos / "coffee.jpg").read_bytes()[:2000])
    shutil.copy(example_photos / "coffee.jpg", folder / "last.jpg")
    seen = {}
    while "last.jpg" not in seen:
        line = next(lines)
        seen[Path(line["path"]).name] = line
    assert {name for name in seen if not name.startswith("brief")} == {"damaged.jpg", "last.jpg"}
    assert "damaged" in seen["damaged.jpg"]["error"]
    assert seen["last.jpg"]["score"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "No such file or directory"),
        ([".", "--recent", "0"], "--recent"),
        ([".", "--every", "-1"], "--every"),
    ],
)
def test_a_watch_that_cannot_begin_says_why(
    recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in fails(recipes / "watch_camera.py", *arguments)


@pytest.mark.skipif(shutil.which("git") is None or shutil.which("bash") is None, reason="there is no git or no bash")
def test_the_workflow_lets_good_pictures_pass_and_stops_bad_ones(
    recipes: Path, example_photos: Path, tmp_path: Path
) -> None:
    workflow = yaml.safe_load((recipes / "ci" / "image-quality.yml").read_text())
    [script] = [step["run"] for step in workflow["jobs"]["score"]["steps"] if "shamisa score" in step.get("run", "")]
    script = script.replace("origin/${{ github.base_ref }}", "base").replace("--min-score 40", "--min-score 50")
    program = tmp_path / "bin" / "shamisa"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m shamisa_cli "$@"\n')
    program.chmod(0o755)
    scratch = tmp_path / "scratch"
    places = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "RUNNER_TEMP": str(tmp_path)}

    def git(*arguments: str) -> None:
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *author, *arguments], cwd=scratch, check=True, capture_output=True)

    def checked() -> tuple[int, str]:
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=scratch, env=ENVIRONMENT | places, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    scratch.mkdir()
    git("init", "-q", "-b", "base")
    git("commit", "-q", "--allow-empty", "-m", "start")
    git("checkout", "-q", "-b", "change")
    assert checked() == (0, "")  # no picture changed
    shutil.copy(example_photos / "coffee.jpg", scratch / "a good one.jpg")
    git("add", ".")
    git("commit", "-q", "-m", "good")
    assert checked()[0] == 0
    shutil.copy(example_photos / "astronaut_gaussian-blur.jpg", scratch / "bad.jpg")
    git("add", ".")
    git("commit", "-q", "-m", "bad")
    code, annotations = checked()
    assert code == 1
    assert "::error file=bad.jpg" in annotations
    assert "a good one" not in annotations
