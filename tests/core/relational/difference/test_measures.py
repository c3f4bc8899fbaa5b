"""The four measures: they agree with piq and with its recorded values, and hold on any image."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.relational.difference import planes
from shamisa_cli.core.relational.difference.gmsd import ms_gmsd
from shamisa_cli.core.relational.difference.haarpsi import haarpsi
from shamisa_cli.core.relational.difference.mdsi import POWER, _deviation, mdsi
from shamisa_cli.core.relational.difference.measurement import Measurement
from shamisa_cli.core.relational.difference.vsi import vsi

Pixels = NDArray[np.uint8]

EXACT = 5e-6
"""Tolerance against piq, which computes here in float64."""
GRID = 1.5e-3
"""Tolerance of VSI where both reduce the image: piq's squares of pixels begin half a square earlier."""

MEASURES = {"vsi": vsi, "mdsi": mdsi, "haarpsi": haarpsi, "ms_gmsd": ms_gmsd}
"""As their papers have them."""

PHOTOS = ("astronaut", "coffee", "temple")


def distorted(kind: str, picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture)
    if kind == "jpeg":
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=30)
        return Image.open(stream).convert("RGB")
    if kind == "blur":
        return picture.filter(ImageFilter.GaussianBlur(1.5))
    if kind == "noise":
        noise = np.random.default_rng(0).normal(0, 15, pixels.shape)
        return Image.fromarray(np.clip(pixels + noise, 0, 255).round().astype(np.uint8))
    if kind == "colours":
        return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    return Image.fromarray((pixels * 0.8).astype(np.uint8))


@pytest.fixture(scope="module")
def pair(example_photos: Path) -> Callable[[str, str, int], tuple[Pixels, Pixels]]:
    """A photograph, cut to sides that 16 divides, and what a distortion makes of it."""

    def make(name: str, kind: str, side: int = 10_000) -> tuple[Pixels, Pixels]:
        picture = Image.open(example_photos / f"{name}.jpg").convert("RGB")
        width, height = (min(side, length // 16 * 16) for length in picture.size)
        picture = picture.crop((0, 0, width, height))
        return np.asarray(picture), np.asarray(distorted(kind, picture))

    return make


KINDS = ("jpeg", "blur", "noise", "colours", "dark")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PHOTOS)
def test_the_measures_agree_with_piq(name: str, kind: str, pair: Callable[..., tuple[Pixels, Pixels]]) -> None:
    piq = pytest.importorskip("piq")
    torch = pytest.importorskip("torch")

    def tensor(pixels: Pixels) -> object:
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].double() / 255

    a, b = pair(name, kind)
    x, y = tensor(a), tensor(b)
    assert haarpsi(a, b).similarity == pytest.approx(float(piq.haarpsi(x, y)), abs=EXACT)
    assert ms_gmsd(a, b).distance == pytest.approx(float(piq.multi_scale_gmsd(x, y, chromatic=True)), abs=EXACT)
    both_ways = (float(piq.mdsi(x, y)) + float(piq.mdsi(y, x))) / 2
    assert mdsi(a, b).distance == pytest.approx(both_ways, abs=EXACT)
    assert vsi(a, b).similarity == pytest.approx(float(piq.vsi(x, y)), abs=GRID)

    a, b = pair(name, kind, 256)
    assert vsi(a, b).similarity == pytest.approx(float(piq.vsi(tensor(a), tensor(b))), abs=EXACT)


