"""Model folders on disk: an encoder with its record, relational networks, and probes, with them or alone.

    config.json             schema, name, licence, origin, the encoder's configuration, SHA-256 of the weights
    encoder.safetensors     the encoder's weights
    encoder.onnx            the encoder as a graph, if it was exported; it takes its weights from encoder.safetensors
    README.md               the model card
    probe.json              a linear probe: its scale and settings, the encoder it was fitted on, SHA-256
    probe.safetensors       the probe's weights
    defects.json            the encoder's defect probe: linear maps to severities of distortions, SHA-256
    defects.safetensors     their weights
    direction.json          which of two images is better, from the encoder's features, SHA-256
    direction.safetensors   its weights
    relational.json         schema, name, licence, origin, the shape of relational networks, SHA-256
    relational.safetensors  their weights

A folder with the first two is a model that scores, one with the last two a model that compares, one with a probe alone
is a probe, and one folder can be all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.models import manifest, probe_files
from shamisa_cli.core.models.manifest import (
    LIBRARY_NAME,
    MODEL_GRAPH,
    MODEL_MANIFEST,
    MODEL_WEIGHTS,
    RELATIONAL_MANIFEST,
    RELATIONAL_WEIGHTS,
    FolderFiles,
)
from shamisa_cli.core.models.resolver import ResolvedModel
from shamisa_cli.core.probe.defects import DefectProbe
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.relational.direction.head import DirectionHead
from shamisa_cli.core.relational.records import GRAPHS as RELATIONAL_GRAPHS

REVISION_DIGITS = 12
"""Number of digits of a fingerprint that are shown to people."""

RELATIONAL_KIND = "relational"

Config = TypeVar("Config", EncoderConfig, RelationalConfig)


def model_fingerprint(config: EncoderConfig | RelationalConfig, weights_sha256: str) -> str:
    """SHA-256 in hex over configuration and weights; a probe is valid for the fingerprint of its encoder only.

    Equal configurations give equal fingerprints, even if one has 1 and the other 1.0.

    Args:
        config: of the encoder, or the shape of relational networks.
        weights_sha256: SHA-256 in hex of the weights file.
    """
    record = json.loads(json.dumps(config.to_json()), parse_int=float)
    canonical = json.dumps({**record, "weights": weights_sha256}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_of(parts: Mapping[str, str]) -> str:
    """SHA-256 in hex over named hashes; what a result depends on, as one text."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class FolderKind(Generic[Config]):
    """Files of models with one class of configuration.

    Attributes:
        manifest, weights: names of the files.
        key: the configuration's key in the manifest, also its name in messages.
        parse: from JSON values to the configuration; raises ModelError or SettingError.
    """

    manifest: str
    weights: str
    graphs: tuple[str, ...]
    key: str
    called: str
    parse: Callable[[dict[str, Any]], Config]


ENCODERS = FolderKind(
    MODEL_MANIFEST,
    MODEL_WEIGHTS,
    (MODEL_GRAPH,),
    "encoder",
    "the encoder's configuration",
    EncoderConfig.from_json,
)
NETWORKS = FolderKind(
    RELATIONAL_MANIFEST,
    RELATIONAL_WEIGHTS,
    RELATIONAL_GRAPHS,
    "networks",
    "the shape of the networks",
    RelationalConfig.from_json,
)


def kind_of(config: type[Config]) -> FolderKind[Config]:
    """The files of models with this class of configuration."""
    return cast("FolderKind[Config]", ENCODERS if config is EncoderConfig else NETWORKS)


@dataclass(frozen=True)
class ModelFolder(Generic[Config]):
    """A model on disk whose files were verified: an encoder or relational networks.

    Attributes:
        files: the folder, with the hashes computed so far.
        name: name of the model in its manifest.
        license: SPDX name or other short text.
        origin: origin of the weights, free text.
        config: configuration of the encoder, or shape of the networks.
        fingerprint: SHA-256 in hex over configuration and weights; probes and graphs name it.
        digest: SHA-256 in hex over configuration, weights and graphs; results, caches and tables name it.
        identity: name and revision to report with results.
        exported: whether it has all graphs for ONNX Runtime.
    """

    files: FolderFiles = field(compare=False)
    name: str
    license: str
    origin: str
    config: Config
    fingerprint: str
    digest: str
    identity: ModelIdentity
    exported: bool = False

    @property
    def path(self) -> Path:
        """The folder."""
        return self.files.path

    @property
    def weights(self) -> KnownFile:
        """The weights, a safetensors file."""
        return self.files.file(kind_of(type(self.config)).weights)

    @property
    def graphs(self) -> dict[str, KnownFile]:
        """The exported graphs by their names; none where the model was not exported."""
        return {name: self.files.file(name) for name in kind_of(type(self.config)).graphs if self.exported}

    @classmethod
    def open(cls, source: Path | ResolvedModel | FolderFiles, config: type[Config]) -> ModelFolder[Config]:
        """Read and check a model folder; each of its files is hashed once, and weights are not yet parsed.

        Args:
            source: a folder, or a resolved name.
            config: `EncoderConfig` for a model that scores, `RelationalConfig` for one that compares.

        Raises:
            ModelError: it is not such a folder, is incomplete, was altered, or was written by a newer version.
        """
        resolved = source if isinstance(source, ResolvedModel) else None
        files = source.files if isinstance(source, ResolvedModel) else FolderFiles.of(source)
        kind = kind_of(config)
        _require_manifest(files, kind)
        return described(files, kind, files.read(kind.manifest, kind.weights), resolved)


