"""Model folders on disk: an encoder with its record, and probes beside it or in folders of their own.

    config.json             schema, name, licence, origin, the encoder's configuration, SHA-256 of the weights
    encoder.safetensors     the encoder's weights
    encoder.onnx            the encoder as a graph, if it was exported; it takes its weights from encoder.safetensors
    README.md               the model card
    probe.json              a linear probe: its scale and settings, the encoder it was fitted on, SHA-256
    probe.safetensors       the probe's weights
    defects.json            linear probes of what is wrong with a picture, which belong to the encoder, SHA-256
    defects.safetensors     their weights

A folder with the first two is a model, a folder with the last two a probe, and one folder can be both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import manifest, probe_files
from shamisa_cli.core.models import probe_files as defect_files
from shamisa_cli.core.models.manifest import (
    CARD,
    DEFECTS_MANIFEST,
    DEFECTS_WEIGHTS,
    LIBRARY_NAME,
    MODEL_GRAPH,
    MODEL_MANIFEST,
    MODEL_WEIGHTS,
    PROBE_MANIFEST,
    PROBE_WEIGHTS,
    RELATIONAL_MANIFEST,
)
from shamisa_cli.core.probe.defects import DefectProbe
from shamisa_cli.core.probe.ridge import Probe

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from shamisa_cli.core.networks.encoder import TorchEncoder

REVISION_DIGITS = 12
"""How much of a fingerprint stands for it where people read."""


def encoder_fingerprint(config: EncoderConfig, weights_sha256: str) -> str:
    """What a probe is bound to: SHA-256 in hex over configuration and weights.

    Equal configurations give equal fingerprints, also where one says 1 and the other 1.0.

    Args:
        config: architecture, feature spec and preprocessing.
        weights_sha256: SHA-256 in hex of the weights file.
    """
    record = json.loads(json.dumps(config.to_json()), parse_int=float)
    canonical = json.dumps({**record, "weights": weights_sha256}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk whose files were found whole.

    Attributes:
        path: the folder.
        name: what the model is called.
        license: SPDX name or other short text.
        origin: where it comes from, free text.
        encoder: the encoder's configuration.
        fingerprint: `encoder_fingerprint` of the configuration and the weights.
        graph: the exported encoder; None where there is none.
    """

    path: Path
    name: str
    license: str
    origin: str
    encoder: EncoderConfig
    fingerprint: str
    graph: Path | None

    @property
    def weights(self) -> Path:
        """The encoder's weights, a safetensors file."""
        return self.path / MODEL_WEIGHTS

    def load_encoder(self, device: str | torch.device = "cpu") -> TorchEncoder:
        """The encoder with its weights as float32 on `device`.

        Raises:
            ModelError: the weights cannot be read, are not finite, or do not fit the architecture.
        """
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from shamisa_cli.core.networks.encoder import TorchEncoder

        path = self.weights
        try:
            stored = load_file(path)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise ModelError(f"{path} is not a whole safetensors file ({error}). Get the folder again.") from error
        state = {name: value.float() if value.is_floating_point() else value for name, value in stored.items()}
        for name, value in state.items():
            if value.ndim and not value.is_floating_point():
                raise ModelError(f"{path} has {name!r} as {value.dtype}; floating-point weights are needed.")
            if not torch.isfinite(value).all():
                raise ModelError(f"{path} has values in {name!r} that are not finite. Get the folder again.")
        encoder = TorchEncoder.create(self.encoder, state, device)
        try:
            encoder.feature_length  # noqa: B018 — asks for every stage of the configuration
        except (IndexError, TypeError) as error:
            raise ModelError(
                f"{self.path / MODEL_MANIFEST} asks for stages {self.encoder.features.stages}, which "
                f"{self.encoder.architecture} does not have. Get the folder again."
            ) from error
        return encoder


def save_model(
    folder: Path,
    encoder_config: EncoderConfig,
    encoder_state: Mapping[str, Tensor],
    *,
    name: str,
    card: str,
    origin: str,
    license: str = "unknown",
) -> ModelFolder:
    """Write a whole model folder; what was there stays untouched until all of the new one is on the disk.

    An earlier model in `folder` is replaced, and its probe, its defects and its graph are removed.

    Args:
        folder: where to; created with its parents.
        encoder_config: architecture, feature spec and preprocessing.
        encoder_state: weights by torchvision's key names, as `TorchEncoder.state` gives them.
        name: what the model is called, short and printable.
        card: the model card, Markdown.
        origin: where the weights come from, free text.
        license: SPDX name or other short text.

    Raises:
        ModelError: a weight is not finite.
    """
    from safetensors.torch import save_file

    stored = _stored(encoder_state)
    names = [MODEL_WEIGHTS, CARD, MODEL_MANIFEST]
    with manifest.replacing_together(folder, names) as (weights_path, card_path, manifest_path):
        save_file(stored, weights_path)
        card_path.write_text(card, encoding="utf-8", newline="\n")
        digest = manifest.sha256_of(weights_path)
        entries = {
            "library_name": LIBRARY_NAME,
            "name": name,
            "license": license,
            "origin": origin,
            "encoder": encoder_config.to_json(),
            "files": {MODEL_WEIGHTS: digest},
        }
        written = _described(folder, entries, digest)
        manifest.write_manifest(manifest_path, entries)
        for outdated in (MODEL_GRAPH, PROBE_MANIFEST, PROBE_WEIGHTS, DEFECTS_MANIFEST, DEFECTS_WEIGHTS):
            (folder / outdated).unlink(missing_ok=True)
    return written


