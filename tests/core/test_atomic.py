"""Files are complete or absent, and have the permissions that the user's mask gives, whatever library wrote them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shamisa_cli.core import atomic
from shamisa_cli.core.atomic import TEMPORARY, filling, replacing, replacing_together


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_may_be_read_by_those_whom_the_mask_allows(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "a.safetensors") as temporary:
            save_file({"a": np.zeros(2, np.float32)}, temporary)
            temporary.chmod(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone can give a file away")
def test_a_file_that_root_replaces_stays_its_owners_and_is_never_anyone_elses_to_read(tmp_path: Path) -> None:
    file = tmp_path / "a.xmp"
    file.touch()
    file.chmod(0o640)
    os.chown(file, 12345, 23456)
    with replacing(file) as temporary:
        assert temporary.stat().st_mode & 0o077 == 0
        temporary.write_text("new")
    assert (file.stat().st_uid, file.stat().st_gid, file.stat().st_mode & 0o777) == (12345, 23456, 0o640)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a.xmp").touch(mode)
    (tmp_path / "a.xmp").chmod(mode)
    with replacing(tmp_path / "a.xmp") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a.xmp").read_text() == "new"
    assert (tmp_path / "a.xmp").stat().st_mode & 0o777 == mode


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("old")
    monkeypatch.setattr(atomic, "may", lambda path, _access: path != tmp_path / "a.csv")  # who runs this may be root
    with pytest.raises(PermissionError, match="Permission denied"), replacing(tmp_path / "a.csv") as temporary:
        temporary.write_text("new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_files_that_belong_together_are_all_on_the_disk_before_the_first_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = [tmp_path / name for name in ("weights", "list")]
    for target in targets:
        target.write_text("old")
    fsync, calls = os.fsync, []

    def full_disk(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == len(targets):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"), replacing_together(targets) as (first, second):
        (first.write_text("new"), second.write_text("new"))
    assert [target.read_text() for target in targets] == ["old", "old"]
    assert not list(tmp_path.glob(f"{TEMPORARY}*"))


def test_a_new_folder_appears_with_all_of_its_files_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, seen = tmp_path / "deep" / "model", []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        seen.append(folder.exists())
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    with filling(folder, ["weights", "list"]) as files:
        for file in files:
            file.write_text("new")
            assert not folder.exists()
    assert seen == [False]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"weights": "new", "list": "new"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_folder_that_another_made_meanwhile_keeps_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def fill() -> None:
        with filling(folder, ["list"]) as (file,):
            file.write_text("new")
            folder.mkdir()
            (folder / "list").write_text("another's")

    with pytest.raises(OSError, match="not empty") as raised:
        fill()
    assert raised.value.filename == str(folder)
    assert (folder / "list").read_text() == "another's"
    assert not list(tmp_path.glob(f"{TEMPORARY}*"))


def test_files_of_a_folder_that_is_there_are_replaced_and_others_stay(tmp_path: Path) -> None:
    for name in ("list", "notes"):
        (tmp_path / name).write_text("old")
    with filling(tmp_path, ["list"]) as (file,):
        file.write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"list": "new", "notes": "old"}


@pytest.mark.parametrize("has_links", [True, False])
def test_a_new_file_never_replaces_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not has_links:  # as on memory cards
        monkeypatch.setattr(atomic.os, "link", link)
    with replacing(tmp_path / "new", only_new=True) as temporary:
        temporary.write_text("mine")
    assert (tmp_path / "new").read_text() == "mine"
    with pytest.raises(FileExistsError), replacing(tmp_path / "new", only_new=True) as temporary:
        temporary.write_text("other")
    assert (tmp_path / "new").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
