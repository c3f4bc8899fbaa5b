"""Does the verdict worsen with strength at full resolution? Every operator of the engine, codecs, and downscaling.

    python benchmarks/full_size_monotone.py PHOTOS... [--only NAME]... [--model MODEL]

Each photograph is spoiled at its own resolution at five strengths and scored as a file would be. Printed are, for each
cause, the median over photographs of the rank correlation of strength with the score, with the worst fault at 100 %,
its sign turned, and with the one of the two that follows better: -1 is a verdict that worsens with each step.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.encoder.embedder import embedded
from shamisa_cli.core.full_size.record import MEASURES
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.scoring.scorer import Embedding, effective_view_size, image_record

Cause = Callable[[Image.Image, float], bytes]


def stored(image: Image.Image, kind: str, **settings: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def operator(name: str) -> Cause:
    def apply(image: Image.Image, severity: float) -> bytes:
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
        spoiled = apply_operator(tensor, name, severity, torch.Generator().manual_seed(0))
        pixels = (spoiled[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        return stored(Image.fromarray(pixels), "PNG", compress_level=1)

    return apply


def coded(kind: str) -> Cause:
    return lambda image, quality: stored(image, kind, quality=int(quality))


def reduced(image: Image.Image, factor: float) -> bytes:
    """Reduced and enlarged to its own size again."""
    small = image.resize((round(image.width / factor), round(image.height / factor)), Image.Resampling.BICUBIC)
    return stored(small.resize(image.size, Image.Resampling.BICUBIC), "PNG", compress_level=1)


CODECS: dict[str, tuple[Cause, tuple[float, ...]]] = {
    "JPEG file": (coded("JPEG"), (80, 60, 40, 20, 8)),
    "WebP file": (coded("WEBP"), (80, 60, 40, 20, 5)),
    "AVIF file": (coded("AVIF"), (70, 50, 35, 20, 8)),
    "downscaling": (reduced, (1.5, 2, 3, 4, 6)),
}
CAUSES = CODECS | {name: (operator(name), (0.5, 1, 2, 3, 4)) for name in OPERATORS}


def verdict(model: Model, content: bytes) -> tuple[float, float]:
    """Score 0…100, and the worst fault at 100 %, 0…4."""
    picture = decode("photo", content=content, view_size=effective_view_size(model.encoder, "model"), look=True)
    features = embedded(model.encoder, "photo", picture.pixels)
    record = image_record(model, Embedding("photo", features, picture.width, picture.height))
    faults = [getattr(picture.at_full_size, measure, None) or 0.0 for measure in MEASURES]
    return float(record.score or 0.0), max(faults)


def correlation(values: Sequence[float]) -> float:
    """Rank correlation with strength; 0 for values that do not change."""
    return 0.0 if np.ptp(values) == 0 else float(spearmanr(range(len(values)), values)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--only", action="append", choices=CAUSES)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(options.model)
    photos = list(discover(options.photos))
    for name in options.only or CAUSES:
        cause, strengths = CAUSES[name]
        table = []
        for photo in photos:
            image = Image.fromarray(decode(photo).pixels)
            seen = [verdict(model, cause(image, strength)) for strength in strengths]
            score, fault = correlation([one for one, _ in seen]), -correlation([two for _, two in seen])
            table.append((score, fault, min(score, fault)))
        middle = np.median(table, axis=0)
        print(f"{name}: score {middle[0]:.2f}, at 100 % {middle[1]:.2f}, verdict {middle[2]:.2f}", flush=True)


if __name__ == "__main__":
    main()
