"""Models on this machine, and descriptions of models without loading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.models import card, manifest, probe_files
from shamisa_cli.core.models.folder import ModelFolder, revision_of
from shamisa_cli.core.models.hub import HubName, require_client
from shamisa_cli.core.models.manifest import (
    DEFECTS_MANIFEST,
    LISTS,
    MODEL_MANIFEST,
    PROBE_MANIFEST,
    RELATIONAL_MANIFEST,
    FolderFiles,
)
from shamisa_cli.core.models.resolver import Source, bundled_folders, resolve
from shamisa_cli.core.relational.config import RelationalConfig


@dataclass(frozen=True)
class FileRecord:
    """A file of a model folder: name, size in bytes, SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ProbeRecord:
    """Description of a probe.

    Attributes:
        trained_on: data it was fitted on, free text.
        features: D, number of features per image.
        worst, best: the ends of the human scale, which map to the scores 0 and 100.
        alpha: ridge penalty it was fitted with.
        interval_level: share of human scores, 0…1, that its intervals should contain; None without intervals.
        encoder_fingerprint: fingerprint of the encoder it was fitted on.
    """

    trained_on: str
    features: int
    worst: float
    best: float
    alpha: float
    interval_level: float | None
    encoder_fingerprint: str


@dataclass(frozen=True)
class DefectsRecord:
    """Description of a defect probe: the data it was fitted on, free text, and its groups of distortions."""

    trained_on: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class ModelEntry:
    """A model or probe on this machine.

    Attributes:
        name: as `load_model` takes it.
        source: where it comes from: bundled with the program, the Hub, or a folder.
        revision: commit for a model from the Hub, else the first digits of the encoder's fingerprint.
        has_encoder, has_probe, has_relational: contents of the folder.
        size: total size of its files, in bytes.
        metrics: metrics in its card.
        folder: path of the folder.
        error: why it cannot be used; None if it can.
    """

    name: str
    source: Source
    revision: str
    has_encoder: bool
    has_probe: bool
    has_relational: bool
    size: int
    metrics: tuple[card.Metric, ...]
    folder: Path
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return {**asdict(self), "metrics": [metric.to_json() for metric in self.metrics], "folder": str(self.folder)}


