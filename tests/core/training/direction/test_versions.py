"""Versions of photographs whose order is known: every kind is drawn, and repairs bring a photograph back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.training.direction.damages import gamma_changed, over_sharpened, soft
from shamisa_cli.core.training.direction.repairs import REPAIRS
from shamisa_cli.core.training.direction.versions import DENOISING, FAINT, FILES, SHARPENED, SOFTENED, versions

PHOTO = Path(__file__).parents[4] / "examples" / "photos" / "flower.jpg"


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A photograph reduced by half, 192 × 192 of it."""
    picture = Image.open(PHOTO).convert("RGB")
    small = np.asarray(picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS))
    return np.ascontiguousarray(small[:192, 64:256])


def test_each_photograph_has_faint_files_and_a_denoised_version(photo: Pixels) -> None:
    made = versions(photo, np.random.default_rng(0))
    assert made[0].role == "original"
    assert {version.kind for version in made if version.kind in FILES and version.strength <= FAINT} == set(FILES)
    (denoised,) = (version for version in made if version.kind == DENOISING and version.role == "repaired")
    assert made[denoised.parent].kind == f"for {DENOISING}"
    for version in made[1:]:
        assert version.pixels.shape == photo.shape
        assert version.parent == 0 or version.role in ("repaired", "overdone", "again", "copied")


def test_each_photograph_has_copies_of_a_jpeg_and_is_sharpened_and_softened_a_little(photo: Pixels) -> None:
    made = versions(photo, np.random.default_rng(0))
    copies = [version for version in made if version.role == "copied"]
    assert [made[version.parent].kind for version in copies] == ["JPEG file", "JPEG file"]
    assert copies[0].kind == "JPEG file"
    assert any(version.kind == SHARPENED and version.strength <= FAINT for version in made)
    assert [version.strength for version in made if version.role == "softened"] == list(SOFTENED)


def test_what_is_soft_is_sharpened_far_too_much_or_not_at_all(photo: Pixels) -> None:
    """A little would repair it, and count as damage."""
    blurred = soft(photo, 0.4, np.random.default_rng(0))
    sharp, from_soft = (
        difference(pixels, over_sharpened(pixels, 0, np.random.default_rng(0))).value for pixels in (photo, blurred)
    )
    unsharp = Image.fromarray(blurred).filter(ImageFilter.UnsharpMask(2, 150, 0))
    assert from_soft > 0.5 * difference(blurred, np.asarray(unsharp)).value
    assert sharp < difference(photo, over_sharpened(photo, 0.5, np.random.default_rng(0))).value / 2


def test_the_versions_depend_on_the_seed_alone(photo: Pixels) -> None:
    first, again, other = (versions(photo, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("kind", [kind for kind in REPAIRS if kind not in ("denoising", "deblocking")])
def test_a_repair_is_mostly_nearer_to_the_photograph_and_too_much_of_it_further(kind: str, photo: Pixels) -> None:
    """Whether a filter takes more noise than detail depends on the photograph; the material is measured for that."""
    rng, nearer, further = np.random.default_rng(0), 0, 0
    for _ in range(4):
        found = REPAIRS[kind](photo, rng)
        damaged, repaired, overdone = (
            difference(photo, pixels).value for pixels in (found.damaged, found.repaired, found.overdone)
        )
        nearer += repaired < damaged
        further += repaired < overdone
    assert nearer >= 3
    assert further >= 3


def test_a_gamma_keeps_black_and_white_and_brightens_what_lies_between() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, -1, 1).repeat(3, axis=2)
    brighter = gamma_changed(ramp, 1.0)[0, :, 0].astype(int)
    assert (brighter[0], brighter[255]) == (0, 255)
    assert brighter[128] > 150
    assert (np.diff(brighter) >= 0).all()
    assert abs(gamma_changed(gamma_changed(ramp, 1.0), -1.0).astype(int) - ramp)[:, 40:].max() <= 2
