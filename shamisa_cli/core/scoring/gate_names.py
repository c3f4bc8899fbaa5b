"""Names of pictures under which rules judge them apart, where links lead to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shamisa_cli.core.images.real_paths import RealPaths, ownness
from shamisa_cli.core.scoring.gate import Gate, Limits


def judged_names(gate: Gate, paths: Sequence[Path]) -> Sequence[Path]:
    """Of the names of each file, its own or the first, and one for each other set of limits, in the order given."""
    real_paths = RealPaths()
    names: dict[str, list[Path]] = {}
    for path in paths:
        names.setdefault(real_paths.of(path), []).append(path)
    if len(names) == len(paths):
        return paths
    kept = {path for real, alike in names.items() for path in _apart(gate, alike, real)}
    return [path for path in paths if path in kept]


def _apart(gate: Gate, names: Sequence[Path], real: str) -> list[Path]:
    kept: list[Path] = []
    found: list[Limits] = []
    for name in sorted(names, key=lambda name: -ownness(name, real)):
        limits = gate.limits(str(name))
        if limits not in found:
            found.append(limits)
            kept.append(name)
    return kept
