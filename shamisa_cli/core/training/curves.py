"""Figure of a run's metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.training.metrics import read_metrics

Panel = tuple[str, tuple[str, ...], str]
"""A panel: its title, its metrics, and the scale of its axis."""

Panels = Callable[[Sequence[dict[str, Any]]], Sequence[Panel]]
"""From the lines of a file of metrics to six panels."""

PANELS: tuple[Panel, ...] = (
    ("Loss", ("total",), "linear"),
    ("Terms before their coefficients", ("variance", "invariance", "covariance", "alignment", "retention"), "symlog"),
    ("Spread: 1 is alive, 0 is collapse", ("z_std", "h_std"), "linear"),
    ("Gradient norm", ("grad_norm",), "log"),
    ("Learning rate", ("encoder_lr", "head_lr"), "log"),
    ("Crops per second", ("crops_per_s",), "linear"),
)
RATES = ("encoder_lr", "trunk_lr", "head_lr")
COLOURS = ("#2f6f9f", "#c2571a", "#3d8b57", "#8a4f9e", "#8c8c2a", "#5f6b73", "#b0417a", "#3a9ea5")
SMOOTHED_SHARE = 0.02
"""Width of the smoothing, as a share of the run."""


def draw_curves(
    metrics: Path,
    picture: Path,
    panels: Panels = lambda _: PANELS,
) -> None:
    """Draw a metrics file as PNG: faint raw values under a smoothed line, one panel per group of metrics.

    Nothing is written with fewer than two steps.

    Args:
        metrics: the file of metrics.
        picture: the PNG to write.
        panels: from the lines of the file to six panels; by default SHAMISA's terms.
    """
    lines = read_metrics(metrics)
    if len(lines) < 2:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5))
    FigureCanvasAgg(figure)
    for axes, (title, names, scale) in zip(figure.subplots(2, 3).flat, panels(lines), strict=True):
        _draw_panel(axes, lines, title, names, scale)
    figure.subplots_adjust(left=0.05, right=0.985, bottom=0.07, top=0.95, wspace=0.18, hspace=0.25)
    with replacing(picture) as temporary:
        figure.savefig(temporary, dpi=110)


def smoothed(values: np.ndarray, width: float) -> np.ndarray:
    """Gaussian-weighted mean over neighbouring steps; weights are renormalised at both ends and at gaps.

    Args:
        values: (n,) with NaN where a value is missing.
        width: standard deviation of the weights in steps, > 0.
    """
    from scipy.ndimage import gaussian_filter1d

    there = np.isfinite(values)
    total = gaussian_filter1d(np.where(there, values, 0.0), width, mode="constant")
    weight = gaussian_filter1d(there.astype(float), width, mode="constant")
    return np.asarray(total / np.maximum(weight, 1e-12))


def _draw_panel(axes: Any, lines: Sequence[dict[str, Any]], title: str, names: Sequence[str], scale: str) -> None:
    steps = np.array([line["step"] for line in lines])
    for name, colour in zip(names, COLOURS, strict=False):
        values = np.array([np.nan if line.get(name) is None else line[name] for line in lines], dtype=float)
        if not np.nan_to_num(values).any():
            continue
        label = name.replace("_", " ").replace(" lr", "")
        if name in RATES:
            axes.plot(steps, values, color=colour, linewidth=1.6, label=label)
            continue
        axes.plot(steps, values, color=colour, linewidth=0.7, alpha=0.25)
        width = max(1.0, SMOOTHED_SHARE * len(values))
        axes.plot(steps, smoothed(values, width), color=colour, linewidth=1.8, label=label)
    axes.set_yscale(scale, **({"linthresh": 0.1} if scale == "symlog" else {}))
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel("step", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    if len(names) > 1:
        axes.legend(frameon=False, fontsize=8)
