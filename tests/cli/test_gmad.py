"""evaluate --gmad, as a person types it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from shamisa_cli.core.models.folder import save_probe
from shamisa_cli.core.models.probe_files import read_probe

PICTURES = 12


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    lines = ["image,mos"]
    for number in range(PICTURES):
        noise = np.random.default_rng(number).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(number / 3)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{5 - number / 3:.3f}")
    (folder / "mos.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def rival(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same encoder with another regressor."""
    folder = tmp_path_factory.mktemp("rival") / "rival"
    shutil.copytree(tiny_model, folder)
    probe = read_probe(tiny_model)
    weights = np.random.default_rng(9).normal(0, 0.05, len(probe.weights))
    save_probe(folder, replace(probe, weights=weights))
    return folder


def test_pairs_are_found_without_human_scores_and_drawn(
    shamisa: Callable, pictures: Path, tiny_model: Path, rival: Path, tmp_path: Path
) -> None:
    figure = tmp_path / "pairs.png"
    answer = shamisa(
        "evaluate", pictures, "--model", tiny_model, "--gmad", rival, "--gmad-figure", figure, "--format", "json"
    )
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["mos"], document["results"]) == (None, [])
    scored = {
        str(model): {image["path"]: image for image in json.loads(
            shamisa("score", pictures, "--model", model, "--format", "json").stdout)["images"]}
        for model in (tiny_model, rival)
    }  # fmt: skip
    pairs = document["gmad"]["pairs"]
    assert [pair["defender"] for pair in pairs] == ["a"] * 3 + ["b"] * 3
    for pair in pairs:
        for picture in (pair["better"], pair["worse"]):
            for letter, model in (("a", tiny_model), ("b", rival)):
                assert picture["scores"][letter] == scored[str(model)][picture["path"]]["score"]
        attacker = {"a": tiny_model, "b": rival}[pair["attacker"]]
        better, worse = (scored[str(attacker)][pair[name]["path"]]["mos"] for name in ("better", "worse"))
        assert better > worse
    with Image.open(figure) as sheet:
        assert sheet.format == "PNG"


def test_with_a_table_the_pairs_say_what_people_said(
    shamisa: Callable, pictures: Path, tiny_model: Path, rival: Path
) -> None:
    answer = shamisa("evaluate", "--mos", pictures / "mos.csv", "--model", tiny_model, "--gmad", rival)
    assert answer.returncode == 0, answer.stderr
    assert "SRCC" in answer.stdout
    assert "defends: calls both equal" in answer.stdout
    assert "people" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a table of human scores with --mos FILE"),
        (["--mos", "mos.csv", "a.jpg"], "--gmad without --mos"),
        (["--gmad-figure", "x.png"], "--gmad-figure goes with --gmad"),
        (["a.jpg", "--gmad", "x", "--gmad-figure", "x.pdf"], "must name a .png file"),
        (["--mos", "mos.csv", "--gmad-levels", "5"], "--gmad-levels goes with --gmad"),
        (["--mos", "mos.csv", "--limit", "5"], "--limit goes with --run"),
        (["--mos", "mos.csv", "--every", "5"], "--every goes with --run"),
        (["--mos", "mos.csv", "--splits", "5"], "--splits goes with --cross, --reference-column or --protocol paper"),
        (["--mos", "mos.csv", "--run", "run", "--probe", "p"], "--probe does not go with --run"),
    ],
)
def test_what_does_not_go_together_is_said_at_once(shamisa: Callable, arguments: list[str], said: str) -> None:
    answer = shamisa("evaluate", *arguments)
    assert answer.returncode == 2
    assert said in answer.stderr
