"""The origin of numbers, as text: for the keys of the cache and for tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

import shamisa_cli
from shamisa_cli.core.images.decoding import READING
from shamisa_cli.core.scoring.toolchain import COMPUTING, Toolchain

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder
    from shamisa_cli.core.models.loading import Model

FORMULAS = 3
"""Raised by one whenever the same features and the same probes give other records: scores, intervals or severities."""


DECODING_PACKAGES = ("pillow", "pillow-heif", "pillow-jxl-plugin", "rawpy")
TRAINING_PACKAGES = ("numpy", "scipy", "torch")
"""Packages that distort photographs, and train and judge encoders."""


def versions(encoder: Embedder) -> dict[str, str | None]:
    """Versions of this program and of the packages that decode pictures and compute features; None where absent."""
    packages = (*DECODING_PACKAGES, COMPUTING[encoder.runtime])
    return {"shamisa": shamisa_cli.__version__} | {name: _version(name) for name in packages}


def software(packages: Sequence[str]) -> str:
    """This program, its way of reading, and the versions of packages that decode and of others, as text.

    Such as "reading 14, shamisa 0.1.0, pillow 12.0.0, torch 2.9.1"; packages that are absent are left out.
    """
    found = {"shamisa": shamisa_cli.__version__} | {name: _version(name) for name in (*DECODING_PACKAGES, *packages)}
    return ", ".join([f"reading {READING}", *(f"{name} {number}" for name, number in found.items() if number)])


def toolchain(encoder: Embedder) -> Toolchain:
    """This program and the packages by which this encoder's scores are made."""
    packages = {name: number for name, number in versions(encoder).items() if number is not None}
    return Toolchain(READING, FORMULAS, packages)


def computed_by(encoder: Embedder) -> str:
    """All beside the model that features depend on: runtime, kind of device, way of reading, versions of packages.

    Such as "onnx on cpu, reading 14, shamisa 0.1.0, pillow 12.0.0, onnxruntime 1.23.2".
    """
    packages = [f"{name} {number}" for name, number in versions(encoder).items() if number is not None]
    device = str(encoder.device).partition(":")[0]
    return ", ".join([f"{encoder.runtime} on {device}", f"reading {READING}", *packages])


def differing(before: str, now: str) -> tuple[str, str]:
    """Only what two texts of `computed_by` do not share, such as ("onnx on cpu", "torch on cuda"); empty if equal."""
    old, new = before.split(", "), now.split(", ")
    gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
    return ", ".join(gone or map(_lacking, come)), ", ".join(come or map(_lacking, gone))


def reading_in(text: str) -> str:
    """The way of reading in a text of `computed_by`, such as "reading 14"; empty if it tells none."""
    return next((entry for entry in text.split(", ") if entry.startswith("reading ")), "")


def _lacking(entry: str) -> str:
    return f"no {entry.partition(' ')[0]}"


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


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
