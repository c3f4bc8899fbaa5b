"""A synthetic set to try test protocols on: photographs, versions of them by the engine, and a pseudo MOS.

    python benchmarks/synthetic_set.py PHOTOS -o FOLDER [--photos N] [--versions N] [--view-size N]

Each version went through one operator at a random severity. Its pseudo MOS is 5 less the severity: what was done to it,
and not what people say of it. FOLDER/mos.csv names pictures, pseudo MOS, reference, operator and severity.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from shamisa_cli.core.distortions.composition import draw_step
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.images import decode
from shamisa_cli.core.images.discovery import discover

BEST = 5.0
COLUMNS = ("image", "mos", "reference", "operator", "severity")


def save(picture: torch.Tensor, path: Path) -> None:
    """Write (1, 3, H, W) in 0…1 as a PNG."""
    Image.fromarray((picture[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()).save(path)


def degrade(picture: torch.Tensor, operator: str, rng: np.random.Generator) -> tuple[torch.Tensor, float]:
    """The picture after one operator, and the severity that was applied."""
    step = draw_step(operator, 1, "uniform", rng)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    done = apply_operator(picture, operator, step.severities, generator, angle=step.angle, channel=step.channel)
    return done, step.severities[0]


def main() -> None:
    """Make the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder of pristine photographs")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--photos", dest="count", type=int, default=40)
    parser.add_argument("--versions", type=int, default=12, help="of each photograph")
    parser.add_argument("--view-size", type=int, default=512, help="long side of the pictures, in pixels")
    arguments = parser.parse_args()

    arguments.output.mkdir(parents=True, exist_ok=True)
    paths = discover([arguments.photos])
    chosen = np.random.default_rng(0).permutation(len(paths))[: arguments.count]
    rows = []
    for place, path in enumerate(paths[index] for index in sorted(chosen)):
        rng = np.random.default_rng([0, place])
        pixels = decode(path, view_size=arguments.view_size).pixels
        picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        reference = f"{path.stem}.png"
        save(picture, arguments.output / reference)
        for number, operator in enumerate(rng.permutation(list(OPERATORS))[: arguments.versions]):
            version, severity = degrade(picture, str(operator), rng)
            name = f"{path.stem}_{number}.png"
            save(version, arguments.output / name)
            rows.append((name, f"{BEST - severity:.4f}", reference, operator, f"{severity:.4f}"))
    with (arguments.output / "mos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    print(f"{len(rows)} versions of {len(chosen)} photographs are in {arguments.output}.")


if __name__ == "__main__":
    main()
