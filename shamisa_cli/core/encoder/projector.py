"""The head that the objective sees during pretraining; it is thrown away afterwards."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """Two linear layers with a ReLU between (paper: 2048 → 3072 → 768); the output is not normalised.

    Args:
        in_dim: length of a representation h.
        hidden: width of the layer between.
        out: D, length of z.
    """

    def __init__(self, in_dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_dim, hidden)
        self.second = nn.Linear(hidden, out)

    def forward(self, h: Tensor) -> Tensor:
        """(N, in_dim) → (N, out)."""
        z: Tensor = self.second(torch.relu(self.first(h)))
        return z

    @torch.no_grad()
    def calibrate(self, h: Tensor) -> None:
        """Rescale both layers so that their outputs for `h` (N, in_dim) start centred with unit variance.

        h has unit norm, so torch's default initialisation gives z a standard deviation near 0.01, a
        plateau that plain gradient descent needs thousands of steps to leave (method file, section 3).
        """
        _whiten_scale(self.first, h)
        _whiten_scale(self.second, torch.relu(self.first(h)))


def _whiten_scale(layer: nn.Linear, inputs: Tensor) -> None:
    """Scale a layer by one number, and shift it, so that its outputs have mean 0 and mean variance 1."""
    outputs = layer(inputs).float()
    scale = outputs.var(dim=0).mean().clamp_min(1e-12).rsqrt().to(layer.weight.dtype)
    layer.weight.mul_(scale)
    layer.bias.sub_(outputs.mean(dim=0).to(layer.bias.dtype)).mul_(scale)
