"""Synchronised batch norm over the crops of all processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shamisa_cli.core.training.distributed import World


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch norm with the mean and variance over the crops of all processes.

    torch's own SyncBatchNorm runs on GPUs only; this one is for several processes on CPUs. All processes must have
    equally many positions.

    Args:
        model: the batch norm to replace; parameters and statistics are shared with it.
        world: the processes.
    """

    def __init__(self, model: nn.BatchNorm2d, world: World) -> None:
        super().__init__(model.num_features, model.eps, model.momentum)
        self.weight, self.bias = model.weight, model.bias
        self.running_mean, self.running_var = model.running_mean, model.running_var
        self.num_batches_tracked = model.num_batches_tracked
        self.world = world
        self.train(model.training)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape; in evaluation mode, ordinary batch norm."""
        if not self.training:
            return super().forward(input)
        pixels = input.to(torch.promote_types(input.dtype, torch.float32))
        spread, centre = torch.var_mean(pixels, dim=(0, 2, 3), correction=0)
        spreads, centres = self.world.gathered(torch.stack([spread, centre])[None]).unbind(dim=1)
        mean = centres.mean(dim=0)
        variance = (spreads + (centres - mean).square()).mean(dim=0)
        self._remember(mean.detach(), variance.detach(), self.world.size * pixels.numel() // pixels.shape[1])
        scale = self.weight * (variance + self.eps).rsqrt()
        normed = (pixels - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
        return normed.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), share)


def synchronise_batchnorm(module: nn.Module, world: World) -> None:
    """Replace all batch norms inside `module` by synchronised ones; parameters stay the same objects."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, _synchronised(child, world))
        else:
            synchronise_batchnorm(child, world)


def _synchronised(norm: nn.BatchNorm2d, world: World) -> nn.Module:
    if world.device.type == "cuda":
        on_gpu: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return on_gpu
    return SynchronisedBatchNorm(norm, world)
