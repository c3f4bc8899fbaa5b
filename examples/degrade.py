"""Degrade a photograph with the distortion engine, as the degraded examples in `photos/` were made.

    python examples/degrade.py PHOTO OPERATOR SEVERITY OUTPUT [--seed 0]

SEVERITY runs from 0 (mildest) to 4 (strongest) and can be fractional. An unknown OPERATOR lists all 26.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.images import decode


def degrade(photo: Path, operator: str, severity: float, seed: int = 0) -> Image.Image:
    """The photograph under one operator of the engine at a severity of 0…4."""
    pixels = pil_to_tensor(Image.fromarray(decode(photo).pixels))[None].float() / 255
    generator = torch.Generator().manual_seed(seed)
    distorted = apply_operator(pixels, operator, severity, generator, angle=math.pi / 6)
    return to_pil_image(distorted[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("operator")
    parser.add_argument("severity", type=float)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    degrade(options.photo, options.operator, options.severity, options.seed).save(options.output, quality=92)


if __name__ == "__main__":
    main()
