"""Saving and loading of encoders and relational networks in model folders, and the choice of a device."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save, save_file
from torch import Tensor

from shamisa_cli.core.atomic import filling
from shamisa_cli.core.encoder.embedder import Embedder, LazyEncoder
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.models import manifest
from shamisa_cli.core.models.folder import (
    ENCODERS,
    NETWORKS,
    RELATIONAL_KIND,
    Config,
    FolderKind,
    ModelFolder,
    described,
)
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.models.manifest import (
    CARD,
    LIBRARY_NAME,
    MODEL_MANIFEST,
    RELATIONAL_MANIFEST,
    FolderFiles,
)
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.torch_state import as_torch_ships

_DEVICE = re.compile(r"cpu|mps|cuda(:[0-9]{1,3})?")


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; "auto" takes CUDA if available, else Apple's MPS, else the CPU.

    Raises:
        ModelError: the name is not auto, cpu, cuda, cuda:N or mps, or this machine has no such device.
    """
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if _count(kind))
    if _DEVICE.fullmatch(name) is None:
        raise ModelError(f"{name!r} is not a device. Use auto, cpu, cuda, cuda:N or mps.")
    kind, _, index = name.partition(":")
    if int(index or 0) >= _count(kind):
        raise ModelError(
            f"This machine has no device {name!r} that PyTorch {torch.__version__} can use. Use auto or cpu."
        )
    return torch.device(name)


@as_torch_ships()
def load_encoder(folder: ModelFolder[EncoderConfig], device: str | torch.device = "cpu") -> TorchEncoder:
    """Load the encoder of a model folder with its weights as float32 on `device`.

    Raises:
        ModelError: the weights cannot be read, are not finite, do not fit the architecture, or were replaced since
            the folder was opened.
    """
    path, stored = folder.weights.path, _read_weights(folder.weights)
    state = {name: value.float() if value.is_floating_point() else value for name, value in stored.items()}
    for name, value in state.items():
        if value.ndim and not value.is_floating_point():
            raise ModelError(f"{path} has {name!r} as {value.dtype}; floating-point weights are needed.")
        _require_finite(name, value, f"{path} has", "Download or copy the folder again.")
    encoder = TorchEncoder.create(folder.config, state, device)
    try:
        encoder.feature_length  # noqa: B018 — asks for every stage of the configuration
    except (IndexError, TypeError) as error:
        raise ModelError(
            f"{folder.path / MODEL_MANIFEST} asks for stages {folder.config.features.stages}, which "
            f"{folder.config.architecture} does not have. Download or copy the folder again."
        ) from error
    return encoder


def as_torch_encoder(encoder: Embedder, folder: ModelFolder[EncoderConfig] | None) -> TorchEncoder:
    """Return the encoder as a torch module; one of another library is loaded again from `folder`.

    Raises ModelError as `load_encoder` does.
    """
    if isinstance(encoder, LazyEncoder) and encoder.runtime == "torch":
        encoder = encoder.loaded()
    if isinstance(encoder, TorchEncoder):
        return encoder
    assert folder is not None
    return load_encoder(folder)


def network_of(model: Model) -> TorchEncoder:
    """The encoder of a loaded model as a torch module, loaded on first use. Raises ModelError."""
    network = model.network
    assert isinstance(network, TorchEncoder)
    return network


@as_torch_ships()
def load_networks(folder: ModelFolder[RelationalConfig], device: str | torch.device = "cpu") -> RelationalModel:
    """Load the relational networks of a folder, frozen and in evaluation mode, as float32 on `device`.

    Raises:
        ModelError: the weights cannot be read, are not finite, do not fit the networks, or were replaced since the
            folder was opened.
    """
    path, state = folder.weights.path, _read_weights(folder.weights)
    for name, value in state.items():
        _require_finite(name, value, f"{path} has", "Download or copy the folder again.")
    with torch.random.fork_rng(devices=()):  # the weights that are replaced here are drawn at random
        model = RelationalModel(folder.config)
    _check_weights(path, state, model.state_dict())
    model.load_state_dict(state)
    return model.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)


