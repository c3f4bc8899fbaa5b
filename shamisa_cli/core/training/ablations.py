"""The published ablations, each a single change to the full method (SHAMISA, arXiv 2603.13669, ablations)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.graphs.relation_graph import BRANCHES, METADATA, Branch


@dataclass(frozen=True)
class Ablation:
    """One ablation.

    Attributes:
        change: description of the change.
        settings: the changed training settings, as a table.
    """

    change: str
    settings: Mapping[str, Any]


def _only(*names: Branch) -> dict[str, Any]:
    return {"relations": {"branches": [name for name in BRANCHES if name in names]}}


def _without(*names: Branch) -> dict[str, Any]:
    return _only(*(name for name in BRANCHES if name not in names))


ABLATIONS: Mapping[str, Ablation] = {
    "A0": Ablation("the whole method", {}),
    "A1": Ablation("binary relations: every edge weight is 1", {"relations": {"hardened": True}}),
    "A2": Ablation("no sparsity term", {"objective": {"sparsity": 0.0}}),
    "A3": Ablation("no branch weights: coefficients alone", {"relations": {"weighting": "none"}}),
    "A4": Ablation("gradient through the branch weights", {"relations": {"weighting": "trained"}}),
    "B1": Ablation("no prototype transport", _without("prototypes")),
    "B2": Ablation("no nearest neighbours", _without("nearest_neighbours")),
    "B3": Ablation("no reference–distorted graph", _without("reference_distorted")),
    "B4": Ablation("no within-family graph", _without("within_family")),
    "B5": Ablation("no reference–reference graph", _without("reference_reference")),
    "B6": Ablation("nearest neighbours only", _only("nearest_neighbours")),
    "B7": Ablation("metadata graphs only", _only(*METADATA)),
    "B8": Ablation("structure graphs only", _without(*METADATA)),
    "C1": Ablation(
        "transport keeps the 8 strongest entries of each row, not 8·N of all", {"relations": {"prototype_reach": "row"}}
    ),
    "D1a": Ablation("at most 1 operator in a composition", {"batch": {"most_operators": 1}}),
    "D1b": Ablation("at most 7 operators in a composition, which is the default", {"batch": {"most_operators": 7}}),
    "D2": Ablation("five discrete severities", {"batch": {"severity_law": "discrete"}}),
    "D3": Ablation("uniform severities", {"batch": {"severity_law": "uniform"}}),
    "D4": Ablation("operators in a fixed order of groups", {"batch": {"fixed_order": True}}),
    "E1": Ablation("no alignment loss", {"relations": {"alignment": 0.0}}),
    "F1": Ablation("severity decay 1/(1 + Δ/4) in place of exp(−3Δ/4)", {"relations": {"decay": "reciprocal"}}),
}
"""Ablations by their published names. Compositions have 1 to 7 operators by default, so D1b equals A0."""

_FORMER_NAMES = {"A": "B7", "B": "B8", "C": "B1", "D": "B2", "E": "A1", "F": "A3"}
"""Former names in this project → published names."""


def ablation(name: str) -> Ablation:
    """Return the ablation of that name. Raises SettingError if there is none."""
    if name in ABLATIONS:
        return ABLATIONS[name]
    raise SettingError(former_ablation(name))


def former_ablation(name: str) -> str:
    """Error message for a name that is not a published ablation: its new name, or the list of ablations."""
    if name in _FORMER_NAMES:
        case = _FORMER_NAMES[name]
        return f"The ablation {name!r} is now called by its published name, {case} ({ABLATIONS[case].change})."
    return f"There is no ablation {name!r}; there are {', '.join(ABLATIONS)}."
