"""First results of a newcomer: the model that ships, on the example photographs."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import spearmanr

import shamisa_cli as shamisa
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, FAST_MODEL
from shamisa_cli.core.records import ImageRecord

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scores(example_photos: Path) -> dict[str, float]:
    """Scores by file name without suffix."""
    records: list[ImageRecord] = shamisa.score(example_photos)
    assert [record.error for record in records if record.error] == []
    return {Path(record.path).stem: record.score for record in records if record.score is not None}


def degraded_above_originals(scores: dict[str, float]) -> dict[str, float]:
    """The degraded examples that score above their originals, and by how many points."""
    degraded = {name: original for name in scores if (original := name.rpartition("_")[0]) in scores}
    assert len(degraded) == 12
    return {name: scores[name] - scores[of] for name, of in degraded.items() if scores[name] >= scores[of]}


def test_degraded_examples_score_below_their_originals_but_for_stars_and_gravel(scores: dict[str, float]) -> None:
    above = degraded_above_originals(scores)
    assert above.keys() <= {"deep_field_JPEG-2000", "gravel_impulse-noise"}
    assert above.get("deep_field_JPEG-2000", 0) < 5, "compression smooths its grain"
    assert above.get("gravel_impulse-noise", 0) < 1, "it looks like noise to begin with"


def test_the_fast_model_agrees_with_the_default_one(scores: dict[str, float], example_photos: Path) -> None:
    records = shamisa.score(example_photos, FAST_MODEL)
    fast = {Path(record.path).stem: record.score for record in records if record.score is not None}
    assert fast.keys() == scores.keys()
    above = degraded_above_originals(fast)
    assert above.keys() <= {"gravel_impulse-noise"}
    assert all(points < 5 for points in above.values())
    assert spearmanr([scores[name] for name in scores], [fast[name] for name in scores])[0] > 0.9
    assert all(record.defects is not None and record.interval is not None for record in records)


def test_a_smaller_copy_scores_alike(scores: dict[str, float], example_photos: Path, tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(example_photos / "temple.jpg") as photo:
        for side in (1600, 4000):
            size = (side, round(photo.height * side / photo.width))
            photo.resize(size, Image.Resampling.LANCZOS).save(tmp_path / f"{side}.png")
    small, large = (record.score for record in shamisa.score([tmp_path / "1600.png", tmp_path / "4000.png"]))
    assert small is not None
    assert large is not None
    assert abs(small - large) < 3
    assert abs(small - scores["temple"]) < 3


def test_the_model_has_a_card_and_a_regressor_that_belongs_to_it() -> None:
    model = shamisa.load_model()
    assert model.name == DEFAULT_MODEL
    assert model.probe is not None
    assert model.probe.encoder_fingerprint == model.encoder_fingerprint


def test_the_map_of_a_photograph_sums_to_its_score_and_points_at_damage(example_photos: Path, tmp_path: Path) -> None:
    from PIL import Image, ImageFilter

    with Image.open(example_photos / "astronaut.jpg") as photo:
        right = (photo.width // 2, 0, photo.width, photo.height)
        photo.save(tmp_path / "whole.png")
        photo.paste(photo.filter(ImageFilter.GaussianBlur(4)).crop(right), right)
        photo.save(tmp_path / "damaged.png")
    whole, damaged = (shamisa.score_map(tmp_path / name) for name in ("whole.png", "damaged.png"))
    (record,) = shamisa.score(tmp_path / "damaged.png")
    assert damaged.score == pytest.approx(record.score, abs=1e-3)
    change = damaged.points - whole.points
    half = change.shape[1] // 2
    assert change[:, half:].sum() < -5
    assert change[:, half:].sum() < 3 * change[:, :half].sum()


def test_the_defect_that_was_made_is_the_one_that_is_named_first(example_photos: Path) -> None:
    made = {
        "astronaut_gaussian-blur": "blur", "brick_lens-blur": "blur", "rocket_motion-blur": "blur",
        "cat_white-noise": "noise", "gravel_impulse-noise": "noise", "coffee_JPEG": "compression",
        "grass_pixelate": "spatial", "flower_non-linear-contrast": "contrast",
    }  # fmt: skip
    for record in shamisa.score([example_photos / f"{name}.jpg" for name in made]):
        assert record.defects is not None
        assert max(record.defects, key=lambda name: record.defects[name]) == made[Path(record.path).stem]


def test_a_score_comes_with_an_interval_that_holds_it(example_photos: Path) -> None:
    for record in shamisa.score([example_photos / "cat.jpg", example_photos / "grass.jpg"]):
        assert record.interval is not None
        low, high = record.interval
        assert 0 <= low < record.score < high <= 100


def test_the_catalogue_names_each_kind_of_defect_once() -> None:
    from shamisa_cli.core.groups import GROUPS
    from shamisa_cli.core.models.catalogue import describe_model

    defects = describe_model(DEFAULT_MODEL).defects
    assert defects is not None
    assert sorted(defects.groups) == sorted(GROUPS)


def test_every_runtime_gives_the_examples_the_same_scores(scores: dict[str, float], example_photos: Path) -> None:
    for runtime in ("torch", "onnx"):
        model = shamisa.load_model(device="cpu", runtime=runtime)
        found = {Path(record.path).stem: record.score for record in shamisa.score(example_photos, model)}
        assert found == pytest.approx(scores, abs=0.1)
