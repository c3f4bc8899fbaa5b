"""The section on the defect probe in a model's card."""

from __future__ import annotations

from collections.abc import Sequence

from shamisa_cli.core.probe.card import code_block
from shamisa_cli.core.probe.defects import FOLDS, MOST_OPERATORS, DefectAccuracy

HEADINGS = (
    "present / absent",
    "severity 2 and more / absent",
    "rank correlation",
    "mean error",
    "untouched, read 0.5 +",
)


def defects_section(accuracies: Sequence[DefectAccuracy], *, photos: int, pictures: int, command: str) -> str:
    """Markdown: how the probe was fitted, and how well it reads photographs that were left out of the fit."""
    rows = "\n".join(f"| {row[0]} | {' | '.join(row[1:])} |" for row in accuracy_rows(accuracies))
    return f"""## Defects

Linear probes on the same frozen features tell how strong, from 0 to 4, each of the engine's seven groups of
distortions is. They learned without human scores from {pictures:,} versions of {photos} photographs: whole pictures at
the size they are judged at, one untouched, the others through 1 to {MOST_OPERATORS} operators of different groups.
Measured in {FOLDS} folds, on photographs left out of the fit:

| group | {" | ".join(HEADINGS)} |
|---|{"---|" * len(HEADINGS)}
{rows}

The first two columns are areas under the ROC curve. What nine in ten versions without the group read counts as 0.

{code_block(command)}"""


def accuracy_rows(accuracies: Sequence[DefectAccuracy]) -> list[list[str]]:
    """A row of text for each group: its name and five figures."""
    return [
        [
            accuracy.group,
            f"{accuracy.auc:.3f}",
            f"{accuracy.auc_strong:.3f}",
            f"{accuracy.srcc:.3f}",
            f"{accuracy.mae:.2f}",
            f"{accuracy.clean:.0%}",
        ]
        for accuracy in accuracies
    ]
