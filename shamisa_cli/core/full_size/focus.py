"""Width of edges, in pixels, from how much a known blur lowers them.

An edge blurred with σ has the slope c / σ; blurred once more with σ₀ it has c / √(σ² + σ₀²). The ratio R of the slopes
gives σ = σ₀ / √(R² - 1), whatever the edge's contrast (Zhuo and Sim, Pattern Recognition 44, 2011).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

REBLUR = 1.0
"""σ₀ in pixels."""
LEAST_SLOPE = 5.0
"""Grey levels per pixel; lower edges are not measured."""
SLOPES_OF_NOISE = 6.0
"""Edges must rise this many times the noise's deviation per pixel."""
LEAST_EDGES = 24
SHARP_SHARE = 0.5
"""Quantile of the widths of a tile's edges that is taken for the tile."""
WIDEST = 2.2
"""Pixels; the ratio hardly differs from 1 beyond, and the image is reduced by two and measured again."""
DOMINANT = 1.5
"""An edge counts for a direction if its slope there is this many times the slope across."""


def edge_widths(tile: Plane, noise: float) -> tuple[float | None, float | None]:
    """Blur σ in pixels of the sharper edges of a tile (H, W), across columns and across rows; None with few edges.

    Args:
        tile: luma.
        noise: deviation of the noise, in grey levels.
    """
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(tile, REBLUR, mode="nearest")
    least = max(LEAST_SLOPE, SLOPES_OF_NOISE * noise)
    return _widths(tile, blurred, least), _widths(tile.T, blurred.T, least)


def _widths(tile: Plane, blurred: Plane, least: float) -> float | None:
    slope = np.abs(np.gradient(tile, axis=1))[2:-2, 2:-2]
    across = np.abs(np.gradient(tile, axis=0))[2:-2, 2:-2]
    again = np.abs(np.gradient(blurred, axis=1))[2:-2, 2:-2]
    edges = (slope > least) & (slope > DOMINANT * across)
    edges[:, 1:-1] &= (slope[:, 1:-1] >= slope[:, :-2]) & (slope[:, 1:-1] >= slope[:, 2:])
    if np.count_nonzero(edges) < LEAST_EDGES:
        return None
    ratio = slope[edges] / np.maximum(again[edges], 1e-3)
    sharp = float(np.quantile(ratio, 1 - SHARP_SHARE))
    return float(REBLUR / np.sqrt(max(sharp * sharp - 1, 1e-3)))