@dataclass(frozen=True)
class ModelDescription:
    """Description of a model or probe whose files were all checked against their hashes.

    Attributes:
        entry: its name, revision, size and metrics.
        license, origin: as in the model's manifest; None for a probe alone.
        encoder: JSON values of architecture, feature spec and preprocessing; None for a model without one.
        fingerprint: fingerprint of the encoder or the networks; None for a probe alone.
        probe, defects: None for a model without one.
        networks: JSON values of a relational model's shape; None for any other.
        files: all files of the folder.
    """

    entry: ModelEntry
    license: str | None
    origin: str | None
    encoder: Mapping[str, Any] | None
    fingerprint: str | None
    probe: ProbeRecord | None
    defects: DefectsRecord | None
    networks: Mapping[str, Any] | None
    files: tuple[FileRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """The description as JSON values."""
        record = {**asdict(self), "files": [asdict(file) for file in self.files]}
        del record["entry"]
        return {**self.entry.to_json(), **record}


def installed_models() -> list[ModelEntry]:
    """Bundled models, then those in the Hub's cache, each sorted by name. Makes no network request."""
    bundled = [_listed(name, "bundled", folder, None) for name, folder in sorted(bundled_folders().items())]
    try:
        cached = [_listed(name, "hub", folder, folder.name) for name, folder in sorted(_cached())]
    except OSError as error:  # a cache that may not be entered
        cached = [_undescribed("the Hub's cache", "hub", Path(error.filename or "it"), "", error)]
    return [*bundled, *cached]


def describe_model(name: str, *, offline: bool = False) -> ModelDescription:
    """Describe a model or probe, by any name that `resolve` accepts.

    Raises:
        ModelError: there is no such model, it cannot be downloaded, or it is damaged.
    """
    resolved = resolve(name, offline=offline)
    files, folder = resolved.files, resolved.path
    files.verify()
    model, relational = _read(files)
    said = model or relational
    return ModelDescription(
        entry=_entry(name, resolved.source, files, resolved.revision),
        license=said.license if said else None,
        origin=said.origin if said else None,
        encoder=model.config.to_json() if model else None,
        fingerprint=said.fingerprint if said else None,
        probe=_probe(files) if files.holds(PROBE_MANIFEST) else None,
        defects=_defects(files),
        networks=relational.config.to_json() if relational else None,
        files=tuple(FileRecord(path.name, path.stat().st_size, files.sha256(path.name)) for path in _files(folder)),
    )


def _listed(name: str, source: Source, folder: Path, commit: str | None) -> ModelEntry:
    """The entry of a folder, whatever goes wrong with it, so that no model hides the others."""
    try:
        return _entry(name, source, FolderFiles(folder), commit)
    except Exception as error:
        return _undescribed(name, source, folder, commit or "", error)


def _undescribed(name: str, source: Source, folder: Path, commit: str, error: Exception) -> ModelEntry:
    reason = f"{type(error).__name__}: {error}".strip(": ").splitlines()[0]
    said = f"{name} in {folder} cannot be described ({reason})."
    return ModelEntry(name, source, commit, False, False, False, 0, (), folder, said)


def _entry(name: str, source: Source, files: FolderFiles, commit: str | None) -> ModelEntry:
    error, said, folder = None, None, files.path
    try:
        files.verify()
        model, relational = _read(files)
        said = model or relational
    except ModelError as problem:
        error = str(problem)
    return ModelEntry(
        name=name,
        source=source,
        revision=commit or _revision(files, said),
        has_encoder=files.holds(MODEL_MANIFEST),
        has_probe=files.holds(PROBE_MANIFEST),
        has_relational=files.holds(RELATIONAL_MANIFEST),
        size=sum(path.stat().st_size for path in _files(folder)),
        metrics=card.card_metrics(folder),
        folder=folder,
        error=error,
    )


Said = ModelFolder[EncoderConfig] | ModelFolder[RelationalConfig]


def _read(files: FolderFiles) -> tuple[ModelFolder[EncoderConfig] | None, ModelFolder[RelationalConfig] | None]:
    """Read the scoring and the relational model of a folder; None for one that it does not hold."""
    model = ModelFolder.open(files, EncoderConfig) if files.holds(MODEL_MANIFEST) else None
    return model, ModelFolder.open(files, RelationalConfig) if files.holds(RELATIONAL_MANIFEST) else None


def _revision(files: FolderFiles, model: Said | None) -> str:
    if model is not None and isinstance(model.config, RelationalConfig):
        return model.identity.revision
    try:
        return revision_of("" if model is None else model.digest, files)
    except OSError:
        return ""


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_file(path))


def _probe(files: FolderFiles) -> ProbeRecord:
    probe = probe_files.read_probe(files)
    worst, best = probe.scale.ends
    return ProbeRecord(
        trained_on=_trained_on(files, PROBE_MANIFEST),
        features=len(probe.weights),
        worst=worst,
        best=best,
        alpha=probe.alpha,
        interval_level=probe.interval.level if probe.interval else None,
        encoder_fingerprint=probe.encoder_fingerprint,
    )


def _defects(files: FolderFiles) -> DefectsRecord | None:
    probe = probe_files.read_defects(files)
    if probe is None:
        return None
    # A group may have several probes, one for each kind of degradation.
    return DefectsRecord(_trained_on(files, DEFECTS_MANIFEST), tuple(dict.fromkeys(probe.groups)))


def _trained_on(files: FolderFiles, name: str) -> str:
    said = files.manifest(name).get("trained_on")
    return said if isinstance(said, str) else ""


def _cached() -> Iterator[tuple[str, Path]]:
    """Name and folder of every revision in the Hub's cache whose manifest is that of our models or probes."""
    require_client()
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        repositories = scan_cache_dir().repos
    except (CacheNotFound, RuntimeError):  # the second: of a user without a home folder
        return
    for repository in repositories:
        for revision in repository.revisions if repository.repo_type == "model" else ():
            if _is_ours(revision.snapshot_path):
                name = HubName(repository.repo_id, _shortest(revision.refs, revision.commit_hash))
                yield str(name), revision.snapshot_path


def _shortest(references: frozenset[str], commit: str) -> str | None:
    """Choose the revision to write after the @: None for the main branch, else a branch or tag, else the commit."""
    return None if "main" in references else min(references, default=commit)


def _is_ours(folder: Path) -> bool:
    for name, required in LISTS:
        try:
            if required in manifest.read_manifest(folder / name).get("files", {}):
                return True
        except (ModelError, TypeError):
            continue
    return False
