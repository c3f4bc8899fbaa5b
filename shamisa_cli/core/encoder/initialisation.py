"""Where an encoder's weights start from."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision import models

from shamisa_cli.core.encoder.backbones import build_backbone
from shamisa_cli.core.encoder.spec import Architecture
from shamisa_cli.core.errors import ModelError

CLASSIFIER_PREFIXES = ("classifier.", "fc.")


def initial_state(architecture: Architecture, init: str) -> dict[str, Tensor]:
    """The backbone's state dict to start from.

    Args:
        architecture: which backbone.
        init: "imagenet" (torchvision's weights, downloaded once into torch's cache), "none" (random, from
            the torch RNG), or the path of a safetensors file with torchvision's key names; a classifier
            in it is left out.

    Raises:
        ModelError: the file is missing or damaged, does not fit, or the download fails.
    """
    backbone = build_backbone(architecture)
    if init == "none":
        return backbone.state_dict()
    source = _imagenet(architecture) if init == "imagenet" else _from_file(Path(init))
    state = {name: value for name, value in source.items() if not name.startswith(CLASSIFIER_PREFIXES)}
    return _fitted(state, backbone.state_dict(), architecture, init)


def _imagenet(architecture: Architecture) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = models.get_model(architecture, weights="DEFAULT").state_dict()
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"The ImageNet weights of {architecture} could not be downloaded ({error}). Give a safetensors file "
            "with torchvision's key names as the initialisation, or start from none."
        ) from error
    return state


def _from_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelError(f"There is no file {path} to start from; name a safetensors file, 'imagenet' or 'none'.")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error}.") from error


def _fitted(
    state: dict[str, Tensor], expected: dict[str, Tensor], architecture: Architecture, init: str
) -> dict[str, Tensor]:
    for name, value in expected.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros_like(value))
        elif name not in state or state[name].shape != value.shape:
            raise ModelError(
                f"The weights in {init} do not fit {architecture}: {name!r} is missing or has another shape."
            )
    unexpected = sorted(state.keys() - expected.keys())
    if unexpected:
        raise ModelError(f"The weights in {init} do not fit {architecture}: {unexpected[0]!r} does not belong to it.")
    return {name: state[name].to(value.dtype) for name, value in expected.items()}
