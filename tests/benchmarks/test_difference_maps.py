"""benchmarks/difference_maps.py and unseen_distortions.py: training by maps of difference, and its judge."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from helpers.program import run_script_here
from safetensors.torch import load_file

from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.probe.mos_table import MosTable

ROOT = Path(__file__).parents[2]
FIRST = 9


@pytest.fixture
def difference_maps(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import difference_maps

    return difference_maps


@pytest.fixture
def unseen_distortions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import unseen_distortions

    return unseen_distortions


@pytest.mark.slow
def test_only_the_later_stages_are_trained(difference_maps: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HEADS_FIRST": 0, "WARMUP": 1, "CROPS_A_STEP": 2, "CROPS_A_PHOTO": 2, "OTHERS": 1}.items():
        monkeypatch.setattr(difference_maps, name, value)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    start = build_backbone("efficientnet_lite0").eval()
    photos = [ROOT / "examples" / "photos" / "coffee.jpg"]
    material = difference_maps.make_material(start, FIRST, photos, photos, ["gaussian blur", "white noise"], 2, rng)
    assert (material.targets[:, 0] == 0).all()
    assert (material.targets[:, 1:].amax(dim=(2, 3)) > 0).all()
    with torch.no_grad():
        hidden = difference_maps.hidden_maps(start, FIRST, material.maps.flatten(0, 1).float())
    later = difference_maps.Later(copy.deepcopy(start), FIRST, difference_maps.standard_scales(hidden))
    difference_maps.train(later, start, material, 2, rng)
    changed = [
        any(not torch.equal(now, then) for now, then in zip(after.parameters(), before.parameters(), strict=True))
        for after, before in zip(later.backbone.stage_modules(), start.stage_modules(), strict=True)
    ]
    assert changed == [False] * FIRST + [True] * (len(changed) - FIRST - 1) + [False]


@pytest.mark.parametrize(("sign", "share"), [(1.0, 1.0), (-1.0, 0.0)])
def test_the_judge_finds_versions_in_order(unseen_distortions: ModuleType, sign: float, share: float) -> None:
    """The first feature is quality in rated images; in versions it is quality as well, or its opposite."""
    rng = np.random.default_rng(1)
    marks = rng.uniform(-1, 1, 200)
    rows = np.column_stack([marks, 0.01 * rng.normal(size=(200, 3))]).astype(np.float32)
    table = MosTable(tuple(Path(f"{row}.png") for row in range(200)), marks)
    place = np.arange(40)
    versions = unseen_distortions.Versions(
        images=[],
        photo=place // 10,
        original=place // 10 * 10,
        rank=place % 10 / 10,
        pairs=np.array([(first, first + 4) for first in place if 1 <= first % 10 <= 5]),
    )
    changed = np.column_stack([sign * (0.5 - place % 10 / 10), np.zeros((40, 3))]).astype(np.float32)
    marked, below, pairs = unseen_distortions.judged(rows, changed, table, versions).T
    assert marked.min() > 0.95
    assert (below == share).all()
    assert (pairs == share).all()


@pytest.mark.slow
def test_both_scripts_run_from_photographs_to_the_comparison(tmp_path: Path) -> None:
    photos = ROOT / "examples" / "photos"
    judged = tmp_path / "judged"
    judged.mkdir()
    shutil.copy(photos / "coffee.jpg", judged)
    rated = sorted(photos.glob("*.jpg"))
    rows = [f"{path},{number % 5 / 4}" for number, path in enumerate(rated)]
    (tmp_path / "mos.csv").write_text("\n".join(["image,mos", *rows]))

    def run(script: str, *arguments: object) -> str:
        done = run_script_here(ROOT / "benchmarks" / script, *arguments, "--architecture", "efficientnet_lite0")
        assert done.returncode == 0, done.stderr
        assert "UserWarning" not in done.stderr
        return done.stdout

    weights = tmp_path / "trained.safetensors"
    run("difference_maps.py", photos, "--real", judged, "--init", "none", "--crops", 8, "--steps", 1, "-o", weights)
    assert load_file(weights).keys() == build_backbone("efficientnet_lite0").state_dict().keys()
    options = ("--mos", tmp_path / "mos.csv", "--photos", judged, "--view", 96)
    judgement = run("unseen_distortions.py", weights, weights, *options)
    assert f"{len(rated)} scores; 39 images of 1 photographs" in judgement
    assert judgement.count("from the start +0.0000 ± 0.0000, above in 0") == 3
