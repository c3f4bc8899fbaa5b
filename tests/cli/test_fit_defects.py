"""fit-defects, and what score then tells, as a person uses them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from shamisa_cli.core.groups import GROUPS


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pristine")
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in a folder that has the name of a bundled one."""
    return Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("with-defects") / "shamisa-lite0"))


def test_a_model_learns_to_tell_defects_and_score_tells_them(  # type: ignore[no-untyped-def]
    shamisa, model: Path, pristine: Path, photos: Path
) -> None:
    before = json.loads(shamisa("score", photos, "--model", model, "-f", "json").stdout)["images"]
    assert [image["defects"] for image in before] == [None] * 4

    fitted = shamisa("fit-defects", "--model", model.name, "--data", pristine, "--versions", 6, cwd=model.parent)
    assert fitted.returncode == 0, fitted.stderr
    rows = [line.split()[0] for line in fitted.stdout.splitlines() if line.strip()]
    assert rows[2:] == list(GROUPS)

    card = (model / "README.md").read_text()
    assert card.startswith("# A model for tests")
    assert "36 versions of 6 photographs" in card
    assert f"shamisa fit-defects --model {model.name} --data {pristine.name} --versions 6" in card

    after = json.loads(shamisa("score", photos, "--model", model, "-f", "json").stdout)["images"]
    assert [image["score"] for image in after] == [image["score"] for image in before]
    for image in after:
        assert list(image["defects"]) == list(GROUPS)
        assert all(0 <= severity <= 4 for severity in image["defects"].values())
    table = csv.DictReader(io.StringIO(shamisa("score", photos, "--model", model, "-f", "csv").stdout))
    for row, image in zip(table, after, strict=True):
        assert {name: float(row[f"defect_{name}"]) for name in GROUPS} == image["defects"]


def test_groups_that_are_told_by_chance_alone_are_named(shamisa, tiny_model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = shutil.copytree(tiny_model, tmp_path / "model")
    flat = tmp_path / "flat"
    flat.mkdir()
    for number in range(5):  # nothing to read a distortion in
        Image.new("RGB", (32, 32), (128, 128, 128 + number)).save(flat / f"{number}.png")
    fitted = shamisa("fit-defects", "--model", model, "--data", flat, "--versions", 2)
    assert fitted.returncode == 0, fitted.stderr
    assert "hardly from chance on photographs it was not fitted on (5 photographs)" in fitted.stderr


def test_a_name_that_is_no_folder_of_a_model_is_a_usage_error(shamisa, pristine: Path) -> None:  # type: ignore[no-untyped-def]
    done = shamisa("fit-defects", "--model", pristine, "--data", pristine)
    assert done.returncode == 2
    assert "is not a model folder" in done.stderr


def test_too_few_photographs_leave_the_model_as_it_was(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, pristine: Path
) -> None:
    before = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
    done = shamisa("fit-defects", "--model", tiny_model, "--data", pristine / "0.png", "--versions", 2)
    assert done.returncode == 2
    assert "defects need at least 5" in done.stderr
    assert {path.name: path.read_bytes() for path in tiny_model.iterdir()} == before