def _require_manifest(files: FolderFiles, kind: FolderKind[Any]) -> None:
    folder = files.path
    if files.holds(kind.manifest):
        return
    if kind is NETWORKS:
        raise ModelError(f"{folder} is not a relational model: there is no {kind.manifest} in it. Name another folder.")
    if files.holds(manifest.PROBE_MANIFEST):
        raise ModelError(f"{folder} holds a probe and no encoder. Give it as the probe, beside a model.")
    if files.holds(RELATIONAL_MANIFEST):
        raise ModelError(f"{folder} holds a relational model, which compares pictures: shamisa compare, rank.")
    raise ModelError(f"{folder} is not a shamisa model: there is no {kind.manifest} in it. Name another folder.")


def described(
    files: FolderFiles,
    kind: FolderKind[Config],
    entries: Mapping[str, Any],
    resolved: ResolvedModel | None = None,
) -> ModelFolder[Config]:
    """Build the model that a manifest describes. Raises ModelError if an entry is invalid.

    Args:
        files: the folder.
        kind: which of its models.
        entries: of the manifest, checked against the files or about to be written.
        resolved: the resolved name; a model from the Hub is identified by its repository and commit.
    """
    path = files.path / kind.manifest
    if kind is ENCODERS and entries.get("library_name") != LIBRARY_NAME:
        raise ModelError(f"{path} describes a model of a different library. Name a model made with shamisa.")
    if kind is NETWORKS and entries.get("kind") != RELATIONAL_KIND:
        raise ModelError(
            f"{path} is of kind {entries.get('kind')!r}; only {RELATIONAL_KIND!r} is known. Upgrade shamisa."
        )
    origin = entries.get("origin")
    if not isinstance(origin, str):
        raise ModelError(f"{path}: 'origin' must be text that says where the weights come from.")
    config = _config(path, entries.get(kind.key), kind)
    name = manifest.read_label(path, entries, "name")
    fingerprint = model_fingerprint(config, str(entries["files"][kind.weights]))
    graphs = {name: str(digest) for name, digest in entries["files"].items() if name != kind.weights}
    digest = digest_of({"fingerprint": fingerprint, **graphs})
    identity = ModelIdentity(name, revision_of(digest))
    if resolved is not None and resolved.source == "hub":
        identity = ModelIdentity(resolved.name, str(resolved.revision))
    return ModelFolder(
        files=files,
        name=name,
        license=manifest.read_label(path, entries, "license"),
        origin=origin,
        config=config,
        fingerprint=fingerprint,
        digest=digest,
        identity=identity,
        exported=all(name in entries["files"] for name in kind.graphs),
    )


def _config(path: Path, data: Any, kind: FolderKind[Config]) -> Config:
    if not isinstance(data, dict):
        raise ModelError(f"{path}: {kind.key!r} must be an object with {kind.called}.")
    try:
        return kind.parse(data)
    except (ModelError, SettingError) as error:
        raise ModelError(f"{path}: {error}") from error


def revision_of(digest: str, *probes: FolderFiles | None) -> str:
    """The revision of a model: changing any file that it reads changes it, of its own folder or of a probe's."""
    read = [{name: files.sha256(name) for name in probe_files.FILES if files.holds(name)} for files in probes if files]
    return digest_of({"model": digest, "probes": json.dumps(read, sort_keys=True)})[:REVISION_DIGITS]


def holds_networks(folder: Path) -> bool:
    """Whether there is a relational model in this folder."""
    return manifest.exists(folder / RELATIONAL_MANIFEST)


def save_probe(folder: Path, probe: Probe, *, trained_on: str = "", card: str | None = None) -> None:
    """Write a probe into a folder of its own, or into the folder of the model it was fitted on.

    An earlier probe in the folder is replaced once all new files are on the disk.

    Args:
        folder: where to; created with its parents.
        probe: the probe.
        trained_on: what it was fitted on, free text.
        card: Markdown for README.md; None leaves the folder's card as it is.

    Raises:
        ModelError: the probe's numbers are unusable, or the folder holds a different encoder than the probe's.
    """
    if manifest.exists(folder / MODEL_MANIFEST):
        fingerprint = ModelFolder.open(folder, EncoderConfig).fingerprint
        require_same_encoder(probe, fingerprint, f"the encoder in {folder}")
    probe_files.write_probe(folder, probe, trained_on=trained_on, card=card)


def save_defects(folder: Path, probe: DefectProbe, *, trained_on: str = "") -> None:
    """Write a defect probe into the folder of the model whose encoder it was fitted on; an earlier one is replaced.

    Raises:
        ModelError: the probe's numbers are unusable, or the folder holds no model or a different encoder.
    """
    fingerprint = ModelFolder.open(folder, EncoderConfig).fingerprint
    require_same_encoder(probe, fingerprint, f"the encoder in {folder}")
    probe_files.write_defects(folder, probe, trained_on=trained_on)


def require_same_encoder(probe: Probe | DefectProbe | DirectionHead, fingerprint: str, encoder: str) -> None:
    """Check that a probe was fitted on the encoder with `fingerprint`, which messages call `encoder`.

    Raises:
        ModelError: the fingerprints differ; the text gives the first twelve digits of both.
    """
    if probe.encoder_fingerprint != fingerprint:
        raise ModelError(
            f"The probe was fitted on encoder {probe.encoder_fingerprint[:12]}, and {encoder} is "
            f"{fingerprint[:12]}: its scores would be meaningless. Use the model the probe was fitted on, or fit "
            f"a probe for this one."
        )
