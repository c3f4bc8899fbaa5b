"""Whether versions of a photograph are told from different photographs, at every threshold of similarity.

    python benchmarks/groups.py FOLDER [--count 120] [--others FOLDER] [--model NAME] [--list 20]

FOLDER holds photographs of different subjects. Of `--count` of them it makes versions as a camera or an editor would:
re-encoded, brighter, cropped, and frames of a burst (turned by up to 1.5 degrees, up to 4 % closer, shifted by up to
3 % of the side), some of these out of focus, noisy or darker. It prints for each threshold how many of each kind of
version are found, and the share of pairs of different photographs that are taken for one. `--others` measures the
latter on all pairs of a larger folder, and `--list` names the most similar pairs in it, to look at.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

import shamisa_cli as shamisa
from shamisa_cli.core.encoder.spec import copy_size
from shamisa_cli.core.scoring.pipeline import embed_files
from shamisa_cli.core.scoring.sketches import read_sketches, sketch

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
Version = Callable[[Image.Image, np.random.Generator], Image.Image]


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    """The image after a JPEG encoder."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def frame(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Another frame of a burst by a hand-held camera; 12 % of each side are cut off."""
    width, height = image.size
    zoom = generator.uniform(1, 1.04)
    turned = image.rotate(generator.uniform(-1.5, 1.5), Image.Resampling.BICUBIC)
    larger = turned.resize((int(width * zoom), int(height * zoom)), Image.Resampling.BICUBIC)
    x, y = (larger.size[axis] // 2 + round(image.size[axis] * generator.uniform(-0.03, 0.03)) for axis in (0, 1))
    half_width, half_height = round(0.44 * width), round(0.44 * height)
    return larger.crop((x - half_width, y - half_height, x + half_width, y + half_height))


def noisy(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """The image with white noise of a standard deviation of 8 grey levels."""
    pixels = np.asarray(image, np.float64)
    return Image.fromarray((pixels + generator.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8))


def cropped(image: Image.Image) -> Image.Image:
    """The middle 90 % of each side."""
    width, height = image.size
    return image.crop((round(0.05 * width), round(0.05 * height), round(0.95 * width), round(0.95 * height)))


VERSIONS: dict[str, Version] = {
    "JPEG, quality 60": lambda image, _: recompressed(image, 60),
    "15 % brighter": lambda image, _: ImageEnhance.Brightness(image).enhance(1.15),
    "cropped to 90 %": lambda image, _: cropped(image),
    "grey": lambda image, _: image.convert("L").convert("RGB"),
    "half the size": lambda image, _: image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS),
    "burst frame": lambda image, generator: recompressed(frame(image, generator), 92),
    "burst, 25 % darker": lambda image, g: recompressed(ImageEnhance.Brightness(frame(image, g)).enhance(0.75), 92),
    "burst, noisy": lambda image, generator: recompressed(noisy(frame(image, generator), generator), 92),
    "burst, blur 1.2 px": lambda image, g: recompressed(frame(image, g).filter(ImageFilter.GaussianBlur(1.2)), 92),
    "burst, blur 3 px": lambda image, g: recompressed(frame(image, g).filter(ImageFilter.GaussianBlur(3)), 92),
}


def sketch_of(image: Image.Image, model: shamisa.Model) -> bytes:
    """The sketch of an image in memory, at the model's view size."""
    assert model.probe is not None
    view = model.encoder.config.preprocessing.view_size
    if view is not None and max(image.size) > view:
        height, width = copy_size(image.height, image.width, view / max(image.size))
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return sketch(model.encoder.embed(np.asarray(image)), model.probe)


def print_table(similarities: dict[str, np.ndarray]) -> None:
    """Print the share of each row's pairs at or above each threshold."""
    print(f"{'share of pairs at or above':30}" + "".join(f"{threshold:>9}" for threshold in THRESHOLDS) + "   pairs")
    for name, values in similarities.items():
        shares = [float((values >= threshold).mean()) for threshold in THRESHOLDS]
        texts = [f"{share:9.3f}" if share >= 0.001 or share == 0 else f"{share:9.0e}" for share in shares]
        print(f"{name:30}" + "".join(texts) + f"   {len(values):,}")


def versions(folder: Path, count: int, model: shamisa.Model) -> dict[str, np.ndarray]:
    """Cosines of photographs with their versions, by kind, and with versions of other photographs."""
    files = shamisa.discover([folder])
    generator = np.random.default_rng(0)
    chosen = [files[index] for index in generator.permutation(len(files))[:count]]
    sketches: dict[str, list[bytes]] = {name: [] for name in ("original", *VERSIONS)}
    for path in chosen:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        sketches["original"].append(sketch_of(image, model))
        for name, make in VERSIONS.items():
            sketches[name].append(sketch_of(make(image, generator), model))
    rows = {name: read_sketches(each) for name, each in sketches.items()}
    original = rows.pop("original")
    found = {name: (original * each).sum(1) for name, each in rows.items()}
    different = ~np.eye(len(chosen), dtype=bool)
    found["different photographs"] = np.concatenate([(original @ each.T)[different] for each in rows.values()])
    return found


def others(folder: Path, listed: int, model: shamisa.Model) -> np.ndarray:
    """Cosines of all pairs in a folder; prints the most similar ones."""
    assert model.probe is not None
    found = [
        (each.path, sketch(each.features, model.probe))
        for each in embed_files(model.encoder, shamisa.discover([folder]))
        if each.features is not None
    ]
    rows = read_sketches([each for _, each in found])
    first, second = np.triu_indices(len(rows), 1)
    similarities: np.ndarray = (rows @ rows.T)[first, second]
    for pair in np.argsort(-similarities)[:listed]:
        print(f"{similarities[pair]:.3f}  {found[first[pair]][0]}  {found[second[pair]][0]}")
    return similarities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs of different subjects")
    parser.add_argument("--count", type=int, default=120, help="number of photographs to make versions of")
    parser.add_argument("--others", type=Path, help="a larger folder, for pairs of different photographs")
    parser.add_argument("--list", type=int, default=20, help="number of pairs of --others to name")
    parser.add_argument("--model", default=None, help="the model (default: the bundled one)")
    options = parser.parse_args()

    model = shamisa.load_model(options.model) if options.model else shamisa.load_model()
    table = versions(options.folder, options.count, model)
    if options.others is not None:
        table["pairs of --others"] = others(options.others, options.list, model)
    print_table(table)


if __name__ == "__main__":
    main()
