"""Where a picture's score comes from: an exact split of the score over its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScoreMap:
    """A score as a sum over pixels.

    Attributes:
        points: (H, W) float64, of the picture as it was judged; they sum to the score before it is clipped to 0…100.
        average: the score, also not clipped, of a picture with the mean features of those the probe was fitted on.
    """

    points: Map
    average: float

    @property
    def score(self) -> float:
        """The score before it is clipped to 0…100."""
        return float(self.points.sum())

    @property
    def local(self) -> Map:
        """(H, W), how each place would score if all of the picture were like it; their mean is the score."""
        return self.points * self.points.size


def resized(values: Map, rows: int, columns: int) -> Map:
    """A map on another grid of the same extent with the same sum: each cell's value is spread over its area."""
    return _along_rows(_along_rows(values, rows).T, columns).T


def _along_rows(values: Map, count: int) -> Map:
    # The running sum is linear inside a cell: read it at the new edges and take differences.
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    edges = np.linspace(0, len(values), count + 1)
    cells = np.minimum(edges.astype(np.intp), len(values) - 1)
    at_edges = running[cells] + (edges - cells)[:, None] * values[cells]
    return np.diff(at_edges, axis=0)