def read_model(folder: Path) -> ModelFolder:
    """Read and check a model folder; its weights are hashed but not yet parsed.

    Raises:
        ModelError: it is no model folder, is not complete, was altered, or is of a newer shamisa.
    """
    path = folder / MODEL_MANIFEST
    if not manifest.exists(path):
        if probe_files.holds_probe(folder):
            raise ModelError(f"{folder} holds a probe and no encoder. Give it as the probe, beside a model.")
        if manifest.exists(folder / RELATIONAL_MANIFEST):
            raise ModelError(f"{folder} holds a relational model, which compares pictures: shamisa compare, rank.")
        raise ModelError(f"{folder} is not a shamisa model: there is no {MODEL_MANIFEST} in it. Name another folder.")
    entries = manifest.read_manifest(path)
    if entries.get("library_name") != LIBRARY_NAME:
        raise ModelError(f"{path} describes a model of another library. Name a model made with shamisa.")
    return _described(folder, entries, manifest.verify_files(path, entries, MODEL_WEIGHTS))


def save_probe(folder: Path, probe: Probe, *, trained_on: str = "", card: str | None = None) -> None:
    """Write a probe into a folder of its own, or into the folder of the model it was fitted on.

    An earlier probe in the folder is replaced once all of the new one is on the disk.

    Args:
        folder: where to; created with its parents.
        probe: the probe.
        trained_on: what it was fitted on, free text.
        card: Markdown for README.md; None leaves the folder's card as it is.

    Raises:
        ModelError: the probe's numbers are unusable, or the folder holds another encoder than the probe's.
    """
    if manifest.exists(folder / MODEL_MANIFEST):
        require_same_encoder(probe, read_model(folder).fingerprint, f"the encoder in {folder}")
    probe_files.write_probe(folder, probe, trained_on=trained_on, card=card)


def load_probe(folder: Path) -> Probe:
    """Read and check the probe in `folder`.

    Raises:
        ModelError: there is none, it is not complete, was altered, is of a newer shamisa, or its tensors
            are not finite vectors of one length.
    """
    return probe_files.read_probe(folder)


def save_defects(folder: Path, probe: DefectProbe, *, trained_on: str = "") -> None:
    """Write a defect probe into the folder of the model whose encoder it was fitted on; an earlier one is replaced.

    Raises:
        ModelError: the probe's numbers are unusable, or the folder holds no model or another encoder.
    """
    require_same_encoder(probe, read_model(folder).fingerprint, f"the encoder in {folder}")
    defect_files.write_defects(folder, probe, trained_on=trained_on)


def load_defects(folder: Path) -> DefectProbe | None:
    """The defect probe in `folder`, checked; None where there is none. Raises ModelError on a damaged one."""
    return defect_files.read_defects(folder) if defect_files.holds_defects(folder) else None


def require_same_encoder(probe: Probe | DefectProbe, fingerprint: str, encoder: str) -> None:
    """Refuse a probe fitted on another encoder than the one with `fingerprint`, which the text calls `encoder`.

    Raises:
        ModelError: the two differ; the text gives the first twelve digits of both.
    """
    if probe.encoder_fingerprint != fingerprint:
        raise ModelError(
            f"The probe was fitted on encoder {probe.encoder_fingerprint[:12]}, and {encoder} is "
            f"{fingerprint[:12]}: its numbers would mean nothing. Use the model the probe was fitted on, or fit "
            f"a probe for this one."
        )


def _described(folder: Path, entries: Mapping[str, Any], weights_sha256: str) -> ModelFolder:
    path = folder / MODEL_MANIFEST
    origin = entries.get("origin")
    if not isinstance(origin, str):
        raise ModelError(f"{path}: 'origin' must be a text that says where the weights come from.")
    config = _encoder_config(path, entries.get("encoder"))
    return ModelFolder(
        path=folder,
        name=manifest.read_label(path, entries, "name"),
        license=manifest.read_label(path, entries, "license"),
        origin=origin,
        encoder=config,
        fingerprint=encoder_fingerprint(config, weights_sha256),
        graph=folder / MODEL_GRAPH if MODEL_GRAPH in entries["files"] else None,
    )


def _encoder_config(path: Path, data: Any) -> EncoderConfig:
    if not isinstance(data, dict):
        raise ModelError(f"{path}: 'encoder' must be an object with the encoder's configuration.")
    try:
        return EncoderConfig.from_json(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _stored(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    import torch

    stored = {}
    for name, value in state.items():
        tensor = value.detach().cpu().contiguous()
        if tensor.is_floating_point():
            tensor = tensor.to(torch.float32)
        if not torch.isfinite(tensor).all():
            raise ModelError(
                f"The weights of {name!r} are not finite; nothing was saved. "
                f"Go back to a checkpoint before the training diverged."
            )
        stored[name] = tensor
    return stored
