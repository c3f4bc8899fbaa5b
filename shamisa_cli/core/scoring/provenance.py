"""The origin of numbers, as text: for the keys of the cache and for tables."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder
    from shamisa_cli.core.models.loading import Model

FORMULAS = 3
"""Raised by one whenever the same features and the same probes give other records: scores, intervals or severities."""


def computed_by(encoder: Embedder) -> str:
    """The library that computes features and the kind of its device, such as "onnx on cpu"."""
    return f"{encoder.runtime} on {str(encoder.device).partition(':')[0]}"


def record_digest(model: Model) -> str:
    """SHA-256 in hex over what turns features into records: probe, defect probe, and the formulas themselves."""
    digest = hashlib.sha256(f"{FORMULAS};".encode())
    for part in _parts((model.probe, model.defects)):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> list[bytes]:
    """All numbers and texts of nested records, arrays and sequences, as bytes that differ for different values."""
    if is_dataclass(value):
        return [part for field in fields(value) for part in _parts(getattr(value, field.name))]
    if isinstance(value, tuple):
        return [part for each in value for part in _parts(each)]
    if isinstance(value, np.ndarray):
        return [f"{value.dtype.str}{value.shape}".encode(), value.tobytes()]
    return [f"{value!r};".encode()]
