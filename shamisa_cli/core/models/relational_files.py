"""How a relational model lies on the disk: relational.json, relational.safetensors and the card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models import manifest
from shamisa_cli.core.models.manifest import CARD, LIBRARY_NAME, RELATIONAL_MANIFEST, RELATIONAL_WEIGHTS
from shamisa_cli.core.relational.shape import RelationalConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from shamisa_cli.core.networks.scoring_network import RelationalModel

RELATIONAL_KIND = "relational"


@dataclass(frozen=True)
class RelationalFolder:
    """A relational model on disk whose files were found whole.

    Attributes:
        path: the folder.
        name: what the model is called.
        license: SPDX name or other short text.
        origin: where it comes from, free text.
        config: the shape of its networks.
        fingerprint: SHA-256 in hex over shape and weights.
    """

    path: Path
    name: str
    license: str
    origin: str
    config: RelationalConfig
    fingerprint: str

    def load(self, device: str | torch.device = "cpu") -> RelationalModel:
        """The networks, frozen and in evaluation mode, as float32 on `device`.

        Raises:
            ModelError: the weights cannot be read, are not finite, or do not fit the networks.
        """
        import torch

        from shamisa_cli.core.networks.scoring_network import RelationalModel

        path = self.path / RELATIONAL_WEIGHTS
        state = _read_weights(path)
        with torch.random.fork_rng(devices=()):  # the weights that are replaced here are drawn at random
            model = RelationalModel(self.config)
        _check_weights(path, state, model.state_dict())
        model.load_state_dict(state)
        return model.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)


def holds_relational(folder: Path) -> bool:
    """Whether there is a relational model in this folder."""
    return manifest.exists(folder / RELATIONAL_MANIFEST)


def save_relational(
    folder: Path,
    config: RelationalConfig,
    state: Mapping[str, Tensor],
    *,
    name: str,
    card: str,
    origin: str,
    license: str = "unknown",
) -> RelationalFolder:
    """Write a whole relational model; what was there stays untouched until all of the new one is on the disk.

    Args:
        folder: where to; created with its parents.
        config: the shape of the networks.
        state: all of `RelationalModel.state_dict()`.
        name: what the model is called, short and printable.
        card: the model card, Markdown.
        origin: where the weights come from, free text.
        license: SPDX name or other short text.

    Raises:
        ModelError: a weight is not finite, or the name cannot be one.
    """
    from safetensors.torch import save_file

    weights = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    _check_finite(weights, "The weights to be saved have", "Go back to a checkpoint before the training diverged.")
    names = [RELATIONAL_WEIGHTS, CARD, RELATIONAL_MANIFEST]
    with manifest.replacing_together(folder, names) as (weights_path, card_path, manifest_path):
        save_file(weights, weights_path)
        card_path.write_text(card, encoding="utf-8", newline="\n")
        digest = manifest.sha256_of(weights_path)
        entries = {
            "library_name": LIBRARY_NAME,
            "kind": RELATIONAL_KIND,
            "name": name,
            "license": license,
            "origin": origin,
            "networks": config.to_json(),
            "files": {RELATIONAL_WEIGHTS: digest},
        }
        written = _described(folder, entries, digest)
        manifest.write_manifest(manifest_path, entries)
    return written


def read_relational(folder: Path) -> RelationalFolder:
    """Read and check a relational model's folder; its weights are hashed but not yet parsed.

    Raises:
        ModelError: there is none, it is not complete, was altered, or is of a newer shamisa.
    """
    path = folder / RELATIONAL_MANIFEST
    if not holds_relational(folder):
        raise ModelError(
            f"{folder} is no relational model: there is no {RELATIONAL_MANIFEST} in it. Name another folder."
        )
    entries = manifest.read_manifest(path)
    return _described(folder, entries, manifest.verify_files(path, entries, RELATIONAL_WEIGHTS))


def load_relational(folder: Path, device: str | torch.device = "cpu") -> RelationalModel:
    """The networks in `folder`, frozen, in evaluation mode.

    Raises:
        ModelError: as `read_relational` and `RelationalFolder.load` do.
    """
    return read_relational(folder).load(device)


def _described(folder: Path, entries: Mapping[str, Any], weights_sha256: str) -> RelationalFolder:
    path = folder / RELATIONAL_MANIFEST
    if entries.get("kind") != RELATIONAL_KIND:
        raise ModelError(
            f"{path} is of kind {entries.get('kind')!r}, and {RELATIONAL_KIND!r} is known. Upgrade shamisa."
        )
    origin = entries.get("origin")
    if not isinstance(origin, str):
        raise ModelError(f"{path}: 'origin' must be a text that says where the weights come from.")
    config = _config(path, entries.get("networks"))
    return RelationalFolder(
        path=folder,
        name=manifest.read_label(path, entries, "name"),
        license=manifest.read_label(path, entries, "license"),
        origin=origin,
        config=config,
        fingerprint=_fingerprint(config, weights_sha256),
    )


def _config(path: Path, data: Any) -> RelationalConfig:
    if not isinstance(data, dict):
        raise ModelError(f"{path}: 'networks' must be an object with the shape of the networks.")
    try:
        return RelationalConfig.from_json(data)
    except (ModelError, SettingError) as error:
        raise ModelError(f"{path}: {error}") from error


def _fingerprint(config: RelationalConfig, weights_sha256: str) -> str:
    record = json.loads(json.dumps(config.to_json()), parse_int=float)
    canonical = json.dumps({**record, "weights": weights_sha256}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} is not a whole safetensors file ({error}). Get the folder again.") from error
    _check_finite(state, f"{path} has", "Get the folder again.")
    return state


def _check_finite(state: Mapping[str, Tensor], what: str, then: str) -> None:
    for name, value in state.items():
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
