"""Nothing that was named, or is in a folder that was named, is left out in silence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa

from shamisa_cli.core.cluster.sources import find_sources, read_bytes
from shamisa_cli.core.errors import ImageError

real_scandir = os.scandir


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures, a folder that may not be listed, and links that lead nowhere or in a circle."""
    folder = tmp_path / "photos"
    save_noise(folder, [(120, 80)] * 2)
    save_noise(folder / "closed", [(120, 80)])
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "folder-gone").symlink_to(tmp_path / "nowhere")
    (folder / "circle").symlink_to("circle")
    (folder / "notes.txt").symlink_to("nowhere.txt")

    def scandir(path: str | Path = ".") -> object:  # root may list every folder, so its permissions would not do
        if path == folder / "closed" or path == str(folder / "closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "listdir", lambda path=".": [entry.name for entry in scandir(path)])  # type: ignore[attr-defined]
    return folder


BROKEN = {"closed", "gone.jpg", "folder-gone", "circle"}


@pytest.mark.parametrize("named", ["", "*", "**"])
def test_what_cannot_be_reached_is_a_row_that_says_why(tiny_model: Path, photos: Path, named: str) -> None:
    done = shamisa("score", photos / named, "--model", tiny_model, "-f", "json", "--min-score", "0")
    assert done.returncode == 3, done.stderr
    images = {Path(image["path"]).name: image for image in json.loads(done.stdout)["images"]}
    broken = {name for name, image in images.items() if image["error"]}
    assert broken - {"notes.txt"} == BROKEN
    assert {"0.jpg", "1.jpg"} <= images.keys()
    assert "Permission denied" in images["closed"]["error"]["message"]
    assert "is a link to what does not exist" in images["gone.jpg"]["error"]["message"]


@pytest.mark.parametrize(
    "command",
    [
        "embed {} -o {}/../f.npz",
        "rank {}",
        "cull {} --stars",
        "compare {}/0.jpg {}",
        "compare {} {}/../copy",
        "score {}",
    ],
)
def test_every_command_exits_with_3(tiny_model: Path, relational_folder: Path, photos: Path, command: str) -> None:
    save_noise(photos.parent / "copy", [(120, 80)] * 2)
    model = relational_folder if command.startswith(("rank", "compare")) else tiny_model
    done = shamisa(*command.replace("{}", str(photos)).split(), "--model", model)
    assert done.returncode == 3, done.stderr
    assert "Permission denied" in done.stdout + done.stderr


def test_a_folder_deeper_than_paths_may_be_long_is_a_row(tiny_model: Path, tmp_path: Path) -> None:
    (picture,) = save_noise(tmp_path / "photos", [(120, 80)])
    here = Path.cwd()
    os.chdir(picture.parent)
    try:
        for _ in range(20):
            os.mkdir("d" * 250)  # noqa: PTH102
            os.chdir("d" * 250)
    finally:
        os.chdir(here)
    done = shamisa("score", picture.parent, "--model", tiny_model, "-f", "json")
    assert done.returncode == 3, done.stderr
    assert "File name too long" in done.stdout


def test_a_job_on_a_cluster_keeps_them_too(photos: Path) -> None:
    found = find_sources([photos]).pictures
    contents = {Path(each.path).name: read_bytes(each) for each in found}
    assert {name for name, content in contents.items() if isinstance(content, ImageError)} == BROKEN
