"""Files of probes: probe.json and probe.safetensors, defects.json and defects.safetensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.atomic import filling
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.groups import Group
from shamisa_cli.core.models import manifest, probe_parts
from shamisa_cli.core.models.manifest import (
    CARD,
    DEFECTS_MANIFEST,
    DEFECTS_WEIGHTS,
    PROBE_MANIFEST,
    PROBE_WEIGHTS,
    FolderFiles,
)
from shamisa_cli.core.models.probe_parts import FITTED_VECTOR, GREY_WHITENING, LIKENESS_VECTOR, WHITENING
from shamisa_cli.core.probe.defects import DefectProbe
from shamisa_cli.core.probe.ridge import Probe

FILES = tuple(name for name in manifest.OF_AN_ENCODER if name != manifest.MODEL_GRAPH)
"""Files that turn features into scores, severities and directions."""

PROBE_KIND = "bounded-linear"
PROBE_VECTORS = ("weights", "feature_mean", "feature_scale")
OFFSET_VECTOR = "offset_weights"

_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)

DEFECTS_KIND = "bounded-linear-defects"

EARLIER_KINDS = ("linear", "linear-defects")
"""Kinds whose features were not bounded."""

PARTS = ("weights", "bias", "feature_mean", "feature_scale", "floor")


def write_probe(folder: Path, probe: Probe, *, trained_on: str, card: str | None) -> None:
    """Write the probe, and its card if given; earlier files are replaced once all new ones are on the disk.

    Raises:
        ModelError: the probe's numbers are unusable.
    """
    from safetensors.numpy import save_file

    vectors = {key: np.ascontiguousarray(getattr(probe, key), dtype=np.float64) for key in PROBE_VECTORS}
    if probe.offset:
        vectors[OFFSET_VECTOR] = np.ascontiguousarray(probe.offset.weights, dtype=np.float64)
    if probe.likeness:
        vectors[LIKENESS_VECTOR] = np.ascontiguousarray(probe.likeness.weights, dtype=np.float32)
    vectors |= probe_parts.familiarity_vectors(probe.familiarity)
    if probe.fitted is not None:
        vectors[FITTED_VECTOR] = np.ascontiguousarray(probe.fitted, dtype=np.float64)
    names = [PROBE_WEIGHTS, *([] if card is None else [CARD]), PROBE_MANIFEST]
    with filling(folder, names) as (weights_path, *card_path, manifest_path):
        save_file(vectors, weights_path)
        for path in card_path:
            path.write_text(card or "", encoding="utf-8", newline="\n")
        entries = {
            "kind": PROBE_KIND,
            "encoder_fingerprint": probe.encoder_fingerprint,
            "scale": {
                "positions": [float(value) for value in probe.scale.positions],
                "scores": [float(value) for value in probe.scale.scores],
            },
            "alpha": float(probe.alpha),
            "bias": float(probe.bias),
            "clip": None if probe.clip is None else float(probe.clip),
            "offset": probe.offset and {key: float(getattr(probe.offset, key)) for key in probe_parts.OFFSET_NUMBERS},
            "trained_on": trained_on,
            "interval": probe_parts.interval_entries(probe.interval),
            "sessions": probe_parts.session_entries(probe),
            "familiarity": probe_parts.familiarity_entries(probe.familiarity),
            "files": {PROBE_WEIGHTS: manifest.sha256_of(weights_path)},
        }
        _probe(folder, entries, vectors)
        manifest.write_manifest(manifest_path, entries)


def read_probe(folder: Path | FolderFiles) -> Probe:
    """Read and check the probe in `folder`.

    Args:
        folder: its folder; a `FolderFiles` is not hashed again.

    Raises:
        ModelError: it is missing, incomplete, was altered, was written by a newer version, or its tensors
            are not finite vectors of one length.
    """
    files = FolderFiles.of(folder)
    folder = files.path
    if not files.holds(PROBE_MANIFEST):
        raise ModelError(
            f"There is no probe in {folder}: it has no {PROBE_MANIFEST}. Name another folder, or fit a probe."
        )
    entries = files.read(PROBE_MANIFEST, PROBE_WEIGHTS)
    vectors = files.arrays(PROBE_WEIGHTS)
    return _probe(folder, entries, vectors)


def _probe(folder: Path, entries: Mapping[str, Any], vectors: Mapping[str, npt.NDArray[Any]]) -> Probe:
    path = folder / PROBE_MANIFEST
    if entries.get("kind") != PROBE_KIND:
        raise ModelError(_unknown_kind(path, entries.get("kind"), PROBE_KIND, "the probe"))
    fingerprint = entries.get("encoder_fingerprint")
    if not isinstance(fingerprint, str) or _FINGERPRINT.fullmatch(fingerprint) is None:
        raise ModelError(f"{path} does not say which encoder the probe was fitted on. Fit the probe again.")
    numbers = {key: manifest.read_number(path, entries, key) for key in ("alpha", "bias")}
    weights_path = folder / PROBE_WEIGHTS
    offset = entries.get("offset")
    sessions, familiarity = entries.get("sessions"), entries.get("familiarity")
    parts = {OFFSET_VECTOR: offset, LIKENESS_VECTOR: sessions, WHITENING: familiarity}
    expected = (*PROBE_VECTORS, *(key for key, said in parts.items() if said is not None))
    expected += (GREY_WHITENING,) if probe_parts.knows_grey(familiarity) else ()
    expected += (FITTED_VECTOR,) if FITTED_VECTOR in vectors else ()  # those of earlier releases have none
    if set(vectors) != set(expected):
        raise ModelError(f"{weights_path} must hold {', '.join(expected)}; it holds {', '.join(sorted(vectors))}.")
    for key, vector in vectors.items():
        precision = np.dtype(np.float32 if key == LIKENESS_VECTOR else np.float64)
        if vector.dtype != precision or not vector.size:
            raise ModelError(
                f"{weights_path}: {key!r} is {vector.dtype} {vector.shape}; {precision} numbers are needed."
            )
    try:
        return Probe(
            weights=vectors["weights"],
            bias=numbers["bias"],
            feature_mean=vectors["feature_mean"],
            feature_scale=vectors["feature_scale"],
            scale=probe_parts.read_scale(path, entries.get("scale")),
            alpha=numbers["alpha"],
            clip=None if entries.get("clip") is None else manifest.read_number(path, entries, "clip"),
            offset=None if offset is None else probe_parts.read_offset(path, offset, vectors[OFFSET_VECTOR]),
            encoder_fingerprint=fingerprint,
            interval=probe_parts.read_interval(path, entries.get("interval")),
            likeness=None if sessions is None else probe_parts.read_likeness(path, sessions, vectors),
            session_intervals=() if sessions is None else probe_parts.read_session_intervals(path, sessions),
            familiarity=None if familiarity is None else probe_parts.read_familiarity(path, familiarity, vectors),
            fitted=vectors.get(FITTED_VECTOR),
        )
    except ModelError as error:
        raise ModelError(f"{folder}: {error} Fit the probe again.") from error


def _unknown_kind(path: Path, kind: object, known: str, what: str) -> str:
    if kind in EARLIER_KINDS:
        return f"{path} was written by an earlier release of shamisa, whose probes cannot be read. Fit {what} again."
    return f"{path} is of kind {kind!r}, and {known!r} is known. Upgrade shamisa."


def write_defects(folder: Path, probe: DefectProbe, *, trained_on: str) -> None:
    """Write the probe as float32; an earlier one is replaced once all new files are on the disk."""
    from safetensors.numpy import save_file

    parts = {key: np.ascontiguousarray(getattr(probe, key), dtype=np.float32) for key in PARTS}
    with filling(folder, [DEFECTS_WEIGHTS, DEFECTS_MANIFEST]) as (weights_path, manifest_path):
        save_file(parts, weights_path)
        entries = {
            "kind": DEFECTS_KIND,
            "encoder_fingerprint": probe.encoder_fingerprint,
            "groups": list(probe.groups),
            "clip": None if probe.clip is None else float(probe.clip),
            "trained_on": trained_on,
            "files": {DEFECTS_WEIGHTS: manifest.sha256_of(weights_path)},
        }
        _defects(folder, entries, parts)
        manifest.write_manifest(manifest_path, entries)


def read_defects(folder: Path | FolderFiles) -> DefectProbe | None:
    """Read and check the defect probe in `folder`; None if there is none.

    Args:
        folder: its folder; a `FolderFiles` is not hashed again.

    Raises:
        ModelError: it is incomplete, was altered, or was written by a newer version.
    """
    files = FolderFiles.of(folder)
    folder = files.path
    if not files.holds(DEFECTS_MANIFEST):
        return None
    entries = files.read(DEFECTS_MANIFEST, DEFECTS_WEIGHTS)
    parts = files.arrays(DEFECTS_WEIGHTS)
    return _defects(folder, entries, parts)


def _defects(folder: Path, entries: Mapping[str, Any], parts: Mapping[str, npt.NDArray[Any]]) -> DefectProbe:
    path = folder / DEFECTS_MANIFEST
    if entries.get("kind") != DEFECTS_KIND:
        raise ModelError(_unknown_kind(path, entries.get("kind"), DEFECTS_KIND, "the defects"))
    groups = entries.get("groups")
    if not isinstance(groups, list) or not all(group in get_args(Group) for group in groups):
        raise ModelError(f"{path} names groups of defects that are not known. Upgrade shamisa, or fit them again.")
    if set(parts) != set(PARTS):
        raise ModelError(f"{folder / DEFECTS_WEIGHTS} must hold {', '.join(PARTS)}. Fit the defects again.")
    if any(part.dtype != np.float32 for part in parts.values()):
        raise ModelError(f"{folder / DEFECTS_WEIGHTS} must hold float32 numbers. Fit the defects again.")
    try:
        return DefectProbe(
            groups=tuple(groups),
            encoder_fingerprint=str(entries.get("encoder_fingerprint")),
            clip=None if entries.get("clip") is None else manifest.read_number(path, entries, "clip"),
            **{key: parts[key].astype(np.float64) for key in PARTS},
        )
    except ModelError as error:
        raise ModelError(f"{folder}: {error} Fit the defects again.") from error
