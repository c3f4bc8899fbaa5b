"""The difference: 0 for identical pixels alone, read in JPEG qualities, rising with every step of damage."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shamisa_cli.core.relational.difference.calibration import (
    ANCHORS,
    MEAN,
    Calibration,
    difference_at,
    like_jpeg_quality,
    shipped,
)
from shamisa_cli.core.relational.difference.difference import LEAST, MEASURES, difference

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photo(example_photos: Path) -> Pixels:
    """A photograph at half its size, so that its own JPEG compression is hardly left."""
    picture = Image.open(example_photos / "astronaut.jpg").convert("RGB")
    return np.asarray(picture.reduce(2))


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(stream).convert("RGB"))


def test_identical_pixels_have_no_difference(photo: Pixels) -> None:
    found = difference(photo, photo.copy())
    assert found.value == 0
    assert set(found.measures.values()) == {0.0}
    assert not found.local.any()
    assert found.like_jpeg_quality == 100


def test_a_single_pixel_by_a_single_level_is_a_difference(photo: Pixels) -> None:
    other = photo.copy()
    other[100, 100, 2] ^= 1
    found = difference(photo, other)
    assert LEAST <= found.value < 0.1
    assert found.local.mean() == pytest.approx(found.value, rel=1e-4)


@pytest.mark.parametrize("step", [1, -1])
def test_one_level_brighter_or_darker_is_seen_by_nobody(photo: Pixels, step: int) -> None:
    other = np.clip(photo.astype(int) + step, 0, 255).astype(np.uint8)
    assert 0 < difference(photo, other).value < 3
    grey = np.repeat(photo[..., 1:2], 3, axis=2)
    moved = np.clip(grey.astype(int) + step, 0, 255).astype(np.uint8)
    assert 0 < difference(grey, moved).value < 3


def test_swapping_the_images_changes_nothing(photo: Pixels) -> None:
    other = jpeg(photo, 40)
    there, back = difference(photo, other), difference(other, photo)
    assert there.value == back.value
    assert there.measures == back.measures
    np.testing.assert_array_equal(there.local, back.local)


def test_stronger_compression_blur_and_noise_make_larger_differences(photo: Pixels) -> None:
    picture = Image.fromarray(photo)
    noise = np.random.default_rng(0).normal(0, 1, photo.shape)
    ladders = {
        "jpeg": [jpeg(photo, quality) for quality in (98, 95, 90, 80, 65, 50, 30, 15, 5)],
        "blur": [np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma))) for sigma in (0.4, 0.7, 1.2, 2, 4)],
        "noise": [np.clip(photo + noise * sigma, 0, 255).round().astype(np.uint8) for sigma in (2, 5, 12, 25, 50)],
    }
    for kind, versions in ladders.items():
        values = [difference(photo, version).value for version in versions]
        assert values == sorted(values), kind
        assert 0 < values[0] < values[-1] < 100, kind


def test_photographs_read_about_the_quality_they_were_saved_with(example_photos: Path) -> None:
    found: dict[int, list[int]] = {90: [], 75: [], 20: []}
    for name in ("astronaut", "cat", "coffee", "flower", "hopper"):
        halved = np.asarray(Image.open(example_photos / f"{name}.jpg").convert("RGB").reduce(2))
        for quality, readings in found.items():
            readings.append(difference(halved, jpeg(halved, quality)).like_jpeg_quality)
    for quality, readings in found.items():
        assert np.median(readings) == pytest.approx(quality, abs=8)


def test_the_size_of_an_image_hardly_matters(example_photos: Path) -> None:
    """Four copies side by side, compressed, are as far from their original as one."""
    one = np.asarray(Image.open(example_photos / "coffee.jpg").convert("RGB").reduce(2))[:192, :288]
    four = np.tile(one, (2, 2, 1))
    small, large = (difference(image, jpeg(image, 60)).value for image in (one, four))
    assert large == pytest.approx(small, abs=1.5)


def test_unrelated_images_are_at_the_end_of_the_scale(photo: Pixels) -> None:
    assert 90 < difference(photo, np.ascontiguousarray(photo[::-1, ::-1, ::-1])).value <= 100


def test_the_map_shows_where_the_difference_is(photo: Pixels) -> None:
    other = photo.copy()
    other[64:128, 128:192] = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(2)))[64:128, 128:192]
    found = difference(photo, other)
    assert found.local.shape == (32, 32)
    assert found.local.dtype == np.float32
    assert found.local.mean() == pytest.approx(found.value, rel=1e-4)
    assert found.local[8:16, 16:24].sum() > 0.8 * found.local.sum()


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(
        lambda shape: st.tuples(arrays(np.uint8, (*shape, 3)), arrays(np.uint8, (*shape, 3)))
    )
)
def test_any_two_images_have_a_difference_from_0_to_100(pair: tuple[Pixels, Pixels]) -> None:
    a, b = pair
    found = difference(a, b)
    assert 0 <= found.value <= 100
    assert (found.value == 0) == np.array_equal(a, b)
    assert found.value == difference(b, a).value
    assert found.local.shape == (-(-a.shape[0] // 8), -(-a.shape[1] // 8))
    assert np.isfinite(found.local).all()
    assert (found.local >= 0).all()
    assert 1 <= found.like_jpeg_quality <= 100


def test_the_anchors_are_those_that_are_promised() -> None:
    assert [ANCHORS[quality] for quality in (95, 90, 75, 20)] == [5, 10, 20, 50]
    falling = [difference_at(quality) for quality in range(1, 101)]
    assert falling == sorted(falling, reverse=True)
    assert like_jpeg_quality(0) == 100
    assert like_jpeg_quality(100) == 1
    assert [like_jpeg_quality(difference_at(quality)) for quality in range(1, 101)] == list(range(1, 101))


@pytest.mark.parametrize("name", [*MEASURES, MEAN])
def test_every_curve_rises_from_0_to_100(name: str) -> None:
    calibration = Calibration.load()
    end = 100.0 if name == MEAN else 1.0
    values = [calibration.read(name, distance) for distance in np.linspace(0, end, 500)]
    assert np.all(np.diff(values) > 0)
    assert values[0] == 0
    assert values[-1] == 100
    assert calibration.read(name, 2 * end) == 100
    medians = [calibration.read(name, distance) for distance in calibration.distances[name]]
    assert medians == pytest.approx([difference_at(quality) for quality in calibration.qualities])


def test_the_consensus_lies_among_its_measures(photo: Pixels) -> None:
    found = difference(photo, jpeg(photo, 50))
    assert min(found.measures.values()) - 1 <= found.value <= max(found.measures.values()) + 1
    assert found.value == shipped().consensus(list(found.measures.values()))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read as Linux tells it")
def test_a_large_pair_takes_little_memory() -> None:
    # Not ru_maxrss, which begins with what the process that starts this one had.
    code = (
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from shamisa_cli.core.relational.difference.difference import difference\n"
        "a = np.random.default_rng(0).integers(0, 256, (4000, 6000, 3), dtype=np.uint8)\n"
        "assert difference(a, a ^ 3).value > 0\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(int(status.partition('VmHWM:')[2].split()[0]) >> 10)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000  # MiB, of which the images are 137


def test_the_difference_needs_no_pytorch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from shamisa_cli.core.relational.difference.difference import difference\n"
        "difference(np.zeros((20, 20, 3), np.uint8), np.ones((20, 20, 3), np.uint8))\n"
        "assert 'torch' not in sys.modules and 'piq' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
