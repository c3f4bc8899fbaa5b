"""By how much reading a picture by tiles changes its score.

    python benchmarks/native_view.py PHOTOS... [--model MODEL]

Of each photograph the middle two megapixels, and the whole reduced to two, are scored as a whole and by tiles.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from shamisa_cli.core.encoder import onnx_encoder
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.probe.ridge import POINTS
from shamisa_cli.core.scoring.scorer import require_probe

PIXELS = 2_000_000


def of_two_megapixels(path: Path) -> list[np.ndarray]:
    image = Image.fromarray(decode(path).pixels)
    factor = (PIXELS / (image.width * image.height)) ** 0.5
    width, height = round(image.width * factor), round(image.height * factor)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    middle = image.crop((left, top, left + width, top + height))
    return [np.array(each) for each in (middle, image.resize((width, height), Image.Resampling.BICUBIC))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()
    model = load_model(options.model)
    apart = []
    for path in discover(options.photos):
        for pixels in of_two_megapixels(path):
            features = []
            for onnx_encoder.LARGE in (10 * PIXELS, PIXELS // 10):
                features.append(model.encoder.embed(pixels))
            whole, by_tiles = POINTS * require_probe(model).predict(np.stack(features))
            apart.append(abs(by_tiles - whole))
            print(f"{path.name}: {whole:.2f} as a whole, {by_tiles - whole:+.4f} by tiles")
    print(f"{len(apart)} pictures: {max(apart):.4f} points at most, {np.mean(apart):.4f} on average")


if __name__ == "__main__":
    main()
