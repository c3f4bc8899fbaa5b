"""Frozen encoders in torch: from pixels to a feature vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from shamisa_cli.core.encoder.embedder import BYTES_PER_PIXEL, Runtime
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.networks.backbones import Backbone, build_backbone
from shamisa_cli.core.networks.features import extract_crops, feature_length
from shamisa_cli.core.networks.pixels import batch_of
from shamisa_cli.core.torch_state import as_torch_ships

BATCH_COUNTER = "num_batches_tracked"
"""Batch norm's counter, unused in a frozen encoder; weights may lack it."""


@dataclass(frozen=True)
class TorchEncoder:
    """A backbone in evaluation mode, with its configuration.

    Attributes:
        config: architecture, feature spec and preprocessing.
        backbone: the network, its weights frozen.
        device: the device that it runs on.
    """

    config: EncoderConfig
    backbone: Backbone
    device: torch.device

    runtime: ClassVar[Runtime] = "torch"
    concurrent: ClassVar[bool] = False
    """False on the CPU too, since torch's operators use all processors already."""

    @classmethod
    def create(
        cls, config: EncoderConfig, weights: Mapping[str, Tensor], device: str | torch.device = "cpu"
    ) -> TorchEncoder:
        """Build the backbone and load `weights` into it.

        Raises:
            ModelError: a weight is missing, superfluous, or of the wrong shape for the architecture.
        """
        backbone = _without_numbers(config.architecture)
        _check_weights(backbone, weights, config.architecture)
        counters = {name: torch.tensor(0) for name in backbone.state_dict() if name.endswith(BATCH_COUNTER)}
        backbone.load_state_dict(counters | dict(weights), strict=True, assign=True)
        backbone.requires_grad_(False)
        backbone = backbone.eval().to(device, torch.float32).to(memory_format=torch.channels_last)
        return cls(config, backbone, torch.device(device))

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""
        return feature_length(self.backbone, self.config.features)

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that a picture of this size takes to embed, roughly: this runtime reads pictures as a whole."""
        return BYTES_PER_PIXEL * height * width

    def state(self) -> dict[str, Tensor]:
        """The weights by torchvision's key names, on the CPU."""
        return {name: value.detach().cpu().contiguous() for name, value in self.backbone.state_dict().items()}

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""
        rows = self.embed_crops(pixels)
        vector: npt.NDArray[np.float32] = rows.mean(axis=0) if self.config.features.crops else rows[0]
        return vector

    @as_torch_ships()
    def embed_crops(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The feature vector of each crop, (R, D); R is 1 where the whole picture is read."""
        with torch.inference_mode():
            batch = batch_of(pixels, self.device)
            features = extract_crops(self.backbone, batch, self.config.features, self.config.preprocessing)
        rows: npt.NDArray[np.float32] = features[0].cpu().numpy()
        return rows


def _without_numbers(architecture: str) -> Backbone:
    """A backbone whose weights are to be replaced, without memory for them where its library can do that."""
    try:
        with torch.device("meta"):
            return build_backbone(architecture)
    except NotImplementedError:  # as it is built it computes with tensors, which some versions of PyTorch do without
        with torch.random.fork_rng(devices=()):
            return build_backbone(architecture)


def _check_weights(backbone: Backbone, weights: Mapping[str, Tensor], architecture: str) -> None:
    expected = backbone.state_dict()
    counters = {name for name in expected if name.endswith(BATCH_COUNTER)}
    missing = sorted(expected.keys() - weights.keys() - counters)
    unexpected = sorted(weights.keys() - expected.keys())
    if missing or unexpected:
        problem = f"lack {missing[0]!r}" if missing else f"have {unexpected[0]!r}, which does not belong"
        raise ModelError(f"These weights do not fit the architecture {architecture}: they {problem}.")
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            raise ModelError(
                f"These weights do not fit the architecture {architecture}: {name!r} has shape "
                f"{tuple(value.shape)}, and {tuple(expected[name].shape)} is needed."
            )
