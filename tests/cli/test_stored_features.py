"""fit-probe --features: stored features hold for the pictures that were embedded, and for no others of their names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import save_noise
from helpers.program import Finished
from helpers.program import run_here as shamisa

from shamisa_cli.core.images.decoding import READING
from shamisa_cli.core.models.probe_files import read_probe
from shamisa_cli.core.scoring import provenance

PICTURES = 16


def rated(folder: Path, seed: int) -> Path:
    """A folder of pictures 0.jpg, 1.jpg … with a table of their scores."""
    save_noise(folder, [(40 + number, 48 + seed) for number in range(PICTURES)])
    rows = [f"{number}.jpg,{number % 5}" for number in range(PICTURES)]
    (folder / "mos.csv").write_text("\n".join(["image,mos", *rows]) + "\n")
    return folder


@pytest.fixture
def shoots(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shoots whose pictures have the same names, the first embedded from inside its folder into a.npz."""
    for seed, name in enumerate("ab"):
        rated(tmp_path / name, seed)
    monkeypatch.chdir(tmp_path / "a")
    embedded = shamisa("embed", ".", "-o", tmp_path / "a.npz", "--model", tiny_model)
    assert embedded.returncode == 0, embedded.stderr
    return tmp_path


def fit(shoots: Path, model: Path, mos: str = "a/mos.csv", output: str = "p") -> Finished:
    return shamisa(
        "fit-probe", "--mos", shoots / mos, "-o", shoots / output, "--model", model, "--splits", 2,
        "--features", shoots / "a.npz",
    )  # fmt: skip


def said(result: Finished) -> str:
    return " ".join(result.stderr.split())


def test_features_of_a_picture_that_was_replaced_are_refused(shoots: Path, tiny_model: Path) -> None:
    shutil.copy(shoots / "b" / "3.jpg", shoots / "a" / "3.jpg")
    result = fit(shoots, tiny_model)
    assert result.returncode == 2
    assert f"are not of {shoots}/a/3.jpg as it is now" in said(result)
    assert "shamisa embed" in said(result)
    assert not (shoots / "p").exists()


def test_features_of_another_folders_pictures_of_the_same_names_are_refused(
    shoots: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shoots / "b")
    result = fit(shoots, tiny_model, "b/mos.csv")
    assert result.returncode == 2
    assert f"are not of {shoots}/b/0.jpg (and 15 more) as it is now" in said(result)


def test_features_of_a_picture_that_was_edited_at_the_same_size_are_told(shoots: Path, tiny_model: Path) -> None:
    picture = shoots / "a" / "5.jpg"
    picture.write_bytes(picture.read_bytes()[::-1])
    os.utime(picture, (1, 1))
    result = fit(shoots, tiny_model)
    assert result.returncode == 0, result.stderr
    assert f"The time of change of {picture} is another" in said(result)


def test_features_of_another_way_of_reading_are_told(
    shoots: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "another version" not in said(fit(shoots, tiny_model))
    monkeypatch.setattr(provenance, "READING", 99)
    result = fit(shoots, tiny_model, output="p2")
    assert result.returncode == 0, result.stderr
    assert (
        f"were made by another version, which reads some pictures otherwise (reading {READING}; now reading 99)"
        in said(result)
    )


def test_a_table_that_was_carried_to_another_machine_holds_with_or_without_its_pictures(
    shoots: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "time of change" not in said(fit(shoots, tiny_model))
    expected = read_probe(shoots / "p").weights
    for number in range(PICTURES):
        carried = shoots / "carried" / f"{number}.jpg"
        carried.parent.mkdir(exist_ok=True)
        if number < 9:
            shutil.copyfile(shoots / "a" / f"{number}.jpg", carried)
            os.utime(carried, (1, 1))  # a copy made today
    shutil.copy(shoots / "a" / "mos.csv", shoots / "carried")
    shutil.rmtree(shoots / "a")
    monkeypatch.chdir(shoots)
    result = fit(shoots, tiny_model, "carried/mos.csv", "p2")
    assert result.returncode == 0, result.stderr
    assert "(and 8 more) is another than when it was embedded, and the size the same, as it is for a copy" in said(
        result
    )
    np.testing.assert_array_equal(read_probe(shoots / "p2").weights, expected)
