"""Statistics of a pair of images: in which of the two there is more of everything, and how much changed (ours).

Where detail changes from a to b by e, (|b|² − |a|²) / |e|² tells what e is, however little there is of it: 1 if noise
was added to a, −1 if detail was taken away from it, more than 1 if it was amplified.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.direction.bands import Plane, bands, colour_planes, per_block

LUMA_BANDS, CHROMA_BANDS = 4, 2
PARTS = 3
"""Thirds of the blocks, from the plainest to the busiest."""
LITTLE = 0.02
"""Square levels, added to the energy of a change: less cannot be told from rounding."""

COUNT = (LUMA_BANDS + 2 * CHROMA_BANDS) * PARTS
"""Number of the odd and of the even statistics."""


def all_bands(pixels: Pixels) -> list[Plane]:
    """The bands of detail of an image, sRGB (H, W, 3) uint8, that `pair_statistics` takes."""
    counts = (LUMA_BANDS, CHROMA_BANDS, CHROMA_BANDS)
    return [band for plane, count in zip(colour_planes(pixels), counts, strict=True) for band in bands(plane, count)]


def pair_statistics(a: Sequence[Plane], b: Sequence[Plane]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Odd statistics (`COUNT`,) in −1…1, which change their sign when a and b are swapped, and even ones (`COUNT`,).

    Args:
        a, b: `all_bands` of two images of one size.
    """
    activity = per_block(a[1] * a[1] + b[1] * b[1])
    odd: list[float] = []
    even: list[float] = []
    for band_a, band_b in zip(a, b, strict=True):
        change = band_b - band_a
        # The sum is formed alike in both orders, so that its product with the change only flips the sign.
        gain, energy = per_block(change * (band_a + band_b)), per_block(change * change)
        for part in _parts(activity, gain.shape):
            more, changed = float(gain[part].mean()), float(energy[part].mean())
            ratio = more / (changed + LITTLE)
            odd.append(ratio / (1 + abs(ratio)))
            even.append(float(np.log(changed + LITTLE)))
    return np.array(odd, dtype=np.float32), np.array(even, dtype=np.float32)


def _parts(activity: Plane, shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """Thirds of the blocks of a band by their activity; a third may be empty of none but tiny images."""
    here = _at(activity, shape)
    order = np.argsort(here, axis=None, kind="stable")
    rank = np.empty(here.size, dtype=np.int64)
    rank[order] = np.arange(here.size)
    third = (rank * PARTS // here.size).reshape(here.shape)
    return [third == part if (third == part).any() else np.ones_like(third, dtype=bool) for part in range(PARTS)]


def _at(values: Plane, shape: tuple[int, ...]) -> Plane:
    """The nearest values on a grid of another size."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(shape, values.shape, strict=True))
    return values[np.ix_(rows, columns)]