def save_encoder(
    folder: Path,
    config: EncoderConfig,
    state: Mapping[str, Tensor],
    *,
    name: str,
    card: str,
    origin: str,
    license: str = "unknown",
) -> ModelFolder[EncoderConfig]:
    """Write a model folder; earlier content stays untouched until all new files are on the disk.

    An earlier model in `folder` is replaced, and its probe, defect probe, direction and graph are removed. If it is the
    same, with its weights and configuration, the folder stays as it is: what was fitted since is of this model.

    Args:
        folder: where to; created with its parents.
        config: architecture, feature spec and preprocessing.
        state: weights by torchvision's key names, as in `TorchEncoder.state`.
        name: name of the model, short and printable.
        card: the model card, Markdown.
        origin: where the weights come from, free text.
        license: SPDX name or other short text.

    Raises:
        ModelError: a weight is not finite, or the name is invalid.
    """
    weights = {}
    for key, value in state.items():
        tensor = value.detach().cpu().contiguous()
        weights[key] = tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        if not torch.isfinite(weights[key]).all():
            raise ModelError(
                f"The weights of {key!r} are not finite; nothing was saved. "
                f"Go back to a checkpoint before the training diverged."
            )
    entries = {"name": name, "license": license, "origin": origin, ENCODERS.key: config.to_json()}
    return _save(folder, ENCODERS, weights, entries, card, outdated=manifest.OF_AN_ENCODER)


def save_networks(
    folder: Path,
    config: RelationalConfig,
    state: Mapping[str, Tensor],
    *,
    name: str,
    card: str,
    origin: str,
    license: str = "unknown",
) -> ModelFolder[RelationalConfig]:
    """Write a relational model; earlier content stays untouched until all new files are on the disk.

    If it is there already, with its weights and configuration, the folder stays as it is.

    Args:
        folder: where to; created with its parents.
        config: the shape of the networks.
        state: the whole `RelationalModel.state_dict()`.
        name, card, origin, license: as for `save_encoder`.

    Raises:
        ModelError: a weight is not finite, or the name is invalid.
    """
    weights = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    for key, value in weights.items():
        _require_finite(
            key, value, "The weights to be saved have", "Go back to a checkpoint before the training diverged."
        )
    entries = {
        "kind": RELATIONAL_KIND,
        "name": name,
        "license": license,
        "origin": origin,
        NETWORKS.key: config.to_json(),
    }
    return _save(folder, NETWORKS, weights, entries, card, outdated=NETWORKS.graphs)


def _save(
    folder: Path,
    kind: FolderKind[Config],
    weights: Mapping[str, Tensor],
    entries: Mapping[str, Any],
    card: str,
    *,
    outdated: Sequence[str] = (),
) -> ModelFolder[Config]:
    before = _saved_already(folder, kind, weights, entries)
    if before is not None:
        return before
    names = [kind.weights, CARD, kind.manifest]
    with filling(folder, names) as (weights_path, card_path, manifest_path):
        save_file(dict(weights), weights_path)
        card_path.write_text(card, encoding="utf-8", newline="\n")
        files = {kind.weights: manifest.sha256_of(weights_path)}
        whole = {"library_name": LIBRARY_NAME, **entries, "files": files}
        written = described(FolderFiles(folder), kind, whole)
        manifest.write_manifest(manifest_path, whole)
        for name in outdated:
            (folder / name).unlink(missing_ok=True)
    return written


def _saved_already(
    folder: Path, kind: FolderKind[Config], weights: Mapping[str, Tensor], entries: Mapping[str, Any]
) -> ModelFolder[Config] | None:
    """The model in a folder, if it has these weights and this configuration."""
    files = FolderFiles(folder)
    try:
        found = files.read(kind.manifest, kind.weights)
        is_same = found[kind.key] == json.loads(json.dumps(entries[kind.key]))
        if not is_same or files.sha256(kind.weights) != hashlib.sha256(save(dict(weights))).hexdigest():
            return None
        return described(files, kind, found)
    except (ModelError, KeyError):  # there is none, or it is damaged
        return None


def _read_weights(file: KnownFile) -> dict[str, Tensor]:
    content = file.read_bytes()
    with manifest.safetensors_errors(file.path):
        return load(content)


def _require_finite(name: str, value: Tensor, what: str, then: str) -> None:
    if not bool(value.isfinite().all()):
        raise ModelError(f"{what} values in {name!r} that are not finite. {then}")


def _check_weights(path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing, unexpected = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or unexpected:
        problem = f"{missing[0]!r} is missing" if missing else f"{unexpected[0]!r} does not belong there"
        raise ModelError(f"{path} does not fit the networks that {RELATIONAL_MANIFEST} describes: {problem}.")
    for name, value in state.items():
        wanted = expected[name]
        if value.shape != wanted.shape or value.is_floating_point() != wanted.is_floating_point():
            raise ModelError(
                f"{path} does not fit the networks that {RELATIONAL_MANIFEST} describes: {name!r} is {value.dtype} "
                f"{tuple(value.shape)}, and {wanted.dtype} {tuple(wanted.shape)} is needed."
            )


def _count(kind: str) -> int:
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return 1 if kind == "cpu" or torch.backends.mps.is_available() else 0
