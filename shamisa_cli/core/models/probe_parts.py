"""Parts of probe.json as JSON values, and back with checks; each raises ModelError for values that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import manifest
from shamisa_cli.core.probe.familiarity import Familiarity, Usual
from shamisa_cli.core.probe.intervals import Interval
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import MosScale
from shamisa_cli.core.probe.session_parts import SessionLikeness, SessionOffset

LIKENESS_VECTOR = "likeness_weights"
WHITENING, GREY_WHITENING = "familiarity_whitening", "familiarity_grey_whitening"
FITTED_VECTOR = "fitted"
OFFSET_NUMBERS = ("bias", "low", "high", "share")
MOST_FEATURES = 2**31


def read_offset(path: Path, entries: Any, weights: npt.NDArray[np.float64]) -> SessionOffset:
    """The offset of a probe with sessions, whose weights (D,) are given."""
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: 'offset' must be an object or null.")
    return SessionOffset(weights, **{key: manifest.read_number(path, entries, key) for key in OFFSET_NUMBERS})


def session_entries(probe: Probe) -> dict[str, Any] | None:
    """Names, biases and intervals of a probe's sessions; None without sessions."""
    if probe.likeness is None:
        return None
    return {
        "names": list(probe.likeness.names),
        "bias": [float(value) for value in probe.likeness.bias],
        "intervals": [interval_entries(interval) for interval in probe.session_intervals],
    }


def read_likeness(path: Path, entries: Any, vectors: Mapping[str, npt.NDArray[Any]]) -> SessionLikeness:
    """The likeness to sessions, whose weights (K, D) are among the vectors."""
    names = entries.get("names") if isinstance(entries, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"{path}: 'sessions' must be null or an object with names.")
    return SessionLikeness(tuple(names), vectors[LIKENESS_VECTOR], read_numbers(path, entries, "bias"))


def read_session_intervals(path: Path, entries: Mapping[str, Any]) -> tuple[Interval, ...]:
    """The intervals of sessions, in their order."""
    intervals = entries.get("intervals")
    if not isinstance(intervals, list):
        raise ModelError(f"{path}: 'intervals' must be a list.")
    return tuple(found for found in (read_interval(path, each) for each in intervals) if found is not None)


def familiarity_vectors(familiarity: Familiarity | None) -> dict[str, npt.NDArray[np.float64]]:
    """The whitening matrices (b, b) of a check of familiarity; none without one."""
    if familiarity is None:
        return {}
    kinds = zip((WHITENING, GREY_WHITENING), familiarity.kinds, strict=False)
    return {key: np.ascontiguousarray(kind.whitening, dtype=np.float64) for key, kind in kinds}


def familiarity_entries(familiarity: Familiarity | None) -> dict[str, Any] | None:
    """Blocks, means and limits of a check of familiarity; None without one."""
    if familiarity is None:
        return None
    grey = {} if familiarity.grey is None else {"grey": _usual_entries(familiarity.grey)}
    return {"widths": [int(width) for width in familiarity.widths]} | _usual_entries(familiarity.usual) | grey


def _usual_entries(usual: Usual) -> dict[str, Any]:
    return {"mean": [float(value) for value in usual.mean], "limit": float(usual.limit)}


def knows_grey(entries: Any) -> bool:
    """Whether a check of familiarity has a part for black-and-white pictures; those of earlier releases do not."""
    return isinstance(entries, dict) and entries.get("grey") is not None


def read_familiarity(path: Path, entries: Any, vectors: Mapping[str, npt.NDArray[Any]]) -> Familiarity:
    """The check of familiarity, whose whitening matrices (b, b) are among the vectors."""
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: 'familiarity' must be an object or null.")
    widths = read_numbers(path, entries, "widths")
    if (widths != np.floor(widths)).any() or (np.abs(widths) > MOST_FEATURES).any():
        raise ModelError(f"{path}: 'widths' must be whole numbers.")
    grey = _read_usual(path, entries["grey"], vectors[GREY_WHITENING]) if knows_grey(entries) else None
    return Familiarity(widths.astype(np.int64), _read_usual(path, entries, vectors[WHITENING]), grey)


def _read_usual(path: Path, entries: Any, whitening: npt.NDArray[np.float64]) -> Usual:
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: 'grey' must be an object or null.")
    return Usual(read_numbers(path, entries, "mean"), whitening, manifest.read_number(path, entries, "limit"))


def read_scale(path: Path, entries: Any) -> MosScale:
    """The human scale."""
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: 'scale' must be an object with positions and scores.")
    return MosScale(read_numbers(path, entries, "positions"), read_numbers(path, entries, "scores"))


def interval_entries(interval: Interval | None) -> dict[str, Any] | None:
    """An interval's numbers; None without one."""
    if interval is None:
        return None
    return {
        "level": float(interval.level),
        "at": [float(value) for value in interval.at],
        "spread": [float(value) for value in interval.spread],
        "below": float(interval.below),
        "above": float(interval.above),
    }


def read_interval(path: Path, entries: Any) -> Interval | None:
    """An interval; None where there is none."""
    if entries is None:  # also in probes from before there were intervals
        return None
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: 'interval' must be an object or null.")
    return Interval(
        level=manifest.read_number(path, entries, "level"),
        at=read_numbers(path, entries, "at"),
        spread=read_numbers(path, entries, "spread"),
        below=manifest.read_number(path, entries, "below"),
        above=manifest.read_number(path, entries, "above"),
    )


def read_numbers(path: Path, entries: Mapping[str, Any], key: str) -> npt.NDArray[np.float64]:
    """Finite numbers (n,) under a key."""
    values = entries.get(key)
    if not isinstance(values, list):
        raise ModelError(f"{path}: {key!r} must be a list of numbers.")
    return np.array([manifest.read_number(path, {key: value}, key) for value in values], dtype=np.float64)
