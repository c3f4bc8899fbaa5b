"""Figure of the agreement with human scores over the steps of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.probe.step_agreement import StepAgreement
from shamisa_cli.core.training.curves import COLOURS

ALL_COLOUR = "#1f1f1f"


def draw_agreements(target: Path, agreements: Sequence[StepAgreement]) -> None:
    """Draw a PNG: the median SRCC of all pictures, and of each subset, over the steps; bands are quartiles.

    Each has a panel and an axis of its own, since training changes less than subsets differ.

    Args:
        target: the file; nothing is written without results.
        agreements: of one benchmark, in the order of the steps.
    """
    if not agreements:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    subsets = sorted({name for agreement in agreements for name in agreement.subsets})
    panels: list[str | None] = [None, *subsets]
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(max(6.4, 3.6 * columns), 0.5 + 3.2 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    steps = np.array([agreement.step for agreement in agreements])
    for number, (axes, subset) in enumerate(
        zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=False)
    ):
        low, median, high = np.stack([agreement.quantiles(subset) for agreement in agreements], axis=1)
        colour = ALL_COLOUR if subset is None else COLOURS[(number - 1) % len(COLOURS)]
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.axhline(median[0], color="0.6", linewidth=0.8, linestyle=(0, (4, 3)))
        axes.plot(steps, median, color=colour, linewidth=1.8, marker="o", markersize=4)
        axes.set_title("all pictures" if subset is None else _literal(subset), fontsize=11, loc="left", color=colour)
        axes.set_xlabel("step", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        if number % columns == 0:
            axes.set_ylabel("SRCC", fontsize=9)
    for axes in figure.axes[len(panels) :]:
        axes.set_axis_off()
    last = agreements[-1]
    figure.suptitle(
        f"{_literal(last.table)}, {last.pictures:,} pictures: median SRCC of {len(last.srcc)} splits, quartiles, "
        "and (dashed) where the line begins",
        fontsize=10,
        x=0.01,
        ha="left",
    )
    with replacing(target) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _literal(text: str) -> str:
    """Escape dollar signs, which matplotlib would read as formulas."""
    return text.replace("$", r"\$")
