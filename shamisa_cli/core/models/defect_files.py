"""How a defect probe lies on the disk, in the folder of its encoder: defects.json and defects.safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.distortions.groups import Group
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import manifest
from shamisa_cli.core.models.manifest import DEFECTS_MANIFEST, DEFECTS_WEIGHTS
from shamisa_cli.core.probe.defects import DefectProbe

DEFECTS_KIND = "linear-defects"
PARTS = ("weights", "bias", "feature_mean", "feature_scale", "floor")


def holds_defects(folder: Path) -> bool:
    """Whether there is a defect probe in this folder."""
    return manifest.present(folder / DEFECTS_MANIFEST)


def write_defects(folder: Path, probe: DefectProbe, *, trained_on: str) -> None:
    """Write the probe once all of it is on the disk, as float32."""
    from safetensors.numpy import save_file

    parts = {key: np.ascontiguousarray(getattr(probe, key), dtype=np.float32) for key in PARTS}
    with manifest.replacing_together(folder, [DEFECTS_WEIGHTS, DEFECTS_MANIFEST]) as (weights_path, manifest_path):
        save_file(parts, weights_path)
        entries = {
            "kind": DEFECTS_KIND,
            "encoder_fingerprint": probe.encoder_fingerprint,
            "groups": list(probe.groups),
            "trained_on": trained_on,
            "files": {DEFECTS_WEIGHTS: manifest.sha256_of(weights_path)},
        }
        _defects(folder, entries, parts)
        manifest.write_manifest(manifest_path, entries)


def read_defects(folder: Path) -> DefectProbe:
    """Read and check the defect probe in `folder`.

    Raises:
        ModelError: there is none, it is not complete, was altered, or is of a newer shamisa.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / DEFECTS_MANIFEST
    entries = manifest.read_manifest(path)
    manifest.verify_files(path, entries, DEFECTS_WEIGHTS)
    try:
        parts = load_file(folder / DEFECTS_WEIGHTS)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder / DEFECTS_WEIGHTS} is not a whole safetensors file ({error}). Get the folder again."
        ) from error
    return _defects(folder, entries, parts)


def _defects(folder: Path, entries: Mapping[str, Any], parts: Mapping[str, npt.NDArray[Any]]) -> DefectProbe:
    path = folder / DEFECTS_MANIFEST
    if entries.get("kind") != DEFECTS_KIND:
        raise ModelError(f"{path} is of kind {entries.get('kind')!r}, and {DEFECTS_KIND!r} is known. Upgrade shamisa.")
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
            **{key: parts[key].astype(np.float64) for key in PARTS},
        )
    except ModelError as error:
        raise ModelError(f"{folder}: {error} Fit the defects again.") from error
