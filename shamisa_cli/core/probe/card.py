"""The card of a fitted probe: its data, its agreement with human scores, and a scatter plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shamisa_cli.core.arrays import Vector
from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.probe.defects import FOLDS, MOST_OPERATORS, DefectAccuracy
from shamisa_cli.core.probe.familiarity import FLAGGED
from shamisa_cli.core.probe.intervals import Coverage
from shamisa_cli.core.probe.protocol import FIGURES, ProtocolResult, Spread
from shamisa_cli.core.probe.recipe import Recipe
from shamisa_cli.core.probe.ridge import POINTS, Probe
from shamisa_cli.core.probe.scale import MosScale

SCATTER_NAME = "scatter.png"
_DENSITY_BINS = 48


@dataclass(frozen=True)
class CardDetails:
    """Details of a probe's fit that its card states beside the results.

    Attributes:
        data_name: name of the data set.
        count: number of images fitted on.
        model_name: model whose encoder was read.
        command: command line that fitted the probe, to repeat it.
        logistic: whether PLCC and RMSE were computed after the logistic mapping.
        grouped: whether splits were disjoint by group.
        recipe: what was fitted beside the scores.
        coverage: coverage of the probe's interval on held-out images; None without an interval.
        crops: crops per image, each a row of the fit (the paper's protocol); None if each image was a row.
        figure: whether the scatter plot was drawn.
    """

    data_name: str
    count: int
    model_name: str
    command: str
    logistic: bool
    grouped: bool
    recipe: Recipe = field(default_factory=Recipe)
    coverage: Coverage | None = None
    crops: int | None = None
    figure: bool = True


def probe_card(result: ProtocolResult, probe: Probe, details: CardDetails, *, level: int = 1) -> str:
    """Markdown for the README.md of a probe folder; its figure is `SCATTER_NAME` beside it.

    As a section of another card its title gets a heading of a lower `level`.
    """
    mark = "#" * level
    disjoint = "groups" if details.grouped else "pictures"
    notes = " PLCC and RMSE after a 4-parameter logistic mapping." if details.logistic else ""
    notes += _crops_sentence(details)
    return f"""{mark} A probe for {_inline(details.model_name)}, fitted on {_inline(details.data_name)}

A linear (ridge) probe, bounded in every feature, from the features of a frozen encoder to human quality scores.

| | |
|---|---|
| pictures | {details.count} |
| human scale | {_scale_row(probe.scale)} |
| features | {len(probe.weights)} {_rows_of(details)} |
| alpha | {probe.alpha:.4g} ({_alphas(result, details)}) |
| encoder | `{probe.encoder_fingerprint[:12]}` (the probe is refused with any other) |
{_recipe_rows(result, probe, details)}{_interval_row(probe, details.coverage)}{_familiarity_row(probe)}
{mark}# How well it predicts

{len(result.splits)} random splits of {disjoint}: 70 % to fit, 10 % to choose alpha, 20 % to report, each picture in
one part only. Median over the splits ± interquartile range.{notes} The probe itself is then fitted on all pictures.

{_results_table(result)}
{_figure(details)}
{mark}# Made with

{code_block(details.command)}
"""


def _figure(details: CardDetails) -> str:
    return f"\n![Predicted and human scores of held-out pictures]({SCATTER_NAME})\n" if details.figure else ""


def _rows_of(details: CardDetails) -> str:
    return "per picture" if details.crops is None else f"per crop, not standardised; {details.crops} crops per picture"


def _crops_sentence(details: CardDetails) -> str:
    if details.crops is None:
        return ""
    return (
        "\nBy the paper's protocol each crop is a row to fit, with its picture's score; a picture's prediction is the"
        "\nmean over its crops. All splits share one alpha, the best on their validation pictures together."
    )


def _scale_row(scale: MosScale) -> str:
    worst, best = scale.ends
    if len(scale.positions) == 2:
        return f"{worst:g} (worst) … {best:g} (best), mapped linearly to scores of 0 … 100"
    middle = float(scale.mos(np.array(0.5)))
    return (
        f"{worst:g} (worst) … {best:g} (best), mapped to scores of 0 … 100 by rank, so that the middle picture of "
        f"these ({middle:.3g}) stands at 50"
    )


def _alphas(result: ProtocolResult, details: CardDetails) -> str:
    alphas = [split.alpha for split in result.splits]
    how = "in the splits" if details.recipe.sessions is not None else "chosen in the splits"
    return f"{how}: {min(alphas):.4g} … {max(alphas):.4g}"


def _recipe_rows(result: ProtocolResult, probe: Probe, details: CardDetails) -> str:
    recipe, rows = details.recipe, ""
    right = "of photographs left out of the fit, "
    if recipe.sessions is not None and probe.offset is not None:
        rows += (
            f"| sessions | {len(set(recipe.sessions))}, each with an intercept of its own; a picture's likely session "
            f"moves its score by {POINTS * probe.offset.low:+.0f} to {POINTS * probe.offset.high:+.0f} points, of "
            f"which {probe.offset.share:.0%} count |\n"
        )
    if recipe.pseudo is not None:
        photos, settings = len(np.unique(recipe.pseudo.photo)), recipe.pseudo.settings
        rows += (
            f"| pseudo-labels | {len(recipe.pseudo):,} versions of {photos} photographs, marked by full-reference "
            f"measures, weight {settings.weight:g} each, up to {POINTS * settings.drop:g} points below their original; "
            f"{right}{result.pairs_in_order:.1%} of visibly changed versions score below their original |\n"
        )
    if recipe.pairs is not None:
        photos = len(np.unique(recipe.pairs.photo))
        rows += (
            f"| degraded pairs | degraded versions of {photos} photographs, weight {recipe.ordinal.weight:g}; {right}"
            f"{result.pairs_in_order:.1%} of pairs are in the right order |\n"
        )
    return rows


def _interval_row(probe: Probe, coverage: Coverage | None) -> str:
    if probe.interval is None or coverage is None:
        return ""
    return (
        f"| interval | {probe.interval.level:.0%} split-conformal, {POINTS * coverage.width:.0f} points wide "
        f"on average; calibrated on half of each split's held-out pictures it holds {coverage.share:.1%} of the "
        f"human scores of the other half ({coverage.lowest:.1%} … {coverage.highest:.1%} over the splits)"
        f"{_by_session(coverage)} |\n"
    )


def _by_session(coverage: Coverage) -> str:
    if not coverage.by_session:
        return ""
    shares = ", ".join(f"{share:.1%} in {_inline(name)}" for name, share in coverage.by_session.items())
    return f"; by session: {shares}"


def _familiarity_row(probe: Probe) -> str:
    if probe.familiarity is None:
        return ""
    grey = " in colour or in black and white" if probe.familiarity.grey else ""
    return (
        f"| familiarity | pictures unlike those fitted on{grey} get the reliability low; {FLAGGED:.2%} of "
        f"pictures like them do too |\n"
    )


def save_scatter(target: Path, result: ProtocolResult, mos: Vector, *, data_name: str) -> None:
    """Write a PNG scatter plot of held-out predictions over human scores, coloured by local density."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, prediction = result.held_out
    truth = mos[rows]
    density = _density(truth, prediction)
    order = np.argsort(density)
    low, high = (float(end) for end in np.quantile(np.concatenate([truth, prediction]), [0.001, 0.999]))
    margin = 0.05 * (high - low)
    limits = low - margin, high + margin

    figure = Figure(figsize=(5.4, 5.4), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(limits, limits, color="0.55", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    size = float(np.clip(4e4 / len(rows), 5, 40))
    axes.scatter(
        truth[order], prediction[order], c=density[order], s=size, cmap="viridis", alpha=0.7, linewidths=0, zorder=2
    )
    axes.set(xlim=limits, ylim=limits, xlabel="human score (MOS)", ylabel="predicted score")
    axes.set_aspect("equal")
    axes.set_title(_literal(_scatter_title(result, data_name)), loc="left", fontsize=10)
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(target) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def format_spread(spread: Spread) -> str:
    """Median ± interquartile range with three decimals; a dash where undefined."""
    return f"{spread.median:.3f} ± {spread.iqr:.3f}" if np.isfinite(spread.median) else "–"


def _results_table(result: ProtocolResult) -> str:
    lines = ["| | SRCC | PLCC | KRCC | RMSE |", "|---|---|---|---|---|"]
    for subset in (None, *result.subset_names):
        cells = [format_spread(result.spread(figure, subset)) for figure in FIGURES]
        lines.append(f"| {'all' if subset is None else _inline(subset)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _scatter_title(result: ProtocolResult, data_name: str) -> str:
    srcc, plcc = result.spread("srcc").median, result.spread("plcc").median
    return f"{data_name}, held-out pictures\nSRCC {srcc:.3f} · PLCC {plcc:.3f} (median of {len(result.splits)} splits)"


def _density(x: Vector, y: Vector) -> Vector:
    """Local density at each point: a smoothed histogram, interpolated between its bins."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    counts, x_edges, y_edges = np.histogram2d(x, y, bins=_DENSITY_BINS)
    places = [
        (values - edges[0]) / (edges[-1] - edges[0]) * _DENSITY_BINS - 0.5
        for values, edges in ((x, x_edges), (y, y_edges))
    ]
    smooth = map_coordinates(gaussian_filter(counts, 1.5), places, order=1, mode="nearest")
    return np.asarray(smooth, dtype=np.float64)


def _inline(text: str) -> str:
    """Escape text so that it stays within its line or table cell."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in " ".join(text.split()))


def _literal(text: str) -> str:
    """Escape dollar signs, which matplotlib would read as formulas."""
    return text.replace("$", r"\$")


def code_block(text: str) -> str:
    """Format a command as a Markdown code block, fenced safely."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}sh\n{text}\n{fence}"


DEFECT_HEADINGS = (
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
the size they are scored at, one untouched, the others through 1 to {MOST_OPERATORS} operators of different groups.
Measured in {FOLDS} folds, on photographs left out of the fit:

| group | {" | ".join(DEFECT_HEADINGS)} |
|---|{"---|" * len(DEFECT_HEADINGS)}
{rows}

The first two columns are areas under the ROC curve. Predictions up to the 90 % quantile of versions without the group
count as 0.

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
