"""Files of a direction: direction.json and direction.safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import as_halves
from shamisa_cli.core.atomic import filling
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import manifest
from shamisa_cli.core.models.manifest import DIRECTION_MANIFEST, DIRECTION_WEIGHTS, FolderFiles
from shamisa_cli.core.relational.direction.head import DirectionHead

KIND = "odd-network"
FINGERPRINT = "encoder_fingerprint"
PARTS = tuple(each.name for each in fields(DirectionHead) if each.name != FINGERPRINT)
HALF = ("shared", "apart")
"""Matrices that are stored with half precision."""


def write_direction(folder: Path, head: DirectionHead, *, trained_on: str) -> None:
    """Write the head; an earlier one is replaced once all new files are on the disk."""
    from safetensors.numpy import save_file

    parts = {
        name: as_halves(part) if name in HALF else np.ascontiguousarray(part, dtype=np.float32)
        for name, part in ((name, getattr(head, name)) for name in PARTS)
    }
    with filling(folder, [DIRECTION_WEIGHTS, DIRECTION_MANIFEST]) as (weights, described):
        save_file(parts, weights)
        entries = {
            "kind": KIND,
            FINGERPRINT: head.encoder_fingerprint,
            "trained_on": trained_on,
            "files": {DIRECTION_WEIGHTS: manifest.sha256_of(weights)},
        }
        _head(folder, entries, parts)
        manifest.write_manifest(described, entries)


def read_direction(folder: Path | FolderFiles) -> DirectionHead | None:
    """Read and check the direction in a folder; None if there is none.

    Raises:
        ModelError: it is incomplete, was altered, or was written by a newer version.
    """
    files = FolderFiles.of(folder)
    folder = files.path
    if not files.holds(DIRECTION_MANIFEST):
        return None
    entries = files.read(DIRECTION_MANIFEST, DIRECTION_WEIGHTS)
    parts = files.arrays(DIRECTION_WEIGHTS)
    return _head(folder, entries, parts)


def _head(folder: Path, entries: Mapping[str, Any], parts: Mapping[str, npt.NDArray[Any]]) -> DirectionHead:
    path = folder / DIRECTION_MANIFEST
    if entries.get("kind") != KIND:
        raise ModelError(f"{path} is of kind {entries.get('kind')!r}, and {KIND!r} is known. Upgrade shamisa.")
    if set(parts) != set(PARTS):
        raise ModelError(f"{folder / DIRECTION_WEIGHTS} must hold {', '.join(PARTS)}. Fit the direction again.")
    if any(part.dtype not in (np.float16, np.float32) for part in parts.values()):
        raise ModelError(f"{folder / DIRECTION_WEIGHTS} must hold numbers of 16 or 32 bits. Fit the direction again.")
    try:
        arrays = {name: parts[name].astype(np.float64) for name in PARTS}
        return DirectionHead(**arrays, encoder_fingerprint=str(entries.get(FINGERPRINT)))
    except ModelError as error:
        raise ModelError(f"{folder}: {error} Fit the direction again.") from error
