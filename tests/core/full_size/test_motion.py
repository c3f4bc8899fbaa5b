"""Energies of steps along eight directions, against plain differences of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter1d

from shamisa_cli.core.full_size.motion import DIRECTIONS, LEAST_ENERGY, OFFSETS, lost_along_one_direction


def plain(tiles: list[np.ndarray]) -> float:
    """The same from pairs of shifted tiles, all differences in whole numbers."""
    kept = []
    for short, long in OFFSETS:
        energies = []
        for down, across in (short, long):
            steps = []
            for tile in tiles:
                padded = np.full((tile.shape[0] + 64, tile.shape[1] + 64), -1, np.int64)
                padded[32:-32, 32:-32] = tile
                moved = np.roll(padded, (-down, -across), axis=(0, 1))
                both = (padded >= 0) & (moved >= 0)
                steps.append((padded - moved)[both] ** 2)
            energies.append(np.concatenate(steps).mean() + LEAST_ENERGY)
        kept.append(np.log2(energies[0] / energies[1]))
    half = len(DIRECTIONS) // 2
    return max(kept[number - half] - kept[number] for number in range(len(DIRECTIONS)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(0, 255), st.integers(0, 255))
def test_it_is_that_of_plain_differences(seed: int, count: int, low: int, high: int) -> None:
    random = np.random.default_rng(seed)
    low, high = sorted((low, high))
    tiles = [random.integers(low, high + 1, (64, 80)).astype(np.uint8) for _ in range(count)]
    assert lost_along_one_direction(tiles) == pytest.approx(plain(tiles), abs=0.0051)


@pytest.mark.parametrize(("axis", "other"), [(0, 1), (1, 0)])
def test_smoothing_along_a_direction_is_seen_whichever_it_is(axis: int, other: int) -> None:
    noise = np.random.default_rng(0).normal(128, 60, (128, 128))
    moved = np.clip(uniform_filter1d(noise, 9, axis=axis), 0, 255).astype(np.uint8)
    turned = np.clip(uniform_filter1d(noise.T, 9, axis=other), 0, 255).astype(np.uint8)
    assert lost_along_one_direction([moved]) > 2
    assert lost_along_one_direction([moved]) == lost_along_one_direction([turned])


def test_without_tiles_there_is_nothing_to_say() -> None:
    assert lost_along_one_direction([]) is None
