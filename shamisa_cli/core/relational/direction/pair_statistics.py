"""Statistics of a pair of images: in which of the two there is more of everything, and how much changed (ours).

Where detail changes from a to b by e, (|b|² − |a|²) / |e|² tells what e is, however little there is of it: 1 if noise
was added to a, −1 if detail was taken away from it, more than 1 if it was amplified.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.relational.direction import change_statistics
from shamisa_cli.core.relational.direction.bands import CHROMA_BANDS, LUMA_BANDS, Layers, Plane, fitted, per_block

PARTS = 3
"""Thirds of the blocks, from the plainest to the busiest."""
LITTLE = 0.02
"""Square levels, added to the energy of a change: less cannot be told from rounding."""

BANDS = LUMA_BANDS + 2 * CHROMA_BANDS
ODD = 4 * BANDS * PARTS + change_statistics.ODD
EVEN = 2 * BANDS * PARTS + change_statistics.EVEN
"""Number of the odd and of the even statistics."""


def pair_statistics(a: Layers, b: Layers) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Odd statistics (`ODD`,), which change their sign when a and b are swapped, and even ones (`EVEN`,), which do not.

    Args:
        a, b: `layers` of two images of one size.
    """
    of_bands, of_change = _of_bands(a, b), change_statistics.change_statistics(a, b)
    odd, even = (np.concatenate(parts) for parts in zip(of_bands, of_change, strict=True))
    return odd, even


def _of_bands(a: Layers, b: Layers) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each band in each third of its blocks, from the plainest to the busiest.

    Odd: how much more energy b has, in units of the change and as a logarithm, and the parts of the latter that the
    images have in common (amplified detail) and have not (noise). Even: the change, and how unlike they are.
    """
    activity = a.energies[2] + b.energies[2]
    odd: list[float] = []
    even: list[float] = []
    for place, (first, second) in enumerate(zip(a.bands, b.bands, strict=True)):
        energies = a.energies[place], b.energies[place], per_block(np.square(second - first))
        for part in _parts(activity, energies[0].shape):
            before, after, changed = (float(energy.ravel()[part].mean()) + LITTLE for energy in energies)
            ratio, more = (after - before) / changed, float(np.log(after) - np.log(before))
            alike = min(((before + after - changed) / 2) ** 2 / (before * after), 1.0)
            odd += [ratio / (1 + abs(ratio)), more, more * alike, more * (1 - alike)]
            even += [float(np.log(changed)), float(np.log(1.001 - alike))]
    return np.array(odd, dtype=np.float32), np.array(even, dtype=np.float32)


def _parts(activity: Plane, shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """Places of the thirds of the blocks of a band, by their activity; of all blocks if there are fewer than three."""
    order = np.argsort(fitted(activity, shape), axis=None, kind="stable")
    return [part if len(part) else order for part in np.array_split(order, PARTS)]
