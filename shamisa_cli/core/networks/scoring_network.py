"""The scoring network: one signed number from signed maps; and both networks of a relational model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.networks.distortion_network import DistortionNetwork, NetworkOutput, towards_one
from shamisa_cli.core.networks.pair_statistics import COMBS, histogram_comb_difference, level_counts
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.relational.records import MAPS, POINTS, SCORE_CERTAINTY, SQUARED_FLOOR


class ScoringNetwork(nn.Module):
    """S(D): one signed number, negative where the second picture is worse; S(−D) = −S(D) exactly.

    Amount of change times the direction, −1…1, of the better image. The direction is computed from all maps and from
    the histograms of both images, without biases and with odd activations only, so the score is odd by construction.
    """

    def __init__(self, config: RelationalConfig) -> None:
        super().__init__()
        entries = 3 * len(MAPS) + COMBS
        self.hidden = nn.Linear(entries, config.hidden, bias=False)
        self.out = nn.Linear(config.hidden, 1, bias=False)
        self.direct = nn.Linear(entries, 1, bias=False)
        nn.init.zeros_(self.direct.weight)
        self.direct.weight.data[0, 2 * len(MAPS) - 1] = -1.0

    def forward(self, related: NetworkOutput, combs: Tensor) -> Tensor:
        """Maps of N pairs, of any size, and `histogram_comb_difference` (N, 8) of them → scores (N,) in −100…100."""
        shares = related.weights / related.weights.sum(dim=(2, 3), keepdim=True)
        entries = torch.cat([odd_pooling(related.maps, shares), combs], dim=1)
        better = (self.direct(entries) + self.out(torch.tanh(self.hidden(entries))))[:, 0]
        return towards_one(SCORE_CERTAINTY * better) * change_points(related)


def change_points(related: NetworkOutput) -> Tensor:
    """Amount of change, (N,) in 0…100: the score without its sign and certainty."""
    mean = (related.amount * related.weights).sum(dim=(1, 2, 3)) / related.weights.sum(dim=(1, 2, 3))
    return POINTS * mean / (1 + mean)


def odd_pooling(maps: Tensor, shares: Tensor) -> Tensor:
    """(N, K, h, w) and shares (N, 1, h, w) of sum 1 → (N, 3·K): the plain mean, the weighted mean, and the
    signed root of the weighted second moment, which emphasises the worst positions."""
    square = (maps * maps.abs() * shares).sum(dim=(2, 3))
    root = square / (square.abs() + SQUARED_FLOOR).sqrt()
    return torch.cat([maps.mean(dim=(2, 3)), (maps * shares).sum(dim=(2, 3)), root], dim=1)


class RelationalModel(nn.Module):
    """The distortion and the scoring network of one model.

    Args:
        config: their shape.
        weights: a backbone's state with torchvision's key names to start the trunk from; None keeps random weights.

    Raises:
        ModelError: the weights lack a tensor that the trunk needs.
    """

    def __init__(self, config: RelationalConfig, weights: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self.config = config
        self.distortion = DistortionNetwork(config)
        self.scoring = ScoringNetwork(config)
        if weights is not None:
            backbone = self.distortion.trunk.backbone
            own = backbone.state_dict()
            missing = sorted(
                own.keys() - weights.keys() - {name for name in own if name.endswith("num_batches_tracked")}
            )
            if missing:
                raise ModelError(f"These weights do not fit the trunk, a MobileNetV2: they lack {missing[0]!r}.")
            backbone.load_state_dict({name: weights.get(name, value) for name, value in own.items()})

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs (N, 3, H, W), sRGB 0…1, sides multiples of 16 → maps (N, 9, H/8, W/8) and scores (N,)."""
        related = self.distortion(a, b)
        return related.maps, self.scoring(related, histogram_comb_difference(level_counts(a), level_counts(b)))
