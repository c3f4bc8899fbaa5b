"""Widths of edges: those of known blurs, alike in both directions, and whatever lies beside the tile's rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from shamisa_cli.core.full_size.focus import LEAST_EDGES, edge_widths


def bars(sigma: float, height: int = 128, width: int = 128) -> np.ndarray:
    """Upright bars 16 pixels wide, blurred."""
    columns = np.where(np.arange(width) // 16 % 2, 200.0, 50.0)
    return gaussian_filter(np.tile(columns, (height, 1)), (0, sigma)).astype(np.float32)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 2.5])
def test_a_known_blur_is_measured_across_the_edges_alone(sigma: float) -> None:
    across, along = edge_widths(bars(sigma), noise=0)
    assert across == pytest.approx(sigma, rel=0.15)
    assert along is None


@given(st.integers(0, 2**32 - 1), st.integers(12, 140), st.integers(12, 140))
def test_a_tile_and_the_same_tile_turned_have_the_same_widths(seed: int, height: int, width: int) -> None:
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (height // 6 + 1, width // 6 + 1))
    tile = np.kron(blocks, np.ones((6, 6)))[:height, :width].astype(np.float32)
    across, along = edge_widths(tile, noise=0)
    again = edge_widths(np.ascontiguousarray(tile.T), noise=0)
    assert again == (
        None if along is None else pytest.approx(along, rel=1e-3),
        None if across is None else pytest.approx(across, rel=1e-3),
    )


def test_two_sides_that_differ_are_no_edge() -> None:
    tile = np.full((128, 128), 60, np.float32)
    tile[:, 64:] = np.linspace(60, 240, 64)  # no step: 2.9 levels a pixel
    assert edge_widths(tile, noise=0) == (None, None)


def test_a_few_edges_are_not_enough() -> None:
    tile = np.full((128, 128), 60, np.float32)
    tile[: LEAST_EDGES // 2 - 1, 64:] = 200
    assert edge_widths(tile, noise=0)[0] is None
