"""Score maps: an exact split of an image's score over its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float64]
Edges = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """A score as a sum over pixels.

    Attributes:
        points: (H, W) float64, at the view size; they sum to the score before it is clipped to 0…100.
        average: the score, also not clipped, of an image with the mean features of the images fitted on.
    """

    points: Map
    average: float

    @property
    def score(self) -> float:
        """The score before it is clipped to 0…100."""
        return float(self.points.sum())

    @property
    def local(self) -> Map:
        """(H, W), the score of an image that is everywhere like this position; their mean is the score."""
        return self.points * self.points.size


def resized(values: Map, rows: int, columns: int) -> Map:
    """Resample a map to another grid of the same extent, preserving its sum: each value is spread over its cell."""
    return spread_over(values, np.linspace(0, len(values), rows + 1), np.linspace(0, values.shape[1], columns + 1))


def spread_over(values: Map, rows: Edges, columns: Edges) -> Map:
    """Resample a map whose values are spread evenly over their cells to pixels anywhere on it.

    Args:
        values: (h, w), one for each cell.
        rows, columns: rising edges of the pixels in cells, (H + 1,) in 0…h and (W + 1,) in 0…w.
    """
    # The rows come last: they are whole pieces of memory.
    return _along_rows(_along_rows(values.T, columns).T, rows)


def _along_rows(values: Map, edges: Edges) -> Map:
    # The running sum is linear inside a cell: read it at the new edges and take differences.
    running = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=running[1:])
    cells = np.minimum(edges.astype(np.intp), len(values) - 1)
    at_edges = running[cells] + (edges - cells)[:, None] * values[cells]
    return np.diff(at_edges, axis=0)
