"""Inputs as people have them: misspelt, empty, too many, of another day."""

from __future__ import annotations

import json
import os
from pathlib import Path

from helpers.program import Program


def images(shamisa: Program, tiny_model: Path, *arguments: object, code: int = 0) -> list[dict[str, object]]:
    ran = shamisa("score", *arguments, "--model", tiny_model, "-f", "json")
    assert ran.returncode == code, ran.stderr
    found: list[dict[str, object]] = json.loads(ran.stdout)["images"]
    return found


def test_a_misspelt_path_and_an_empty_folder_are_rows_and_the_rest_is_scored(
    shamisa: Program, tiny_model: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    named = (tmp_path / "typo.jpg", photos, tmp_path / "empty", tmp_path / "*.tiff")
    found = images(shamisa, tiny_model, *named, code=3)
    assert [image["status"] for image in found] == ["error", *["ok"] * 4, "error", "error"]
    assert [image["error"]["kind"] for image in found if image["error"]] == [  # type: ignore[index]
        "missing", "unreadable", "missing",
    ]  # fmt: skip


def test_only_where_nothing_could_be_done_is_it_an_error(shamisa: Program, tiny_model: Path, tmp_path: Path) -> None:
    ran = shamisa("score", tmp_path / "typo.jpg", tmp_path / "gone", "--model", tiny_model)
    assert ran.returncode == 2
    assert "typo.jpg" in ran.stderr


def test_globs_that_the_shell_left_alone_are_expanded(shamisa: Program, tiny_model: Path, photos: Path) -> None:
    assert len(images(shamisa, tiny_model, photos / "[01].jpg")) == 2


def test_pictures_are_left_out_by_pattern_and_date(shamisa: Program, tiny_model: Path, photos: Path) -> None:
    os.utime(photos / "0.jpg", (0, 0))
    found = images(shamisa, tiny_model, photos, "--exclude", "1.*", "--exclude", "/3.jpg", "--since", "2001-01-01")
    assert [Path(str(image["path"])).name for image in found] == ["2.jpg", "3.jpg"]
    ran = shamisa("score", photos, "--exclude", "*", "--model", tiny_model)
    assert ran.returncode == 2
    assert "leave out all 4 of them" in ran.stderr
    assert shamisa("score", photos, "--since", "tomorrow", "--model", tiny_model).returncode == 2


def test_a_picture_with_two_names_is_left_out_only_if_both_are(
    shamisa: Program, tiny_model: Path, photos: Path, tmp_path: Path
) -> None:
    for name in ("drafts", "hero"):
        (tmp_path / name).mkdir()
    (photos / "0.jpg").rename(tmp_path / "drafts" / "0.jpg")
    (tmp_path / "hero" / "cover.jpg").symlink_to("../drafts/0.jpg")
    folders = (tmp_path / "drafts", tmp_path / "hero")
    (tmp_path / "current").symlink_to("drafts")
    for inputs in (tmp_path, tmp_path / "**" / "*.jpg", tmp_path / "*"):
        found = images(shamisa, tiny_model, inputs, "--exclude=photos/", "--exclude=current/")
        assert [Path(str(image["path"])).name for image in found] == ["0.jpg"]
    (tmp_path / "current").unlink()
    for patterns, names in ((["drafts/"], ["cover.jpg"]), (["*.png"], ["0.jpg"])):
        (tmp_path / "list").write_text(str(tmp_path))
        for inputs in (folders, ("--files-from", tmp_path / "list")):
            found = images(
                shamisa, tiny_model, *inputs, "--exclude=photos/", *(f"--exclude={each}" for each in patterns)
            )
            assert [Path(str(image["path"])).name for image in found] == names
