"""Whether score maps show a frame: places at the border against the same places inside a larger picture.

Each photograph is cut to its middle. The difference between border and centre on the map of the cut one is compared
with the difference between the same pixels on the map of the whole one, where they are inside.

    python benchmarks/map_frame.py FOLDER [--model NAME] [--count 35]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import shamisa_cli as shamisa
from shamisa_cli.core.scoring.map_split import split_model_score

MARGIN, BAND = 64, 24
"""Pixels that are cut off at each side, and width of the border that is looked at."""


def border_to_centre(local: np.ndarray) -> float:
    """Mean of the border less mean of the middle half, in points."""
    height, width = local.shape
    inside = np.zeros(local.shape, bool)
    inside[BAND:-BAND, BAND:-BAND] = True
    middle = local[height // 4 : -height // 4, width // 4 : -width // 4]
    return float(local[~inside].mean() - middle.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=35)
    asked = parser.parse_args()
    model = shamisa.load_model(*([asked.model] if asked.model else []))
    files = shamisa.discover([asked.folder])
    step = max(1, len(files) // asked.count)
    view_size = model.encoder.config.preprocessing.view_size
    pictures = [shamisa.decode(file, view_size=view_size).pixels for file in files[::step][: asked.count]]
    pictures = [pixels for pixels in pictures if min(pixels.shape[:2]) >= 4 * MARGIN - 1]
    found = []
    for pixels in pictures:
        cut = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
        alone = border_to_centre(split_model_score(model, pixels[cut]).local)
        found.append((alone, border_to_centre(split_model_score(model, pixels).local[cut])))
    alone, inside = np.array(found).T
    print(
        f"{len(found)} photographs, border less centre {alone.mean():+.2f} points, the same places inside "
        f"{inside.mean():+.2f}; difference {np.mean(alone - inside):+.2f} "
        f"(mean size for one photograph {np.abs(alone - inside).mean():.2f})"
    )


if __name__ == "__main__":
    main()
