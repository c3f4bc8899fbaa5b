"""Where a picture's score comes from: an exact split of the score over its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.probe.ridge import POINTS, Probe

if TYPE_CHECKING:
    from shamisa_cli.core.networks.encoder import TorchEncoder

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


def split_score(encoder: TorchEncoder, probe: Probe, pixels: npt.NDArray[np.uint8]) -> ScoreMap:
    """Split the score of one picture, sRGB (H, W, 3) at its view size, over its pixels.

    What does not depend on the picture (bias, standardisation) is spread evenly; what a position of a feature
    map adds is spread evenly over the pixels it stands for.
    """
    from shamisa_cli.core.networks.score_maps import contributions

    weights = POINTS * probe.weights / probe.feature_scale
    height, width = pixels.shape[:2]
    constant = POINTS * probe.bias - float(np.sum(weights * probe.feature_mean))
    points = np.full((height, width), constant / (height * width))
    for part in contributions(encoder, pixels, weights):
        top, left, rows, columns = part.box
        points[top : top + rows, left : left + columns] += resized(part.values, rows, columns)
    return ScoreMap(points, POINTS * probe.bias)


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
