"""Machines that name the same pictures differently lose none, and parts of different pictures are not joined."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa

from shamisa_cli.core.cluster.store import open_parts
from shamisa_cli.core.errors import ModelError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_noise(tmp_path / "m", [(64, 64)] * 6)
    save_noise(tmp_path / "m" / "sub", [(64, 64)] * 6)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["score", "embed"])
def test_spellings_of_one_folder_are_divided_alike(tiny_model: Path, place: Path, command: str) -> None:
    (place / "link").symlink_to(place / "m")
    (place / "list").write_text("\n".join(str(path) for path in sorted((place / "m").rglob("*.jpg"), reverse=True)))
    spellings = [["m"], [place / "m"], ["m/sub/.."], ["link"], ["--files-from", "list"], ["m/**"]]
    for part, named in enumerate(spellings, 1):
        done = shamisa(command, *named, "--model", tiny_model, "--shard", f"{part}/6", "-o", "out")
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stderr
    table = open_parts("out").to_table(columns=["path"])
    assert Counter(map(os.path.realpath, table["path"].to_pylist())) == Counter(map(str, (place / "m").rglob("*.jpg")))


def test_parts_of_different_pictures_are_not_joined(tiny_model: Path, place: Path) -> None:
    run = ("--model", tiny_model, "-o", "out", "--shard")
    assert shamisa("score", "m", *run, "1/2").returncode == 0
    (place / "m" / "0.jpg").rename(place / "m" / "new.jpg")
    done = shamisa("score", "m", *run, "2/2")
    assert "not all the same" in done.stderr
    with pytest.raises(ModelError, match="different pictures"):
        open_parts("out")
    assert shamisa("score", "m", *run, "1/2").returncode == 0
    assert open_parts("out").count_rows() == 12


@pytest.mark.parametrize("suffix", ["parquet", "npz", "safetensors"])
def test_a_file_of_one_part_is_not_replaced_by_another(tiny_model: Path, place: Path, suffix: str) -> None:
    run = ("--model", tiny_model, "-o", f"all.{suffix}")
    assert shamisa("embed", "m", *run, "--shard", "1/2").returncode == 0
    before = (place / f"all.{suffix}").read_bytes()
    for named in ("m", place / "m"):
        assert shamisa("embed", named, *run, "--shard", "2/2").returncode == 2
    assert (place / f"all.{suffix}").read_bytes() == before
    (place / "m" / "0.jpg").unlink()
    assert shamisa("embed", place / "m", *run, "--shard", "1/2").returncode == 0
