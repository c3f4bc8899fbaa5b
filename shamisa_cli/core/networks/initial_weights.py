"""Initial weights of an encoder."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.existence import closed_on_the_way, is_file
from shamisa_cli.core.networks.backbones import IMAGENET_WEIGHTS, build_backbone, imagenet_backbone, is_timm

CLASSIFIER_PREFIXES = ("classifier.", "fc.", "head.")


def initial_state(architecture: str, init: str) -> dict[str, Tensor]:
    """Return the backbone's initial state dict.

    Args:
        architecture: name of the backbone.
        init: "imagenet" (torchvision's `IMAGENET1K_V1` weights, which are the paper's start, or timm's; downloaded
            once into the library's cache), "none" (random, from the torch RNG), or the path of a safetensors file
            with torchvision's key names, of an efficientnet or "timm:" with timm's; a classifier in it is left out.

    Raises:
        ModelError: the file is missing or damaged, does not fit, or the download fails.
    """
    backbone = build_backbone(architecture)
    if init == "none":
        return backbone.state_dict()
    source = _imagenet(architecture) if init == "imagenet" else _from_file(Path(init))
    state = {name: value for name, value in source.items() if not name.startswith(CLASSIFIER_PREFIXES)}
    return _fitted(state, backbone.state_dict(), architecture, init)


def _imagenet(architecture: str) -> dict[str, Tensor]:
    try:
        backbone = imagenet_backbone(architecture)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"The ImageNet weights of {architecture} ({_published(architecture)}) could not be downloaded ({error}). "
            "Without a network, name a safetensors file of them as the initialisation (made where there is one), or "
            "start from none."
        ) from error
    return backbone.state_dict()


def _published(architecture: str) -> str:
    return "timm's" if is_timm(architecture) else f"torchvision's {IMAGENET_WEIGHTS}"


def _from_file(path: Path) -> dict[str, Tensor]:
    if not is_file(path):
        raise ModelError(
            f"There is no file {path} to start from; name a safetensors file, 'imagenet' or 'none'."
            f"{closed_on_the_way(path)}"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error}.") from error


def _fitted(state: dict[str, Tensor], expected: dict[str, Tensor], architecture: str, init: str) -> dict[str, Tensor]:
    for name, value in expected.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros_like(value))
        elif name not in state or state[name].shape != value.shape:
            raise ModelError(
                f"The weights in {init} do not fit {architecture}: {name!r} is missing or has a different shape."
            )
    unexpected = sorted(state.keys() - expected.keys())
    if unexpected:
        raise ModelError(f"The weights in {init} do not fit {architecture}: {unexpected[0]!r} does not belong to it.")
    return {name: state[name].to(value.dtype) for name, value in expected.items()}
