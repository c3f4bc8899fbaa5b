"""The relational model that ships, on the example photographs and what was done to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import shamisa_cli
from shamisa_cli.core.images import decode

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "photos"
PAIRS = {
    path.with_name(f"{path.stem.rpartition('_')[0]}.jpg"): path
    for path in sorted(EXAMPLES.glob("*_*.jpg"))
    if path.stem != "deep_field"
}

pytestmark = pytest.mark.skipif(not PAIRS, reason="the example photographs are not here")


@pytest.mark.slow
def test_spoiled_examples_are_worse_than_their_originals() -> None:
    assert len(PAIRS) == 12
    for original, spoiled in PAIRS.items():
        (candidate,) = shamisa_cli.compare(original, [spoiled]).candidates
        assert candidate.score < -10, spoiled.name


def test_the_map_points_to_the_half_that_was_spoiled_and_says_how() -> None:
    pixels = decode(EXAMPLES / "coffee.jpg").pixels
    noisy = pixels.astype(float)
    half = pixels.shape[1] // 2
    noisy[:, :half] += np.random.default_rng(0).normal(0, 20, noisy[:, :half].shape)
    (candidate,) = shamisa_cli.compare(pixels, [noisy.clip(0, 255).astype(np.uint8)]).candidates
    noise = candidate.maps["noise"]
    places = noise.shape[1] // 2
    assert noise[:, : places - 2].mean() > 1
    assert abs(noise[:, places + 2 :].mean()) < 0.1
    assert max(candidate.groups, key=lambda group: abs(candidate.groups[group])) == "noise"


def test_swapping_a_pair_flips_its_sign_and_equals_are_zero() -> None:
    original, spoiled = next(iter(PAIRS.items()))
    forth = shamisa_cli.compare(original, [spoiled, original]).candidates
    (back,) = shamisa_cli.compare(spoiled, [original]).candidates
    assert forth[0].score == -back.score
    assert forth[1].score == 0


def test_files_rewritten_without_loss_are_the_same_pictures(tmp_path: Path) -> None:
    cat, spoiled = (decode(EXAMPLES / name).pixels[:96, :128] for name in ("cat.jpg", "cat_white-noise.jpg"))
    written: dict[str, Path] = {}
    for name, pixels in (("cat", cat), ("spoiled", spoiled)):
        for suffix, options in (("png", {}), ("webp", {"lossless": True, "exact": True})):
            written[f"{name}.{suffix}"] = tmp_path / f"{name}.{suffix}"
            Image.fromarray(pixels).save(tmp_path / f"{name}.{suffix}", **options)
    same, changed = shamisa_cli.compare(written["cat.png"], [written["cat.webp"], written["spoiled.png"]]).candidates
    assert (same.score, same.difference) == (0, 0)
    (again,) = shamisa_cli.compare(written["cat.webp"], [written["spoiled.webp"]]).candidates
    assert (again.score, again.difference, again.direction) == (changed.score, changed.difference, changed.direction)
