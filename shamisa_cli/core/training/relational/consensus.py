"""Consensus of established full-reference measures: the target of the relational score, in training only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.errors import SettingError

VIEWED_AT = 2
"""Factor by which images are reduced for measures that assume a viewing distance."""

MEASURES: dict[str, tuple[float, float]] = {
    "VSI": (1.88, 0.68),
    "FSIMc": (1.48, 0.62),
    "MDSI": (0.55, 0.16),
    "HaarPSI": (0.88, 0.58),
}
"""Mean and deviation of −log₁₀ of each measure's dissimilarity over 600 candidates of `draw_ordered_set`."""

STEEPNESS = 1.7
"""Parameters of the logistic curve that maps the mean of the standardised measures about uniformly to 0…1."""

IDENTICAL = 1e-5
"""Dissimilarities below this count as equal."""


def consensus(references: Tensor, candidates: Tensor) -> Tensor:
    """Compute how much worse candidates are than their references: (N,), 0 (equal) to −100; −50 is usual in training.

    VSI (Zhang et al. 2014), FSIMc (Zhang et al. 2011), MDSI (Nafchi et al. 2016) and HaarPSI (Reisenhofer et al. 2018),
    each on a logarithmic scale, averaged. None of them was derived from the images that this project is evaluated on.

    Args:
        references, candidates: (N, 3, H, W), sRGB 0…1.

    Raises:
        SettingError: the package that computes them is not installed.
    """
    try:
        import piq
    except ImportError:
        raise SettingError(
            "Training a relational model needs the package piq. Install it with: pip install 'shamisa[train]'."
        ) from None
    near = [F.avg_pool2d(side, VIEWED_AT).clamp(0, 1) for side in (references, candidates)]
    with torch.inference_mode():
        dissimilarity = {
            "VSI": 1 - piq.vsi(*near, data_range=1.0, reduction="none"),
            "FSIMc": 1 - piq.fsim(*near, data_range=1.0, reduction="none"),
            "MDSI": piq.mdsi(*near, data_range=1.0, reduction="none"),
            "HaarPSI": 1 - piq.haarpsi(references, candidates, data_range=1.0, reduction="none"),
        }
        likeness = [
            (-dissimilarity[name].clamp_min(IDENTICAL).log10() - mean) / deviation
            for name, (mean, deviation) in MEASURES.items()
        ]
        agreed: Tensor = torch.stack(likeness).mean(dim=0)
        return -100 * torch.sigmoid(-STEEPNESS * agreed)
