"""Does the score fall as severity rises? Spearman's correlation for each operator, on photographs not trained on.

    python benchmarks/monotonicity.py examples/photos [--model NAME] [--photos N]

Each photograph is degraded at severities 0, 1, 2, 3 and 4 (and left as it is) by every operator alone. Files whose
name holds a "_" are taken for degraded already and left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from untouched import untouched_photos

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.images import decode
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

SEVERITIES = (0.0, 1.0, 2.0, 3.0, 4.0)
WANTED = -0.9
ROUNDING = 1e-9
"""Five ranks with one pair of neighbours exchanged make -0.8999999999999999."""


def pixels_of(picture: torch.Tensor) -> np.ndarray:
    """(1, 3, H, W) in 0…1 → (H, W, 3) uint8."""
    return (picture[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def positions(model: Model, picture: torch.Tensor, operator: str, seed: int) -> list[float]:
    """The score before clipping, untouched and then at each severity, always with the same randomness."""
    assert model.probe is not None
    versions = [picture]
    for severity in SEVERITIES:
        generator = torch.Generator().manual_seed(seed)
        versions.append(apply_operator(picture, operator, severity, generator, angle=0.7, channel=seed % 3))
    features = np.stack([model.encoder.embed(pixels_of(version)) for version in versions])
    return [float(value) for value in model.probe.predict(features)]


def correlations(model: Model, photos: Sequence[Path]) -> dict[str, list[float]]:
    """By operator, Spearman(severity, score) over the degraded versions of each photograph that it changes.

    Operators on colour change nothing in a grey one.
    """
    found: dict[str, list[float]] = {name: [] for name in OPERATORS}
    for path in photos:
        view = decode(path, view_size=model.encoder.config.preprocessing.view_size).pixels
        picture = torch.from_numpy(view.copy()).permute(2, 0, 1)[None].float() / 255
        for seed, name in enumerate(OPERATORS):
            scores = positions(model, picture, name, seed)[1:]
            if max(scores) > min(scores):
                found[name].append(float(spearmanr(SEVERITIES, scores).statistic))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--photos", type=int, default=1000)
    options = parser.parse_args()
    photos = untouched_photos(Path(options.folder))
    model = load_model(options.model)
    found = correlations(model, photos[: options.photos])
    medians = {name: float(np.median(values)) for name, values in found.items()}
    for name, median in sorted(medians.items(), key=lambda entry: entry[1]):
        print(f"{name:<22} {median:+.2f}   least {max(found[name]):+.2f}")
    good = sum(median <= WANTED + ROUNDING for median in medians.values())
    positive = sum(median > ROUNDING for median in medians.values())
    print(f"{good} of {len(medians)} operators at {WANTED} or below, {positive} above 0 ({len(photos)} photographs)")


if __name__ == "__main__":
    main()
