"""Comparing and ranking from Python, with random weights."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

import shamisa_cli
from shamisa_cli.cli.reporters.comparison.ranking import write_ranking_text
from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import ImageError, InputNotFoundError, ModelError, SettingError
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.images import decode
from shamisa_cli.core.models.loading import load_relational_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational import records
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.judgement import Comparer
from shamisa_cli.core.relational.ranking import mean_scores
from shamisa_cli.core.relational.ranking_records import Ranked, Ranking
from shamisa_cli.core.relational.records import MAPS, Candidate, Comparison
from shamisa_cli.core.relational.wording import describe

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "photos"


@pytest.fixture(scope="module")
def model(relational_folder: Path) -> Comparer:
    return load_relational_model(str(relational_folder), device="cpu")


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """original.png, a copy of it, blurred.png and dark.png of 90×70, and small.png of 45×35."""
    original = Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8))
    original = original.filter(ImageFilter.GaussianBlur(1))
    original.save(tmp_path / "original.png")
    original.save(tmp_path / "copy.png")
    original.filter(ImageFilter.GaussianBlur(2)).save(tmp_path / "blurred.png")
    original.point(lambda level: level // 2).save(tmp_path / "dark.png")
    original.resize((45, 35)).save(tmp_path / "small.png")
    return tmp_path


def test_the_maps_are_those_of_groups_axes_and_the_whole() -> None:
    assert (*GROUPS, *records.AXES, records.OVERALL) == MAPS
    assert tuple(records.ENDS) == (*GROUPS, *records.AXES)


def test_records_and_pairing_import_nothing_heavy() -> None:
    code = (
        "import sys, shamisa_cli.core.relational.records, shamisa_cli.core.relational.folder_pairs;"
        "import shamisa_cli.cli.commands.compare;"
        "print([name for name in ('torch', 'numpy', 'PIL') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_each_candidate_has_score_means_and_maps(model: Comparer, versions: Path) -> None:
    found = shamisa_cli.compare(
        versions / "original.png", [versions / "blurred.png", str(versions / "copy.png")], model
    )
    blurred, copy = found.candidates
    assert isinstance(found, Comparison)
    assert (found.reference, found.model.name) == (str(versions / "original.png"), "pairs")
    assert blurred.path == str(versions / "blurred.png")
    assert (blurred.width, blurred.height, blurred.status, blurred.error) == (90, 70, "ok", None)
    assert blurred.maps is not None
    assert set(blurred.maps) == {*MAPS, "difference"}
    assert float(blurred.maps["difference"].mean()) == pytest.approx(blurred.difference)
    for name, mean in {**(blurred.groups or {}), **(blurred.axes or {}), "overall": blurred.overall}.items():
        assert blurred.maps[name].shape == (9, 12)
        assert blurred.maps[name].dtype == np.float32
        assert mean == pytest.approx(float(blurred.maps[name].mean()), abs=1e-4)
    assert blurred.score not in (None, 0)
    assert copy.score == 0
    assert set((copy.groups or {}).values()) == {0.0}
    assert copy.verdict == "same"


def test_swapping_the_files_flips_all_signs_exactly(model: Comparer, versions: Path) -> None:
    ends = versions / "original.png", versions / "dark.png"
    forth, back = (shamisa_cli.compare(*order, model).candidates[0] for order in (ends, ends[::-1]))
    assert forth.score is not None
    assert forth.score == -back.score  # type: ignore[operator]
    assert forth.groups == {name: -value for name, value in (back.groups or {}).items()}
    assert forth.overall == -(back.overall or 0)


def test_arrays_are_compared_as_their_files_are(model: Comparer, versions: Path) -> None:
    arrays = [np.asarray(Image.open(versions / name)) for name in ("original.png", "dark.png", "blurred.png")]
    from_arrays = shamisa_cli.compare(arrays[0], arrays[1:], model)
    one_array = shamisa_cli.compare(arrays[0], arrays[1], model)
    from_files = shamisa_cli.compare(
        versions / "original.png", [versions / "dark.png", versions / "blurred.png"], model
    )
    assert [one.score for one in from_arrays.candidates] == [one.score for one in from_files.candidates]
    assert [one.path for one in from_arrays.candidates] == ["candidates[0]", "candidates[1]"]
    assert one_array.candidates[0].score == from_files.candidates[0].score
    with pytest.raises(SettingError, match="float64"):
        shamisa_cli.compare(arrays[0] / 255, arrays[1], model)


def test_pictures_are_seen_upright_and_in_srgb(model: Comparer, versions: Path) -> None:
    original = Image.open(versions / "original.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    original.transpose(Image.Transpose.ROTATE_90).save(versions / "turned.png", exif=exif)
    ImageOps.grayscale(original).save(versions / "grey.png")
    turned, grey = shamisa_cli.compare(
        versions / "original.png", [versions / "turned.png", versions / "grey.png"], model
    ).candidates
    assert turned.score == 0
    assert (turned.width, turned.height) == (90, 70)
    assert grey.status == "ok"


def test_bad_candidates_are_records_and_never_stop_the_rest(model: Comparer, versions: Path) -> None:
    (versions / "broken.png").write_bytes(b"no picture")
    named = [versions / name for name in ("broken.png", "small.png", "dark.png")]
    broken, small, dark = shamisa_cli.compare(versions / "original.png", named, model).candidates
    assert (broken.status, broken.error and broken.error.kind) == ("error", "not-an-image")
    assert (small.status, small.error and small.error.kind) == ("error", "different-size")
    assert small.error is not None
    assert "45×35" in small.error.message
    assert small.error.remedy == "resize"
    assert (dark.status, dark.score is None) == ("ok", False)
    resized = shamisa_cli.compare(versions / "original.png", versions / "small.png", model, resize=True)
    assert resized.candidates[0].status == "ok"
    assert (resized.candidates[0].width, resized.candidates[0].height) == (45, 35)
    assert resized.candidates[0].maps is not None
    assert resized.candidates[0].maps["overall"].shape == (9, 12)


def test_what_cannot_be_done_at_all_raises(model: Comparer, versions: Path, tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="No candidate was named"):
        shamisa_cli.compare(versions / "dark.png", [], model)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        shamisa_cli.compare(tmp_path / "broken.png", versions / "dark.png", model)
    with pytest.raises(InputNotFoundError):
        shamisa_cli.compare(versions / "dark.png", "gone*.png", model)
    with pytest.raises(InputNotFoundError):
        shamisa_cli.rank([versions / "dark.png"], model)
    with pytest.raises(ModelError, match="relational"):
        shamisa_cli.compare(versions / "dark.png", versions / "dark.png", DEFAULT_MODEL)


def test_a_relational_model_does_not_score_and_says_what_it_does(relational_folder: Path) -> None:
    with pytest.raises(ModelError, match="shamisa compare"):
        shamisa_cli.load_model(str(relational_folder))


def test_the_order_does_not_depend_on_how_pictures_are_named_and_equal_ones_share_a_rank(
    model: Comparer, versions: Path
) -> None:
    named = [versions / name for name in ("dark.png", "original.png", "blurred.png", "copy.png")]
    ranking = shamisa_cli.rank(named, model)
    again = shamisa_cli.rank(named[::-1], model)
    scores = {Path(one.path).name: (one.rank, one.score) for one in ranking.pictures}
    assert scores == {Path(one.path).name: (one.rank, one.score) for one in again.pictures}
    assert scores["original.png"] == scores["copy.png"]
    ranks = [one.rank for one in ranking.pictures]
    assert ranks in ([1, 1, 3, 4], [1, 2, 2, 4], [1, 2, 3, 3])
    tied = [Path(one.path).name for one in ranking.pictures if one.path.endswith(("original.png", "copy.png"))]
    assert tied == ["original.png", "copy.png"]
    table = np.array(ranking.scores)
    assert np.array_equal(table, -table.T)
    means = table.sum(axis=0) / 3
    assert [one.score for one in ranking.pictures] == pytest.approx(means.tolist())
    assert ranking.pairs == 6


def test_pictures_that_cannot_be_ranked_come_last(model: Comparer, versions: Path) -> None:
    (versions / "broken.png").write_bytes(b"no picture")
    named = [versions / name for name in ("broken.png", "dark.png", "small.png", "original.png")]
    ranking = shamisa_cli.rank(named, model)
    assert [one.rank for one in ranking.pictures] == [1, 2, None, None]
    assert [one.error.kind for one in ranking.pictures if one.error] == ["not-an-image", "different-size"]
    assert len(shamisa_cli.rank(named, model, resize=True).scores) == 3


def test_mean_scores_are_the_least_squares_scale_of_the_table() -> None:
    rng = np.random.default_rng(1)
    half = np.triu(rng.normal(size=(6, 6)), 1)
    table = half - half.T
    # min over q of Σ (q_j − q_i − table_ij)², with Σ q = 0
    rows = [(i, j) for i in range(6) for j in range(6) if i != j]
    design = np.zeros((len(rows) + 1, 6))
    for row, (i, j) in enumerate(rows):
        design[row, j], design[row, i] = 1, -1
    design[-1] = 1
    scale = np.linalg.lstsq(design, np.array([table[i, j] for i, j in rows] + [0.0]), rcond=None)[0]
    assert np.array(mean_scores(table.tolist())) * 5 / 6 == pytest.approx(scale)


def test_contradictions_are_pairs_against_the_order() -> None:
    pictures = tuple(Ranked(name, rank=rank, score=0.0) for rank, name in enumerate("abc", start=1))
    circle = ((0.0, -5.0, 2.0), (5.0, 0.0, -5.0), (-2.0, 5.0, 0.0))
    assert Ranking(pictures, circle, ModelIdentity("m", "r")).contradictions == 1


@pytest.mark.parametrize(
    ("difference", "direction", "verdict", "words"),
    [
        (0.0, 0.0, "same", "identical"),
        (2.9, -1.0, "same", "no visible change: difference 2.9, like JPEG quality 97"),
        (8.5, -0.9, "worse", "slightly worse: more noise, difference 8.5, like JPEG quality 97"),
        (12.2, 0.8, "better", "better: sharper, difference 12, like JPEG quality 97"),
        (40.0, -0.9, "worse", "much worse: more noise, difference 40, like JPEG quality 97"),
        (40.0, 0.3, "unclear", "different, unclear which is better: difference 40, like JPEG quality 97"),
        (None, None, None, "not compared"),
    ],
)
def test_the_result_is_said_in_words(
    difference: float | None, direction: float | None, verdict: str | None, words: str
) -> None:
    candidate = Candidate(
        "a",
        "b",
        difference=difference,
        direction=direction,
        like_jpeg_quality=97,
        groups={"noise": 0.5, "blur": -0.4, "colour": 0.01},
        axes={},
    )
    assert (candidate.verdict, describe(candidate)) == (verdict, words)


@pytest.mark.parametrize(
    ("direction", "compression", "reason"),
    [(-0.9, 0.5, "worse: more compression artefacts"), (0.9, -0.5, "better: fewer compression artefacts")],
)
def test_artefacts_are_counted(direction: float, compression: float, reason: str) -> None:
    candidate = Candidate("a", "b", difference=12.2, direction=direction, groups={"compression": compression}, axes={})
    assert describe(candidate).startswith(reason)


@pytest.mark.parametrize(
    ("placed", "words"),
    [
        ({"shift": (-2, 0)}, "identical (aligned: moved or cropped by -2 px across, +0 px down)"),
        ({"resized": True, "width": 300, "height": 200}, "identical (resampled from 300×200)"),
        (
            {"resized": True, "stretched": True, "width": 300, "height": 200},
            "identical (resampled from 300×200, another aspect ratio: stretched)",
        ),
        ({}, "identical"),
    ],
)
def test_the_words_say_how_a_version_was_laid_over_the_original(placed: dict[str, Any], words: str) -> None:
    assert describe(Candidate("a", "b", difference=0.0, direction=0.0, **placed)) == words


def test_pictures_that_differ_only_in_transparency_are_not_called_identical(model: Comparer, tmp_path: Path) -> None:
    empty = Image.new("RGBA", (96, 64), (255, 255, 255, 0))
    empty.save(tmp_path / "empty.png")
    logo = empty.copy()
    logo.paste((255, 255, 255, 255), (20, 20, 60, 50))
    logo.save(tmp_path / "logo.png")
    Image.new("RGB", (96, 64), "white").save(tmp_path / "opaque.png")
    for reference, version in (("empty", "logo"), ("logo", "empty"), ("opaque", "logo")):
        found = shamisa_cli.compare(tmp_path / f"{reference}.png", tmp_path / f"{version}.png", model)
        (candidate,) = found.candidates
        assert (candidate.difference, candidate.over_white) == (0, True)
        assert describe(candidate) == "identical over white; their transparency may differ"
    (same,) = shamisa_cli.compare(tmp_path / "opaque.png", tmp_path / "opaque.png", model).candidates
    assert describe(same) == "identical"


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return decode(EXAMPLES / "astronaut.jpg").pixels


def turned(pixels: Pixels, degrees: float) -> Pixels:
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC))


def test_a_turned_or_mirrored_copy_or_another_picture_is_reported_and_not_judged(
    model: Comparer, photo: Pixels
) -> None:
    other = decode(EXAMPLES / "hopper.jpg").pixels[: photo.shape[0], : photo.shape[1]]
    versions = [turned(photo, 1), photo[:, ::-1], other]
    for candidate in shamisa_cli.compare(photo, versions, model, maps=False).candidates:
        assert candidate.difference is not None
        assert (candidate.same_framing, candidate.shift, candidate.direction, candidate.score) == (False, None, 0, 0)
        assert candidate.difference > 10
        assert candidate.to_json()["same_framing"] is False
        assert describe(candidate).startswith("cannot be aligned, so the score says little: turned, scaled, mirrored")
        assert [finding.rule for finding in ComparisonGate(min_score=-50).findings(candidate)] == ["framing"]
    known = shamisa_cli.compare(photo, versions, model, maps=False, original=True)
    assert [one.score for one in known.candidates] == [-(one.difference or 0) for one in known.candidates]


def test_a_copy_of_another_aspect_ratio_is_said_to_be_stretched(model: Comparer, photo: Pixels) -> None:
    sizes = (256, 256), (257, 255), (256, 200)
    copies = [np.asarray(Image.fromarray(photo).resize(size)) for size in sizes]
    found = shamisa_cli.compare(photo, copies, model, resize=True, maps=False).candidates
    assert [(one.resized, one.stretched) for one in found] == [(True, False), (True, True), (True, True)]
    assert "another aspect ratio" in describe(found[2])
    assert "another aspect ratio" not in describe(found[0])


def test_ranking_lays_moved_copies_over_each_other_and_says_so(model: Comparer, photo: Pixels) -> None:
    still, moved, cropped = photo[4:-4, 4:-4], photo[5:-3, 3:-5], photo[8:-6, 6:-8]
    ranking = shamisa_cli.rank([still, moved, cropped], model)
    assert [(one.rank, one.score) for one in ranking.pictures] == [(1, 0), (1, 0), (1, 0)]
    assert (ranking.pairs, ranking.aligned, ranking.unaligned) == (3, 3, 0)
    assert ranking.to_json()["summary"]["aligned"] == 3
    stream = io.StringIO()
    write_ranking_text(ranking, stream)
    assert "3 aligned: moved or cropped by a few pixels" in stream.getvalue()


def test_ranking_judges_no_pair_that_cannot_be_aligned_and_says_so(model: Comparer, photo: Pixels) -> None:
    soft = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(2)))
    ranking = shamisa_cli.rank([photo, soft, turned(photo, 2)], model)
    assert (ranking.aligned, ranking.unaligned) == (0, 2)
    assert next(one.score for one in ranking.pictures if one.path == "pictures[2]") == 0
    stream = io.StringIO()
    write_ranking_text(ranking, stream)
    assert "2 pairs cannot be aligned" in stream.getvalue()
