"""Replacements of timm's layers that every runtime supports."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class PaddedConv2d(nn.Conv2d):
    """A convolution with fixed padding, which may differ before and after the image.

    Networks ported from TensorFlow pad depending on the size of their input. For even sizes that padding is fixed;
    it is used for odd sizes too, which have equally many outputs, so that the network is the same in every runtime.

    Attributes:
        sides: padding before and after, for both axes.
    """

    sides: tuple[int, int]

    @classmethod
    def like(cls, convolution: nn.Conv2d) -> PaddedConv2d:
        """The same convolution, with the same parameters, padded for inputs of even size."""
        (kernel, _), (stride, _) = convolution.kernel_size, convolution.stride
        padded = cls(
            convolution.in_channels,
            convolution.out_channels,
            kernel,
            stride,
            groups=convolution.groups,
            bias=convolution.bias is not None,
            device="meta",
        )
        padded.weight, padded.bias = convolution.weight, convolution.bias
        before = max(kernel - stride, 0) // 2
        padded.sides = (before, kernel - 1 - before)  # the last pixel is read for odd sizes only
        return padded

    def forward(self, x: Tensor) -> Tensor:
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return super().forward(F.pad(x, (*self.sides, *self.sides), mode=mode))


class NormAct(nn.BatchNorm2d):
    """Batch norm followed by an activation, as one layer.

    Attributes:
        act: the activation.
    """

    act: nn.Module

    @classmethod
    def like(cls, layer: Any) -> NormAct:
        """Copy one of timm's layers, with its parameters and statistics."""
        copy = cls(layer.num_features, eps=layer.eps, momentum=layer.momentum)
        copy.weight, copy.bias, copy.act = layer.weight, layer.bias, layer.act
        copy.running_mean, copy.running_var = layer.running_mean, layer.running_var
        copy.num_batches_tracked = layer.num_batches_tracked
        return copy

    def forward(self, x: Tensor) -> Tensor:
        return self.act(super().forward(x))  # type: ignore[no-any-return]
