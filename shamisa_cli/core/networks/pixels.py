"""Images as batches of networks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from shamisa_cli.core.arrays import Pixels


def batch_of(pixels: Pixels, device: torch.device | str = "cpu") -> Tensor:
    """An image (H, W, 3) uint8 as a batch (1, 3, H, W) float32 in 0…1."""
    writable = np.require(pixels, requirements=["C", "W"])  # PyTorch warns of others, and refuses some views
    return torch.from_numpy(writable).to(device).permute(2, 0, 1)[None].float() / 255
