"""benchmarks/references.py: which photographs can stand as undistorted references."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageFilter

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "references.py"


@pytest.fixture
def references(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import references

    return references


@pytest.fixture
def measures(references: ModuleType) -> ModuleType:  # noqa: ARG001
    import reference_measures

    return reference_measures


@pytest.fixture(scope="module")
def sharp() -> Image.Image:
    """A sharp, clean photograph of 256×256 pixels: one of 512×512, halved."""
    return Image.open(ROOT / "examples" / "photos" / "astronaut.jpg").resize((256, 256), Image.Resampling.LANCZOS)


def noisy(photo: Image.Image, deviation: float) -> Image.Image:
    pixels = np.asarray(photo) + np.random.default_rng(0).normal(0, deviation, (*photo.size[::-1], 3))
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def jpeg(photo: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def drawing() -> Image.Image:
    picture = Image.new("RGB", (256, 256), "white")
    for place in range(0, 256, 32):
        picture.paste((200, place, 40), (place, 20, place + 16, 20 + place // 2 + 8))
    return picture


def refused(references: ModuleType, tmp_path: Path, photo: Image.Image) -> str:
    photo.save(tmp_path / "picture.png")
    return str(references.examine(tmp_path / "picture.png", references.Limits()).refused)


def test_a_sharp_clean_photograph_is_kept(references: ModuleType, tmp_path: Path, sharp: Image.Image) -> None:
    assert refused(references, tmp_path, sharp) == ""


def test_what_is_no_reference_is_refused_for_what_it_is(
    references: ModuleType, tmp_path: Path, sharp: Image.Image
) -> None:
    wrong = {
        "blurred": sharp.filter(ImageFilter.GaussianBlur(1.5)),
        "noisy": noisy(sharp, 12),
        "grey": sharp.convert("L").convert("RGB"),
        "flat": drawing(),
        "small": sharp.resize((200, 200)),
    }
    assert {reason: refused(references, tmp_path, photo) for reason, photo in wrong.items()} == {
        reason: reason for reason in wrong
    }


def test_a_portrait_may_be_blurred_all_around(references: ModuleType, tmp_path: Path, sharp: Image.Image) -> None:
    portrait = sharp.filter(ImageFilter.GaussianBlur(5))
    portrait.paste(sharp.crop((64, 32, 192, 160)), (64, 32))
    assert refused(references, tmp_path, portrait) == ""


def test_noise_does_not_pass_for_sharpness(measures: ModuleType, sharp: Image.Image) -> None:
    """Grain adds finest details, and a blurred photograph with grain is still a blurred one."""
    blurred = sharp.filter(ImageFilter.GaussianBlur(1.5))
    before, after = (measures.measure(np.asarray(photo)).sharpness for photo in (blurred, noisy(blurred, 4)))
    assert before < 0.8
    assert after < 0.8


@pytest.mark.parametrize("deviation", [2.0, 5.0, 10.0])
def test_noise_is_measured_in_grey_levels(measures: ModuleType, deviation: float) -> None:
    rng = np.random.default_rng(1)
    assert measures.noise_level(rng.normal(128, deviation, (512, 512))) == pytest.approx(deviation, rel=0.1)


def test_noise_in_clipped_areas_says_nothing(measures: ModuleType) -> None:
    assert measures.noise_level(np.full((256, 256), 255.0)) == 0


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(
    measures: ModuleType, tmp_path: Path, sharp: Image.Image, quality: int
) -> None:
    sharp.save(tmp_path / "photo.jpg", quality=quality)
    found = measures.coding(tmp_path / "photo.jpg")
    assert found.lossy
    assert found.quality == pytest.approx(quality, abs=1)


def test_which_formats_lose_nothing(measures: ModuleType, tmp_path: Path, sharp: Image.Image) -> None:
    files = {
        "a.png": {},
        "b.webp": {"lossless": True},
        "c.webp": {"lossless": True, "icc_profile": bytes(2000)},
        "d.tiff": {"compression": "tiff_lzw"},
        "e.webp": {"quality": 90},
        "f.tiff": {"compression": "jpeg"},
        "g.jpg": {},
    }
    for name, options in files.items():
        sharp.save(tmp_path / name, **options)  # type: ignore[arg-type]
    lossy = {name for name in files if measures.coding(tmp_path / name).lossy}
    assert lossy == {"e.webp", "f.tiff", "g.jpg"}


def test_a_jpeg_is_halved_and_one_of_low_quality_refused(
    references: ModuleType, tmp_path: Path, sharp: Image.Image
) -> None:
    large = sharp.resize((512, 512), Image.Resampling.BICUBIC)
    large.save(tmp_path / "good.jpg", quality=90)
    large.save(tmp_path / "low.jpg", quality=40)
    good, low = (references.examine(tmp_path / name, references.Limits()) for name in ("good.jpg", "low.jpg"))
    assert (good.refused, good.halved, good.size) == ("", True, (256, 256))
    assert low.refused == "JPEG of low quality"


def test_a_lossless_file_that_was_a_jpeg_is_found_out_and_halved(
    references: ModuleType, measures: ModuleType, tmp_path: Path, sharp: Image.Image
) -> None:
    large = sharp.resize((512, 512), Image.Resampling.BICUBIC)
    cropped = jpeg(large, 60).crop((3, 5, 512, 510))  # the grid begins elsewhere
    cropped.save(tmp_path / "was.png")
    large.save(tmp_path / "never.png")
    was, never = (references.examine(tmp_path / name, references.Limits()) for name in ("was.png", "never.png"))
    assert was.halved
    assert was.size == (254, 252)
    assert not never.halved
    assert measures.blockiness(measures.luminance(np.asarray(sharp))) < references.Limits().blockiness


def test_halving_leaves_less_of_the_compression(references: ModuleType) -> None:
    """By PSNR against the same photograph without compression, 2 dB at least."""

    def psnr(one: np.ndarray, other: np.ndarray) -> float:
        return float(20 * np.log10(255 / np.sqrt(np.mean((one.astype(float) - other) ** 2))))

    clean = Image.open(ROOT / "examples" / "photos" / "astronaut.jpg").convert("RGB")
    coded = jpeg(clean, 75)
    halves = [references.reduced(np.asarray(photo), (256, 256)) for photo in (clean, coded)]
    assert psnr(*halves) > psnr(np.asarray(clean), np.asarray(coded)) + 2


def test_large_pictures_are_reduced_and_none_is_enlarged(references: ModuleType) -> None:
    assert references.reference_size((4096, 2048), False, 1024) == (1024, 512)
    assert references.reference_size((4096, 2048), True, 1024) == (1024, 512)
    assert references.reference_size((1200, 800), True, 1024) == (600, 400)
    assert references.reference_size((640, 480), False, 1024) == (640, 480)


def test_of_copies_in_any_size_form_and_light_the_largest_lossless_one_is_kept(
    references: ModuleType, tmp_path: Path, sharp: Image.Image
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    sharp.save(tmp_path / "one" / "small.png")
    sharp.resize((512, 512), Image.Resampling.BICUBIC).save(tmp_path / "two" / "copy.jpg", quality=80)
    sharp.resize((300, 300), Image.Resampling.LANCZOS).point(lambda value: 0.8 * value).save(tmp_path / "two" / "x.png")
    sharp.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(tmp_path / "two" / "other.png")
    paths = sorted(tmp_path.rglob("*.*"))
    limits = references.Limits(sharpness=0.5)
    kept = {one.source.name: one.refused for one in references.select(paths, limits, set(), None, 1)}
    largest = f"duplicate of {tmp_path / 'two' / 'x.png'}"
    assert kept == {"small.png": largest, "copy.jpg": largest, "x.png": "", "other.png": ""}


def test_a_limit_keeps_the_sharpest(references: ModuleType, tmp_path: Path, sharp: Image.Image) -> None:
    sharp.save(tmp_path / "a.png")
    sharp.transpose(Image.Transpose.ROTATE_90).filter(ImageFilter.GaussianBlur(0.4)).save(tmp_path / "b.png")
    found = references.select([tmp_path / "b.png", tmp_path / "a.png"], references.Limits(), set(), 1, 1)
    assert [one.refused for one in found] == ["beyond the limit", ""]


def test_names_tell_where_a_reference_comes_from(references: ModuleType, tmp_path: Path) -> None:
    root = tmp_path / "one"
    root.mkdir()
    sources = [root / "day" / "a.png", root / "a.jpg", root / "a.png", root / "a-2.png", tmp_path / "else" / "b.tif"]
    assert references.reference_names(sources, [str(root), str(sources[-1])]) == [
        "one_day_a.png",
        "one_a.png",
        "one_a-2.png",
        "one_a-2-2.png",
        "else_b.png",
    ]


def test_the_command_writes_references_and_why_others_were_left_out(tmp_path: Path, sharp: Image.Image) -> None:
    photos = tmp_path / "photos"
    (photos / "day").mkdir(parents=True)
    sharp.save(photos / "day" / "good.png")
    sharp.filter(ImageFilter.GaussianBlur(2)).save(photos / "soft.png")
    (photos / "broken.jpg").write_bytes(b"no picture")
    for number in range(10):
        turned = noisy(sharp.rotate(9 * number + 9), 1)
        turned.save(photos / f"marked{number}.png")
    scores = [f"marked{number}.png,{number / 10},{'one' if number % 2 else 'two'}" for number in range(10)]
    (photos / "mos.csv").write_text("\n".join(["image,mos,subset", *scores]))
    marks = ("--mos", photos / "mos.csv", "--best", "0.4", "--subset", "one")
    command = [sys.executable, SCRIPT, photos, "-o", tmp_path / "out", "--jobs", "1", *marks]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    first = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    with (tmp_path / "out" / "references.csv").open(encoding="utf-8") as file:
        rows = {Path(row["source"]).name: row for row in csv.DictReader(file)}
    assert rows["good.png"]["kept"] == "photos_day_good.png"
    assert float(rows["good.png"]["sharpness"]) > 0.9
    assert (rows["soft.png"]["kept"], rows["soft.png"]["reason"]) == ("", "blurred")
    assert rows["broken.jpg"]["reason"] == "unreadable"
    low = {name for name, row in rows.items() if row["reason"] == "marked too low"}
    assert low == {f"marked{number}.png" for number in range(10) if number not in (7, 9)}
    written = {path.name for path in (tmp_path / "out").iterdir()} - {"references.csv"}
    assert written == {row["kept"] for row in rows.values() if row["kept"]}
    assert "8  marked too low" in first.stdout
    np.testing.assert_array_equal(Image.open(tmp_path / "out" / "photos_day_good.png"), sharp)
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 2
    assert "not empty" in again.stderr
