"""Files on which scores used to mislead, as the bundled model judges them: tiny, blurred, very wide, and empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

import shamisa_cli as shamisa
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, FAST_MODEL

pytestmark = pytest.mark.slow

PHOTO = Path(__file__).parents[3] / "examples" / "photos" / "cat.jpg"
SIDES = (400, 256, 128, 64, 32, 16, 1)


def judged(folder: Path) -> dict[str, shamisa.ImageRecord]:
    return {Path(record.path).stem: record for record in shamisa.score([folder])}


def points(record: shamisa.ImageRecord) -> float:
    assert record.score is not None
    return record.score


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, shamisa.ImageRecord]:
    """A photograph from 400 pixels to one, and its blurred twin."""
    folder = tmp_path_factory.mktemp("ladder")
    photo = Image.open(PHOTO).convert("RGB")
    blurred = photo.filter(ImageFilter.GaussianBlur(6))
    for side in SIDES:
        small = photo.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        small.save(folder / f"photo {side}.png")
        blurred.resize(small.size, Image.Resampling.LANCZOS).save(folder / f"blurred {side}.png")
    return judged(folder)


def test_a_photograph_looks_no_better_when_it_is_smaller(ladder: dict[str, shamisa.ImageRecord]) -> None:
    scores = [points(ladder[f"photo {side}"]) for side in SIDES]
    assert max(scores) == scores[0]
    assert scores[-3] < scores[0] - 20


def test_a_blurred_photograph_does_not_become_good_by_being_small(ladder: dict[str, shamisa.ImageRecord]) -> None:
    scores = [points(ladder[f"blurred {side}"]) for side in SIDES]
    assert max(scores) < points(ladder["photo 400"]) - 20


def test_tiny_pictures_are_marked(ladder: dict[str, shamisa.ImageRecord]) -> None:
    for side in SIDES[2:]:
        assert ladder[f"photo {side}"].reliability == "low"
        assert "low resolution" in ladder[f"photo {side}"].reliability_reasons
    assert ladder["photo 400"].reliability == "ok"


def test_a_blurred_or_badly_compressed_panorama_scores_well_below_it(tmp_path: Path) -> None:
    whole = Image.fromarray(np.tile(np.asarray(Image.open(PHOTO).convert("RGB")), (1, 12, 1)))  # 18:1
    whole.save(tmp_path / "whole.png")
    whole.resize((whole.width // 8, whole.height // 8)).resize(whole.size).save(tmp_path / "blurred.png")
    whole.save(tmp_path / "compressed.jpg", quality=5)
    found = judged(tmp_path)
    assert points(found["blurred"]) < points(found["whole"]) - 10
    assert points(found["compressed"]) < points(found["whole"]) - 10


def test_a_picture_with_nothing_in_it_is_marked(tmp_path: Path) -> None:
    Image.new("RGB", (600, 400), (128, 128, 128)).save(tmp_path / "grey.png")
    noise = np.random.default_rng(1).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert {record.reliability for record in judged(tmp_path).values()} == {"low"}


def in_grey(photo: Image.Image, folder: Path) -> None:
    """As cameras make black and white: from luma, or through a red or a blue filter with more contrast."""
    red, _, blue = photo.split()
    photo.convert("L").save(folder / "luma.png")
    ImageOps.autocontrast(red, cutoff=1).save(folder / "red filter.png")
    ImageOps.autocontrast(blue, cutoff=1).save(folder / "blue filter.png")


@pytest.mark.parametrize("model", [DEFAULT_MODEL, FAST_MODEL])
@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "flower", "hopper", "rocket"])
def test_black_and_white_photographs_are_no_unfamiliar_pictures(name: str, model: str, tmp_path: Path) -> None:
    in_grey(Image.open(PHOTO.with_stem(name)).convert("RGB"), tmp_path)
    assert {record.reliability for record in shamisa.score(tmp_path, model)} == {"ok"}


def test_a_page_of_text_and_a_drawing_in_lines_are_unfamiliar_though_they_are_grey(tmp_path: Path) -> None:
    page, drawing = (Image.new("L", (800, 1000), 255) for _ in range(2))
    draw, generator = ImageDraw.Draw(page), np.random.default_rng(4)
    for y in range(60, 940, 26):
        draw.text((60, y), "".join(generator.choice(list("etaoin shrdlu"), 60)), 20, ImageFont.load_default(18))
    for walk in generator.normal(0, 40, (30, 40, 2)).cumsum(axis=1) + generator.uniform(0, 800, (30, 1, 2)):
        ImageDraw.Draw(drawing).line([tuple(point) for point in walk.tolist()], fill=10, width=3)
    page.save(tmp_path / "page.png")
    drawing.save(tmp_path / "drawing.png")
    found = [*shamisa.score(tmp_path), *shamisa.score(tmp_path / "page.png", FAST_MODEL)]
    assert [record.reliability_reasons for record in found] == 3 * [("unfamiliar picture",)]
