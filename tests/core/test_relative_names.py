"""One picture has one name in baselines and rules, whichever way a person came to it."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path

import pytest

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.relative_names import RelativeNames, common_folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with pictures, some behind a link to another disk; and a link to the project."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "d.jpg").touch()
    (tmp_path / "project" / "photos").mkdir(parents=True)
    (tmp_path / "project" / "photos" / "a.jpg").touch()
    (tmp_path / "project" / "archive").symlink_to(tmp_path / "disk")
    (tmp_path / "project" / "alias.jpg").symlink_to("photos/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("base", ["project", "link", "link/photos/.."])
@pytest.mark.parametrize("way", ["project", "link", "project/photos/.."])
@pytest.mark.parametrize("name", ["photos/a.jpg", "archive/d.jpg", "alias.jpg"])
def test_a_name_is_the_same_by_every_way(tmp_path: Path, base: str, way: str, name: str) -> None:
    assert RelativeNames(tmp_path / base).of(f"{tmp_path}/{way}/{name}") == name


def test_names_are_the_same_from_every_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = {project: "photos/a.jpg", project / "photos": "a.jpg", project.parent: "link/photos/a.jpg"}
    for place, path in ways.items():
        monkeypatch.chdir(place)
        assert RelativeNames(project).of(path) == "photos/a.jpg"


def test_what_lies_elsewhere_is_named_from_the_nearest_shared_folder(tmp_path: Path, project: Path) -> None:
    names = RelativeNames(project / "ci")
    assert names.of(str(project / "photos" / "a.jpg")) == "../photos/a.jpg"
    assert names.of(str(project / "archive" / "d.jpg")) == "../archive/d.jpg"
    assert names.of(str(tmp_path / "disk" / "d.jpg")) == "../../disk/d.jpg"


def test_pictures_on_several_drives_are_told_to_be_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "commonpath", ntpath.commonpath)
    with pytest.raises(SettingError, match="lie on several drives"):
        common_folder([Path("C:\\photos"), Path("D:\\photos")])
