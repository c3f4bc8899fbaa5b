"""Degrade a photograph with the distortion engine, as the degraded examples in `photos/` were made.

    python examples/degrade.py PHOTO OPERATOR SEVERITY OUTPUT [--seed 0]

SEVERITY runs from 0 (mildest) to 4 (strongest) and can be fractional. An unknown OPERATOR lists all 26.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

import shamisa_cli as shamisa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("operator")
    parser.add_argument("severity", type=float)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pixels = shamisa.decode(options.photo).pixels
    degraded = shamisa.degrade(pixels, options.operator, options.severity, seed=options.seed)
    Image.fromarray(degraded).save(options.output, quality=92)


if __name__ == "__main__":
    main()
