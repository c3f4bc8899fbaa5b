"""Draws docs/images/embedding-map.png: where the default model's features go when pictures are degraded.

    python docs/images/embedding_map.py examples/photos [--photos 6]

Every photograph's features are taken relative to those of the untouched picture, so that what is left is what the
operator did; the first two principal components of all of them are drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.groups import GROUPS
from shamisa_cli.core.distortions.registry import BY_GROUP
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.models.loading import Model, load_model

SEVERITIES = (0.0, 1.0, 2.0, 3.0, 4.0)
TARGET = Path(__file__).with_name("embedding-map.png")
MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"))
COLOURS = dict(zip(GROUPS, ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#555555"), strict=True))


def moves(model: Model, path: Path) -> np.ndarray:
    """(26, 5, D): how standardised features move under each operator at each severity."""
    assert model.probe is not None
    view = decode(path, view_size=model.encoder.config.preprocessing.view_size).pixels
    picture = torch.from_numpy(view.copy()).permute(2, 0, 1)[None].float() / 255
    untouched = model.encoder.embed(view)
    rows = []
    for group in GROUPS:
        for operator in BY_GROUP[group]:
            for severity in SEVERITIES:
                generator = torch.Generator().manual_seed(0)
                degraded = apply_operator(picture, operator.name, severity, generator, angle=0.7)
                pixels = (degraded[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
                rows.append((model.encoder.embed(pixels) - untouched) / model.probe.feature_scale)
    return np.stack(rows).reshape(-1, len(SEVERITIES), len(untouched)).astype(np.float32)


def draw(points: np.ndarray) -> Figure:
    """Small multiples, one a group: (P, 26, 5, 2) → a figure."""
    figure = Figure(figsize=(11, 5.8), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 4, sharex=True, sharey=True).ravel()
    middle = np.median(points, axis=0)
    corners = [np.concatenate([middle.reshape(-1, 2), np.zeros((1, 2))]).min(0), middle.reshape(-1, 2).max(0)]
    margin = 0.15 * (corners[1] - corners[0])
    first = 0
    for panel, group in zip(panels, GROUPS, strict=False):
        panel.scatter(*points.reshape(-1, 2).T, s=3, color="0.88", linewidths=0)
        panel.plot(0, 0, "+", color="black", markersize=9)
        for index, operator in enumerate(BY_GROUP[group]):
            path = np.concatenate([np.zeros((1, 2)), middle[first + index]])
            panel.plot(*path.T, color=COLOURS[group], linewidth=1.2, alpha=0.8)
            marks = {"marker": MARKERS[index][0], "color": COLOURS[group], "alpha": 0.8, "linewidths": 0}
            panel.scatter(*path[1:].T, s=[6, 12, 20, 30, 42], **marks)
            panel.text(
                0.98,
                0.97 - 0.08 * index,
                f"{operator.name} {MARKERS[index][1]}",
                fontsize=7,
                ha="right",
                va="top",
                transform=panel.transAxes,
            )
        first += len(BY_GROUP[group])
        panel.set_title(group, loc="left", fontsize=10, color=COLOURS[group])
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=7)
        panel.set(xlim=(corners[0][0] - margin[0], corners[1][0] + margin[0]))
        panel.set(ylim=(corners[0][1] - margin[1], corners[1][1] + 3 * margin[1]))
    panels[-1].axis("off")
    panels[-1].text(
        0,
        0.95,
        "+  the untouched photograph\n\nlarger marks: severity 0 to 4\n(median over photographs)\n\n"
        "grey: every photograph,\noperator and severity",
        va="top",
        fontsize=9,
    )
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--photos", type=int, default=6)
    options = parser.parse_args()
    photos = [path for path in discover([Path(options.folder)]) if "_" not in path.stem.removeprefix("deep_")]
    model = load_model()
    features = np.stack([moves(model, path) for path in photos[: options.photos]])
    components = PCA(2, random_state=0).fit(features.reshape(-1, features.shape[-1]))
    points = components.transform(features.reshape(-1, features.shape[-1])).reshape(*features.shape[:3], 2)
    draw(points).savefig(TARGET, format="png", metadata={"Software": None})
    print(f"{TARGET}: the two components hold {components.explained_variance_ratio_.sum():.0%} of the variance")


if __name__ == "__main__":
    main()
