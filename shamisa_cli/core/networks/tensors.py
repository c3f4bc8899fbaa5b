"""Scores of images that are tensors already: in a training loop, a validation step, a loss."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.images.view import reduced_size
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.features import extract
from shamisa_cli.core.networks.model_folders import network_of
from shamisa_cli.core.probe.ridge import POINTS, Probe
from shamisa_cli.core.scoring.scorer import ViewSize, effective_view_size, require_probe
from shamisa_cli.core.torch_state import as_torch_ships


class TensorScorer(nn.Module):
    """Scores 0…100 of sRGB pictures (N, 3, H, W) or (3, H, W) in 0…1, as `score` gives them for files.

    A picture whose long side is within the view size scores as its file does, to a hundredth of a point. Larger ones
    are reduced by torch's antialiased bicubic filter, which differs a little from the one files are read with.
    Gradients reach the pictures, so that a score can be part of a loss. The model itself stays as it is, in evaluation
    mode and in float32, whatever is done to a module that contains the scorer: it has no parameters, and nothing in
    checkpoints. `to` moves it.

    Args:
        model: a loaded model, a name, a folder, or "hf:org/name@revision"; None takes the default one. A name is
            loaded on the CPU; move the scorer with `to`.
        view_size: long side in pixels to which images are reduced; "model": the model's own; None keeps every pixel.

    Raises:
        ModelError: the model is missing, damaged, or has no probe.
        SettingError: the view size is too small.
    """

    weights: Tensor
    feature_mean: Tensor
    feature_scale: Tensor
    offset_weights: Tensor

    def __init__(self, model: str | Model | None = None, *, view_size: ViewSize = "model") -> None:
        super().__init__()
        if not isinstance(model, Model):
            model = load_model(model or DEFAULT_MODEL, device="cpu", runtime="torch")
        probe = require_probe(model)
        self.config = model.encoder.config
        self.view_size = effective_view_size(model.encoder, view_size)
        with as_torch_ships():
            self._hold(network_of(model), probe)

    def _hold(self, network: TorchEncoder, probe: Probe) -> None:
        # A copy, so that moving the scorer does not move the caller's model.
        # A tuple hides it from torch: what is done to all parameters or modules around the scorer must not reach it.
        self._held = (copy.deepcopy(network.backbone),)
        self.bias, self.clip, self.offset = probe.bias, probe.clip, probe.offset
        vectors = {name: getattr(probe, name) for name in ("weights", "feature_mean", "feature_scale")}
        vectors["offset_weights"] = probe.offset.weights if probe.offset else probe.weights * 0
        for name, vector in vectors.items():
            self.register_buffer(name, torch.from_numpy(vector).float().to(network.device), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (N,) float32 of pictures (N, 3, H, W), or a score () of one picture (3, H, W).

        Raises:
            SettingError: another shape, no floating-point numbers, or numbers outside 0…1.
        """
        _check(images)
        pixels = (images if images.ndim == 4 else images[None]).to(self.weights.device, torch.float32)
        with torch.autocast(pixels.device.type, enabled=False):
            features = extract(self._held[0], self._viewed(pixels), self.config.features, self.config.preprocessing)
        standardised = (features - self.feature_mean) / self.feature_scale
        if self.clip is not None:
            standardised = standardised.clamp(-self.clip, self.clip)
        position = self.bias + (standardised * self.weights).sum(dim=1)
        if self.offset is not None:
            offset = self.offset.bias + (standardised * self.offset_weights).sum(dim=1)
            position = position + self.offset.share * offset.clamp(self.offset.low, self.offset.high)
        scores = (POINTS * position).clamp(0, POINTS)
        return scores if images.ndim == 4 else scores[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(fn(tensor).device)  # stays float32 if an enclosing module is cast to half precision

        self._held[0]._apply(moved)  # type: ignore[no-untyped-call]
        return super()._apply(moved, recurse)  # type: ignore[no-untyped-call,no-any-return]

    def _viewed(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[2:]
        size = reduced_size((height, width), self.view_size)
        if size == (height, width):
            return pixels
        return F.interpolate(pixels, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _check(images: object) -> None:
    if not isinstance(images, Tensor) or images.layout != torch.strided or hasattr(images, "get_mask"):
        raise SettingError(f"Pictures are dense tensors (N, 3, H, W) or (3, H, W), and this is a {_kind(images)}.")
    if images.ndim not in (3, 4) or images.shape[-3] != 3 or 0 in images.shape:
        raise SettingError(f"Pictures are tensors (N, 3, H, W) or (3, H, W); this one is {tuple(images.shape)}.")
    if not images.is_floating_point():
        raise SettingError(f"Pictures are floating-point numbers in 0…1, and these are {images.dtype}. Divide by 255.")
    low, high = (float(end) for end in images.detach().aminmax())
    if not (low >= 0 and high <= 1):
        raise SettingError(f"Pictures are numbers in 0…1, and these run from {low:g} to {high:g}.")


def _kind(given: object) -> str:
    dense = isinstance(given, Tensor) and given.layout == torch.strided  # but some values of it are hidden
    return f"tensor of layout {given.layout}" if isinstance(given, Tensor) and not dense else type(given).__name__
