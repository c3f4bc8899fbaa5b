"""Versions, extras, libraries that compute and image formats of this installation (imports none of them)."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from shamisa_cli._version import __version__
from shamisa_cli.core.images.kinds import IMAGE_SUFFIXES, readable_suffixes

BASE = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pillow",
    "onnxruntime",
    "safetensors",
    "huggingface-hub",
    "typer",
    "rich",
)
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "train": ("torch", "torchvision", "timm", "matplotlib", "onnx"),
    "parquet": ("pyarrow",),
    "heic": ("pillow_heif",),
    "jxl": ("pillow_jxl",),
    "raw": ("rawpy",),
    "torchmetrics": ("torchmetrics",),
    "pandas": ("pandas",),
    "ray": ("ray", "fsspec"),
    "umap": ("umap",),
}
"""Extra → modules that it installs and that are looked for."""
RUNTIMES = {"onnx": "onnxruntime", "torch": "torch"}


@dataclass(frozen=True)
class Installation:
    """Versions, and what is there.

    Attributes:
        version: of shamisa.
        python: version of Python, and the system it runs on.
        packages: base package → version; None for one that is missing.
        extras: extra → whether all of it is installed.
        runtimes: values of --runtime that are installed.
        formats: suffixes of images that can be read, sorted.
        missing_formats: suffixes that need an extra which is not installed, sorted.
    """

    version: str
    python: str
    packages: Mapping[str, str | None]
    extras: Mapping[str, bool]
    runtimes: tuple[str, ...]
    formats: tuple[str, ...]
    missing_formats: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        return asdict(self)


def describe_installation() -> Installation:
    """Look at what is installed. Loads none of the packages, so a broken one counts as installed."""
    readable = readable_suffixes()
    return Installation(
        version=__version__,
        python=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        packages={name: _version(name) for name in BASE},
        extras={name: all(map(_is_there, modules)) for name, modules in EXTRAS.items()},
        runtimes=tuple(name for name, module in RUNTIMES.items() if _is_there(module)),
        formats=tuple(sorted(readable)),
        missing_formats=tuple(sorted(IMAGE_SUFFIXES - readable)),
    )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