def test_a_change_that_loses_all_of_a_place_is_no_warning() -> None:
    change = np.array([[0, 1], [1, 0.5]], dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lost = 1 - (1 - np.asarray(change, dtype=np.float64)) ** POWER
        wanted = np.abs(lost - lost.mean()).mean() ** POWER
        assert _deviation(change) == pytest.approx(wanted, rel=1e-6)


GOLDEN = {
    "noise": (0.064867, 0.407533, 0.172581, 0.063550),
    "colours": (0.034822, 0.511552, 0.171098, 0.420956),
    "dark": (0.003257, 0.194944, 0.035546, 0.060495),
    "shifted": (0.057696, 0.436755, 0.388778, 0.159606),
}
"""Results of piq 0.8.0 in float64 on the upper left 256×256 pixels of coffee.jpg: 1 − VSI, MDSI (the mean of both
directions), 1 − HaarPSI, MS-GMSDc."""


@pytest.mark.parametrize("kind", GOLDEN)
def test_the_measures_have_the_recorded_values(kind: str, pair: Callable[..., tuple[Pixels, Pixels]]) -> None:
    a, b = pair("coffee", kind, 256)
    if kind == "shifted":
        b = np.roll(a, 2, 1)
    found = [measure(a, b).distance for measure in MEASURES.values()]
    assert found == pytest.approx(GOLDEN[kind], abs=2e-5)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_an_image_of_floats_is_measured_like_its_levels(
    measure: Callable[..., Measurement], pair: Callable[..., tuple[Pixels, Pixels]]
) -> None:
    a, b = pair("temple", "blur")
    whole = measure(a, b)
    fractions = measure(a.astype(np.float32) / 255, b.astype(np.float32) / 255)
    assert fractions.distance == pytest.approx(whole.distance, rel=1e-4)
    np.testing.assert_allclose(fractions.local, whole.local, atol=1e-4)


def images(shape: tuple[int, int]) -> st.SearchStrategy[Pixels]:
    """Random images, and flat ones."""
    levels = st.integers(0, 255)
    return st.one_of(
        arrays(np.uint8, (*shape, 3), elements=levels),
        st.builds(lambda level: np.full((*shape, 3), level, dtype=np.uint8), levels),
    )


pairs = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: st.tuples(images(shape), images(shape)))


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@settings(max_examples=40, deadline=None)
@given(pair=pairs)
def test_any_two_images_have_a_finite_distance_that_is_the_same_when_swapped(
    measure: Callable[..., Measurement], pair: tuple[Pixels, Pixels]
) -> None:
    a, b = pair
    there, back = measure(a, b), measure(b, a)
    assert np.isfinite(there.distance)
    assert 0 <= there.distance <= 2
    assert there.distance == back.distance
    assert there.local.dtype == np.float32
    assert np.isfinite(there.local).all()
    np.testing.assert_array_equal(there.local, back.local)
    same = measure(a, a.copy())
    assert same.distance == 0
    assert (same.local == 1).all()


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 5), (37, 61), (301, 203)])
def test_images_of_any_size_are_measured(measure: Callable[..., Measurement], shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(2))
    assert 0 < measure(a, b).distance <= 1


@pytest.mark.parametrize("measure", [haarpsi, ms_gmsd])
def test_strips_give_the_number_of_the_whole(
    measure: Callable[..., Measurement], monkeypatch: pytest.MonkeyPatch, pair: Callable[..., tuple[Pixels, Pixels]]
) -> None:
    a, b = (pixels[:395, :301] for pixels in pair("coffee", "blur"))
    monkeypatch.setattr(planes, "STRIP_PIXELS", 10**9)
    whole = measure(a, b)
    monkeypatch.setattr(planes, "STRIP_PIXELS", 301 * 24)
    in_strips = measure(a, b)
    assert in_strips.distance == pytest.approx(whole.distance, rel=1e-9)
    np.testing.assert_allclose(in_strips.local, whole.local, atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_the_local_map_shows_where_the_change_is(
    measure: Callable[..., Measurement], pair: Callable[..., tuple[Pixels, Pixels]]
) -> None:
    a, blurred = pair("astronaut", "blur")
    b = a.copy()
    b[128:256, 256:384] = blurred[128:256, 256:384]
    local = measure(a, b).local
    rows, columns = (length // 4 for length in local.shape)
    change = 1 - local
    inside = change[rows : 2 * rows, 2 * columns : 3 * columns].sum()
    assert inside > 0.9 * change.sum()


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 8, 3), np.uint8), "9×9 and 8×9 pixels"),
        (np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8), "are needed"),
        (np.zeros((9, 9, 3), np.float64), np.zeros((9, 9, 3), np.float64), "array of float64"),
        (np.zeros((0, 9, 3), np.uint8), np.zeros((0, 9, 3), np.uint8), "are needed"),
        (np.full((9, 9, 3), 9, np.float32), np.full((9, 9, 3), 9, np.float32), "outside 0…1"),
        (np.full((9, 9, 3), np.nan, np.float32), np.zeros((9, 9, 3), np.float32), "outside 0…1"),
        (np.zeros((9, 9, 3), np.float32), np.zeros((9, 9, 3), np.uint8), "same type"),
    ],
)
def test_arrays_that_are_no_pair_of_images_are_refused(a: Pixels, b: Pixels, words: str) -> None:
    for measure in MEASURES.values():
        with pytest.raises(SettingError, match=words):
            measure(a, b)
