"""What established full-reference measures say of a candidate: a source of orders that are certain, in training only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

VIEWED_AT = 2
"""Two pixels a side become one before the measures that assume a viewing distance see a picture."""

OPINION_CENTRES: dict[str, tuple[float, float]] = {
    "VSI": (-2.5, 1.2),
    "FSIMc": (-1.9, 1.3),
    "MDSI": (-1.1, 0.35),
    "HaarPSI": (-0.6, 0.8),
}
"""Mean and deviation of each measure's `opinions` over the engine's own sets, to bring them to one scale."""


def raw_opinions(references: Tensor, candidates: Tensor) -> Tensor:
    """VSI, FSIMc, MDSI and HaarPSI of N pairs, on a logarithmic scale of dissimilarity; (N, 4), higher better.

    Args:
        references, candidates: (N, 3, H, W), sRGB 0…1.
    """
    import piq

    near = [F.avg_pool2d(side, VIEWED_AT).clamp(0, 1) for side in (references, candidates)]
    with torch.inference_mode():
        dissimilarity = [
            1 - piq.vsi(*near, data_range=1.0, reduction="none"),
            1 - piq.fsim(*near, data_range=1.0, reduction="none"),
            piq.mdsi(*near, data_range=1.0, reduction="none"),
            1 - piq.haarpsi(references, candidates, data_range=1.0, reduction="none"),
        ]
    return -torch.stack(dissimilarity, dim=1).clamp_min(1e-5).log10()
