"""Photographs that nobody has degraded."""

from __future__ import annotations

from pathlib import Path

from shamisa_cli.core.images import discover


def untouched_photos(folder: Path) -> list[Path]:
    """Those of a folder whose name, as in examples/photos, does not say with a "_" how they were degraded."""
    return [path for path in discover([folder]) if "_" not in path.stem.removeprefix("deep_")]
