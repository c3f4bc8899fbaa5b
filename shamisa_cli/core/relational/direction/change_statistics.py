"""Statistics of the change from one image to another: is it noise, detail, or a trace of blocks (ours)?

Noise that comes or goes is white, alike everywhere and different in each colour; detail that comes or goes lies where
there is more of it, along edges, and is alike in all colours. Which of the two images has more of it is told by the
energies of a band: a change e has e² of energy, and (b² − a²) / e² is 1 if it was added to a and −1 if taken away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.relational.direction.bands import (
    BLOCK,
    Layers,
    Plane,
    autocorrelation,
    centred,
    fitted,
    per_block,
)

LITTLE = 0.02
"""Square levels, added to energies: less cannot be told from rounding."""
TRAITS = 13
ODD, EVEN = 2 * TRAITS, TRAITS
"""Number of the statistics that change their sign when the images are swapped, and of those that do not change."""


def change_statistics(a: Layers, b: Layers) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Odd statistics (`ODD`,), the traits times which image has more fine detail, and the traits (`EVEN`,)."""
    traits = _traits(a, b)
    gains = [_gain(a, b, place) for place in (0, 1)]
    return np.concatenate([gain * traits for gain in gains]).astype(np.float32), traits.astype(np.float32)


def _traits(a: Layers, b: Layers) -> NDArray[np.float64]:
    """Traits of the change, whatever its sign (`TRAITS`,)."""
    change = centred(b.luma - a.luma)
    square = change * change
    energy = per_block(square)
    share = np.log(energy + LITTLE)
    activity = fitted(a.energies[2] + b.energies[2], energy.shape)
    lightness = per_block(a.luma + b.luma)
    total = float(square.mean()) + LITTLE
    peaks = float(np.log(((square * square).mean() + LITTLE**2) / total**2))
    colours = [centred(after - before) for before, after in zip(a.chroma, b.chroma, strict=True)]
    coloured = [float(np.log((np.square(plane).mean() + LITTLE) / total)) for plane in colours]
    return np.array(
        [
            *(autocorrelation(change, *lag) for lag in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))),
            peaks,
            float(share.std()),
            _correlation(share, np.log(activity + LITTLE)),
            _correlation(share, lightness),
            *coloured,
            _across_edges(a.luma + b.luma, change),
            _blockiness(change),
        ]
    )


def _gain(a: Layers, b: Layers, place: int) -> float:
    """In −1…1: how much more of a band b has than a, in units of the change."""
    more = float(b.energies[place].mean() - a.energies[place].mean())
    ratio = more / (float(np.square(b.bands[place] - a.bands[place]).mean()) + LITTLE)
    return ratio / (1 + abs(ratio))


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean() + 1e-6))


def _across_edges(guide: Plane, change: Plane) -> float:
    """The share of the change's slopes that run across the edges of both images: ½ if it ignores them."""
    height, width = change.shape
    if min(height, width) < 2:
        return 0.5
    smooth = guide[:height, :width]
    down, right = (_slopes(smooth, axis) for axis in (0, 1))
    by_down, by_right = (_slopes(change, axis) for axis in (0, 1))
    across = float(np.square(down * by_down + right * by_right).mean())
    return (across + LITTLE / 2) / (across + float(np.square(down * by_right - right * by_down).mean()) + LITTLE)


def _slopes(plane: Plane, axis: int) -> Plane:
    """Differences of neighbours, both axes cut by one."""
    slopes: Plane = np.diff(plane, axis=axis)
    return slopes[: plane.shape[0] - 1, : plane.shape[1] - 1]


def _blockiness(change: Plane) -> float:
    """Log of how much larger the change is along the edges of JPEG's blocks than everywhere."""
    across, beside = 0.0, 0.0
    for plane in (change, change.T):
        # Blocks were centred, which makes steps at their edges: so sizes are compared, not steps.
        sizes = np.abs(plane).mean(axis=0)
        across += float(sizes[::BLOCK].mean() + sizes[BLOCK - 1 :: BLOCK].mean()) if len(sizes) >= BLOCK else 0.0
        beside += float(sizes.mean()) * 2
    return float(np.log((across + 2 * LITTLE) / (beside + 2 * LITTLE)))
