"""Does the verdict worsen with strength at full resolution? Operators of the engine, optics, sensors, codecs, scaling.

    python benchmarks/full_size_monotone.py PHOTOS... --results FILE [--only NAME]... [--megapixels 12] [--model MODEL]

Each photograph, its middle 12 megapixels if it has more, is spoiled at its own resolution at five strengths and judged
as a file would be. FILE gets one line of JSON for each photograph and cause; what it has already is not computed again.
Printed are, for each cause, the medians over photographs of the rank correlation of strength with the score, and with
focus, noise and compression at 100 %, their sign turned: -1 is a verdict that worsens with each step. The verdict is
the least of the four medians.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.signal import oaconvolve
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
GAMMA = 2.2


def stored(image: Image.Image, kind: str, **settings: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def from_levels(levels: np.ndarray) -> Image.Image:
    """Grey levels (H, W, 3) as an image."""
    return Image.fromarray(np.clip(levels + 0.5, 0, 255).astype(np.uint8))


def operator(name: str) -> Cause:
    def apply(image: Image.Image, severity: float) -> bytes:
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
        spoiled = apply_operator(tensor, name, severity, torch.Generator().manual_seed(0))
        return stored(from_levels(spoiled[0].permute(1, 2, 0).numpy() * 255), "BMP")

    return apply


def coded(kind: str) -> Cause:
    return lambda image, quality: stored(image, kind, quality=int(quality))


def reduced(image: Image.Image, factor: float) -> bytes:
    """Reduced and enlarged to its own size again."""
    small = image.resize((round(image.width / factor), round(image.height / factor)), Image.Resampling.BICUBIC)
    return stored(small.resize(image.size, Image.Resampling.BICUBIC), "BMP")


def out_of_focus(image: Image.Image, radius: float) -> bytes:
    """A disc of so many pixels for each point, in linear light, as a lens with a round aperture makes it."""
    reach = int(np.ceil(radius))
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(down, across), 0, 1).astype(np.float32)
    light = np.pad((np.asarray(image, np.float32) / 255) ** GAMMA, ((reach, reach), (reach, reach), (0, 0)), "edge")
    blurred = np.stack([oaconvolve(light[..., c], disc / disc.sum(), "valid") for c in range(3)], -1)
    return stored(from_levels(np.clip(blurred, 0, 1) ** (1 / GAMMA) * 255), "JPEG", quality=95)


def sensor_noise(image: Image.Image, strength: float) -> bytes:
    """Poisson-Gaussian noise in linear light, denoised, colour more than luma, and stored by the camera as JPEG."""
    light = (np.asarray(image, np.float32) / 255) ** GAMMA
    noise = np.random.default_rng(0).standard_normal(light.shape, np.float32)
    light += noise * np.sqrt(strength * (0.02 * light + 0.05 * strength))
    noisy = from_levels(np.clip(light, 0, 1) ** (1 / GAMMA) * 255).convert("YCbCr")
    planes = np.asarray(noisy, np.float32)
    denoised = [gaussian_filter(planes[..., c], sigma) for c, sigma in enumerate((0.6, 2, 2))]
    levels = np.clip(np.stack(denoised, -1) + 0.5, 0, 255).astype(np.uint8)
    return stored(Image.fromarray(levels, "YCbCr"), "JPEG", quality=92)


REAL: dict[str, tuple[Cause, tuple[float, ...]]] = {
    "focus blur": (out_of_focus, (1, 2, 4, 8, 14)),
    "sensor noise": (sensor_noise, (0.02, 0.05, 0.1, 0.2, 0.4)),
    "JPEG file": (coded("JPEG"), (80, 60, 40, 20, 8)),
    "WebP file": (coded("WEBP"), (80, 60, 40, 20, 5)),
    "AVIF file": (coded("AVIF"), (70, 50, 35, 20, 8)),
    "downscaling": (reduced, (1.5, 2, 3, 4, 6)),
}
CAUSES = REAL | {name: (operator(name), (0.5, 1, 2, 3, 4)) for name in OPERATORS}


def verdict(model: Model, content: bytes) -> dict[str, Any]:
    """Score 0…100, faults at 100 % and defects, 0…4, and remarks."""
    picture = decode("photo", content=content, view_size=effective_view_size(model.encoder, "model"), look=True)
    features = embedded(model.encoder, "photo", picture.pixels)
    seen = (picture.warnings, picture.at_full_size, picture.remarks)
    record = image_record(model, Embedding("photo", features, picture.width, picture.height, None, *seen))
    faults = {measure: getattr(picture.at_full_size, measure, None) for measure in MEASURES}
    return {"score": record.score, **faults, "defects": record.defects, "remarks": record.remarks}


def correlation(values: Sequence[float | None]) -> float:
    """Rank correlation with strength; 0 for values that do not change, or are known at fewer than three strengths."""
    known = [(strength, value) for strength, value in enumerate(values) if value is not None]
    if len(known) < 3 or len({value for _, value in known}) == 1:
        return 0.0
    return float(spearmanr(*zip(*known, strict=True))[0])


def follows(steps: Sequence[dict[str, Any]]) -> tuple[float, ...]:
    """How the score and each fault at 100 % follow the strength of a cause: -1 is worse with each step."""
    score = correlation([step["score"] for step in steps])
    return score, *(-correlation([step[measure] for step in steps]) for measure in MEASURES)


def middle_of(path: Path, megapixels: float) -> Image.Image:
    image = Image.fromarray(decode(path).pixels)
    factor = min(1.0, (megapixels * 1e6 / (image.width * image.height)) ** 0.5)
    width, height = int(image.width * factor), int(image.height * factor)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def spoil(model: Model, photos: Sequence[Path], names: Sequence[str], results: Path, megapixels: float) -> None:
    """Judge what is not yet in the file of results."""
    done = {(line["photo"], line["cause"]) for line in read(results)}
    for photo in photos:
        missing = [name for name in names if (photo.name, name) not in done]
        image = middle_of(photo, megapixels) if missing else None
        for name in missing:
            cause, strengths = CAUSES[name]
            steps = [verdict(model, cause(image, strength)) for strength in strengths]
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"photo": photo.name, "cause": name, "steps": steps}) + "\n")


def read(results: Path) -> list[dict[str, Any]]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def report(lines: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    for name in names:
        table = np.array([follows(line["steps"]) for line in lines if line["cause"] == name])
        if len(table):
            middle = np.median(table, axis=0)
            shown = ", ".join(f"{what} {value:.2f}" for what, value in zip(("score", *MEASURES), middle, strict=True))
            print(f"{name}: {shown}; verdict {middle.min():.2f} ({len(table)} photographs)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=CAUSES)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()
    torch.set_num_threads(1)
    photos = sorted(discover(options.photos), key=lambda photo: photo.stat().st_size)
    names = options.only or list(CAUSES)
    spoil(load_model(options.model), photos, names, options.results, options.megapixels)
    report(read(options.results), names)


if __name__ == "__main__":
    main()
