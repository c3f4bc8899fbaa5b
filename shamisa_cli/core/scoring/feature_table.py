"""Tables of features on disk: Parquet, NumPy's npz and safetensors, all without pickle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shamisa_cli.core.arrays import Features
from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.extras import require_pyarrow
from shamisa_cli.core.scoring.feature_formats import _FORMATS, READ_ERRORS, FeatureSource, FileStamp, _foreign


@dataclass(frozen=True)
class FeatureTable:
    """Features of n pictures.

    Attributes:
        stamps: n files.
        features: (n, D) float32, finite.
        origin: model and preprocessing that produced them.
    """

    stamps: tuple[FileStamp, ...]
    features: Features
    origin: FeatureSource

    @property
    def paths(self) -> tuple[str, ...]:
        """The n paths, in the order of the rows."""
        return tuple(stamp.path for stamp in self.stamps)

    @property
    def encoder_fingerprint(self) -> str:
        """Fingerprint of the encoder that produced the features."""
        return self.origin.encoder_fingerprint


def check_format(target: Path) -> None:
    """Raise SettingError if `target` has no suffix of a format of this module, or what writes it is not installed."""
    if target.suffix.lower() not in _FORMATS:
        raise SettingError(f"{target} has an unknown suffix: features are saved in {', '.join(_FORMATS)} files.")
    if target.suffix.lower() == ".parquet":
        require_pyarrow()


def save_features(
    target: Path, stamps: Sequence[FileStamp], length: int, blocks: Iterable[Features], origin: FeatureSource
) -> None:
    """Write a table atomically, with one block in memory at a time.

    Args:
        target: the suffix chooses the format: .parquet, .npz or .safetensors.
        stamps: n files.
        length: D, length of every row.
        blocks: (rows, D) float32 each, n rows together, in the order of `stamps`.
        origin: model and preprocessing that produced the features.

    Raises:
        SettingError: unknown suffix, or too many paths for a safetensors header.
        OSError: the file cannot be written.
    """
    check_format(target)
    with replacing(target) as temporary:
        _FORMATS[target.suffix.lower()].write(temporary, stamps, length, blocks, origin)


def load_features(path: Path) -> FeatureTable:
    """Read a table.

    Raises:
        SettingError: the suffix is none of .parquet, .npz and .safetensors.
        ModelError: the file is missing, damaged, or was not written by `save_features`.
    """
    check_format(path)
    if not is_file(path):
        raise ModelError(f"There is no file of features at {path}. Make one with: shamisa embed.")
    try:
        stamps, features, origin = _FORMATS[path.suffix.lower()].read(path)
    except READ_ERRORS as error:
        raise _foreign(path, error) from error
    if features.ndim != 2 or features.dtype != np.float32 or len(features) != len(stamps):
        raise _foreign(path, f"its features are {features.dtype} of shape {features.shape}")
    if not np.isfinite(features).all():
        raise _foreign(path, "it holds values that are not numbers")
    return FeatureTable(stamps, features, origin)


def stored_source(table: Path) -> dict[str, Any]:
    """The record of what made a table of features or, in Parquet, of scores; empty if there is no such table."""
    kept = _FORMATS.get(table.suffix.lower())
    try:
        record = json.loads(kept.source(table)) if kept is not None and is_file(table) else {}
    except READ_ERRORS:
        return {}
    return record if isinstance(record, dict) else {}


# --- formats -----------------------------------------------------------------------------------------
