"""Is the engine's JPEG 2000, which has no entropy coder, told apart from OpenJPEG's?

    python benchmarks/jpeg2000.py PHOTOS_FOLDER [--pictures 200]

Crops as they reach JPEG 2000 in the paper's mix (after whatever a composition did before) go through both at the
same ratio. Three figures, each beside what small changes to OpenJPEG itself give: how much more or less is lost
(PSNR against the crop), how far the results lie apart for the default model's encoder (as a share of what
compression itself moves), and how often a linear classifier on those features can tell which is which
(cross-validated, no picture in both parts; 50 % is chance).
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from hardware import hardware
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shamisa_cli.core.distortions.composition import Composition, draw_composition
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.jpeg2000 import jpeg2000_round_trip
from shamisa_cli.core.distortions.registry import get_operator
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.images import discover
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, resolve
from shamisa_cli.core.networks.model_folders import load_encoder
from shamisa_cli.core.training.pretraining.batches import BatchSettings, BatchStream

Bytes = npt.NDArray[np.uint8]
Codec = Callable[[Bytes, float], Bytes]
NAME = "JPEG 2000"


def inputs(photos: list[Path], count: int) -> list[tuple[Bytes, float]]:
    """Crops (224, 224, 3) as they reach JPEG 2000, and the ratios they are to be compressed by."""
    rng = np.random.default_rng(0)
    stream = BatchStream(photos, [], BatchSettings(samples=1, photos=1, scales=2), seed=0, steps=count)
    pairs: list[tuple[Bytes, float]] = []
    while len(pairs) < count:
        views = stream.recipe(len(pairs)).samples[0].views
        composition = draw_composition(1, "half-normal", rng)
        names = [step.operator for step in composition.steps]
        if NAME in names:
            pairs.append(_reached(views[len(pairs) % 2], composition, names.index(NAME)))
    return pairs


def _reached(view: torch.Tensor, composition: Composition, place: int) -> tuple[Bytes, float]:
    crop = view[None].float() / 255
    for step in composition.steps[:place]:
        generator = torch.Generator().manual_seed(0)
        crop = apply_operator(crop, step.operator, step.severities, generator, angle=step.angle, channel=step.channel)
    ratio = get_operator(NAME).value(np.asarray(composition.steps[place].severities))[0]
    return (crop[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy(), float(ratio)


def engine(picture: Bytes, ratio: float) -> Bytes:
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    return jpeg2000_round_trip(pixels, torch.tensor([ratio]))[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def openjpeg(picture: Bytes, ratio: float, block: int = 64) -> Bytes:
    stream = io.BytesIO()
    options = {"quality_mode": "rates", "quality_layers": [ratio], "irreversible": True, "mct": 1}
    Image.fromarray(picture).save(stream, "JPEG2000", codeblock_size=(block, block), **options)
    return np.array(Image.open(stream))


def with_noise(picture: Bytes, ratio: float) -> Bytes:
    noise = np.random.default_rng(picture.sum()).integers(-1, 2, picture.shape)
    return openjpeg(np.clip(picture + noise, 0, 255).astype(np.uint8), ratio)


RIVALS: dict[str, Codec] = {
    "the engine": engine,
    "OpenJPEG, blocks of 32 coefficients instead of 64": lambda picture, ratio: openjpeg(picture, ratio, 32),
    "OpenJPEG, −1, 0 or 1 added to each value before": with_noise,
    "OpenJPEG, ratio 15 % higher": lambda picture, ratio: openjpeg(picture, 1.15 * ratio),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", help="a folder of photographs")
    parser.add_argument("--pictures", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(hardware(torch.device("cpu")))
    encoder = load_encoder(ModelFolder.open(resolve(DEFAULT_MODEL), EncoderConfig))
    pairs = inputs(discover([Path(options.photos)]), options.pictures)
    crops = np.stack([crop for crop, _ in pairs])

    def features(pictures: Bytes) -> npt.NDArray[np.float32]:
        return np.stack([encoder.embed(np.ascontiguousarray(picture)) for picture in pictures])

    theirs = np.stack([openjpeg(*pair) for pair in pairs])
    seen = features(theirs)
    moved = np.linalg.norm(seen - features(crops), axis=1)
    for name, codec in RIVALS.items():
        ours = np.stack([codec(*pair) for pair in pairs])
        gain = _psnr(ours, crops) - _psnr(theirs, crops)
        there = features(ours)
        apart = np.median(np.linalg.norm(there - seen, axis=1) / moved)
        print(
            f"{name}: PSNR {np.median(gain):+.2f} dB (quarters {np.percentile(gain, 25):+.2f}, "
            f"{np.percentile(gain, 75):+.2f}); features apart {apart:.2f}; told apart {_told_apart(there, seen):.1%}"
        )


def _psnr(pictures: Bytes, crops: Bytes) -> npt.NDArray[np.float64]:
    error = np.mean((pictures.astype(np.float64) - crops) ** 2, axis=(1, 2, 3))
    return np.asarray(10 * np.log10(255**2 / np.maximum(error, 0.1)))


def _told_apart(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    kinds, pictures = np.repeat([0, 1], len(one)), np.tile(np.arange(len(one)), 2)
    folds = GroupKFold(5)
    return float(cross_val_score(classifier, np.concatenate([one, other]), kinds, groups=pictures, cv=folds).mean())


if __name__ == "__main__":
    main()
