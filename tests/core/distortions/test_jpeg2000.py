"""JPEG 2000 without its entropy coder: the transform, and what comes back beside what OpenJPEG gives back."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from shamisa_cli.core.distortions.jpeg2000 import jpeg2000_round_trip
from shamisa_cli.core.distortions.wavelet import forward_wavelet, inverse_wavelet

# Daubechies' 9/7 analysis filters with unit gain at zero frequency (and 2 at the highest), ISO/IEC 15444-1 table F.4.
SMOOTH = (0.6029490182363579, 0.2668641184428723, -0.07822326652898785, -0.01686411844287495, 0.02674875741080976)
DETAIL = (1.115087052456994, -0.5912717631142470, -0.05754352622849957, 0.09127176311424948)


@pytest.fixture(scope="module")
def photographs(example_photos: Path) -> list[np.ndarray]:
    """(224, 224, 3) uint8 crops of real photographs, one of them with noise, one smoothed."""
    names = ("astronaut", "coffee", "temple", "rocket", "coffee", "temple")
    crops = [np.asarray(Image.open(example_photos / f"{name}.jpg").crop((120, 60, 344, 284))) for name in names]
    noise = np.random.default_rng(0).normal(0, 15, crops[4].shape)
    crops[4] = np.clip(crops[4] + noise, 0, 255).astype(np.uint8)
    crops[5] = ndimage.gaussian_filter(crops[5], (1.5, 1.5, 0))
    return crops


def ours(picture: np.ndarray, ratio: float) -> np.ndarray:
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    return jpeg2000_round_trip(pixels, torch.tensor([ratio]))[0].round().clamp(0, 255).permute(1, 2, 0).numpy()


def openjpeg(picture: np.ndarray, ratio: float) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(
        stream, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=1
    )
    return np.asarray(Image.open(stream)).astype(np.float32)


def squared_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one.astype(np.float64) - other) ** 2))


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / squared_error(one, other)))


@given(height=st.integers(1, 40), width=st.integers(1, 40), levels=st.integers(0, 5), seed=st.integers(0, 99))
def test_the_transform_loses_nothing_whatever_the_size(height: int, width: int, levels: int, seed: int) -> None:
    pictures = torch.rand(2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    back = inverse_wavelet(forward_wavelet(pictures, levels), levels)
    torch.testing.assert_close(back, pictures, atol=1e-12, rtol=0)


def test_one_level_is_the_standards_pair_of_filters() -> None:
    signal = np.random.default_rng(0).random((1, 64))
    smooth, detail = (ndimage.convolve1d(signal[0], [*taps[:0:-1], *taps], mode="mirror") for taps in (SMOOTH, DETAIL))
    stacked = torch.from_numpy(np.repeat(signal, 2, axis=0))
    result = forward_wavelet(stacked, 1)[0].numpy() / np.sqrt(
        2
    )  # both rows are alike: their smooth half is √2 times one
    np.testing.assert_allclose(result[:32] / np.sqrt(2), smooth[0::2], atol=1e-9)
    np.testing.assert_allclose(result[32:] * np.sqrt(2), detail[1::2], atol=1e-9)


@pytest.mark.parametrize("ratio", [16.0, 32.0, 80.0, 170.0])
def test_as_much_is_lost_as_openjpeg_loses(photographs: list[np.ndarray], ratio: float) -> None:
    differences = [
        decibels(ours(picture, ratio), picture) - decibels(openjpeg(picture, ratio), picture) for picture in photographs
    ]
    assert abs(np.mean(differences)) < 0.5
    assert max(map(abs, differences)) < 1.5


@pytest.mark.parametrize("ratio", [16.0, 45.0, 120.0])
def test_the_same_is_lost_as_openjpeg_loses(photographs: list[np.ndarray], ratio: float) -> None:
    """Both results are nearer to each other than either is to the photograph."""
    shares = []
    for picture in photographs:
        theirs = openjpeg(picture, ratio)
        shares.append(squared_error(ours(picture, ratio), theirs) / squared_error(theirs, picture))
    assert max(shares) < 0.75
    assert np.mean(shares) < 0.4


def test_what_fits_whole_comes_back_nearly_whole() -> None:
    ramp = np.repeat(np.linspace(20, 230, 224)[:, None, None], 224, axis=1).repeat(3, axis=2).astype(np.uint8)
    assert np.abs(ours(ramp, 16.0) - ramp).max() <= 3


def test_each_picture_of_a_batch_gets_its_own_ratio(photographs: list[np.ndarray]) -> None:
    pixels = torch.from_numpy(np.stack(photographs[:3])).permute(0, 3, 1, 2).float()
    ratios = torch.tensor([16.0, 60.0, 170.0])
    together = jpeg2000_round_trip(pixels, ratios)
    for place, ratio in enumerate(ratios):
        alone = jpeg2000_round_trip(pixels[place : place + 1], ratio[None])
        torch.testing.assert_close(together[place : place + 1], alone, atol=1e-2, rtol=0)
