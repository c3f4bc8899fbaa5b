"""Does training add? Encoders against the first one named, their start, at equal features.

    python benchmarks/unseen_distortions.py START TRAINED... --architecture efficientnet_lite2 --mos mos.csv \
        --photos PHOTOS [--rows 1200] [--view 256] [--sessions subset]

START and TRAINED are safetensors files of weights, or checkpoints of a run (RUN/checkpoints/step-00000900). All hidden
maps but the last are read, at one scale. In each of ten splits a regressor is fitted to four fifths of the human scores
and to nothing else. It is judged by the other fifth, and by distorted versions of a random half of the photographs,
which nothing was fitted on: every operator, JPEG, WebP, AVIF and faults of cameras, each at a random strength.

- marks: SRCC with human scores.
- below: share of visibly changed versions that are predicted below their original.
- pairs: share of certain pairs in order: versions of one photograph, the second of which all four full-reference
  measures find worse, by more than 15 % of all ranks.

Differences from the start are within a split: their mean and standard deviation, and how many of the ten are above 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import rankdata
from torch import Tensor

from shamisa_cli.core.arrays import AnyFeatures, Pixels, Vector
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.probe.metrics import srcc
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table
from shamisa_cli.core.probe.pseudo import VISIBLE
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.ridge_path import fit_ridge
from shamisa_cli.core.probe.scale import even_scale
from shamisa_cli.core.probe.sessions import SessionSettings, fit_by_session
from shamisa_cli.core.relational.difference.difference import MEASURES, difference
from shamisa_cli.core.training.checkpoints import CheckpointStore
from shamisa_cli.core.training.probes.pseudo_labels import KINDS, SIZE, versions_of

SPLITS, HELD_OUT = 10, 5
APART = 0.15
"""Least difference of ranks, 0…1, in a pair."""
POOLED_PENALTY = 0.3
"""Of the regressor without sessions, as a multiple of the number of features."""
BACKBONE = "learner.backbone."
FIGURES = ("marks", "below", "pairs")


@dataclass(frozen=True)
class Versions:
    """Versions of photographs: n images, each photograph's original first.

    Attributes:
        images: at the view size.
        photo: (n,) index of the photograph.
        original: (n,) index of the original.
        rank: (n,) 0…1, how changed it is among all versions; 0 for originals.
        pairs: (m, 2) indices, the second of which is certainly the worse.
    """

    images: list[Pixels]
    photo: np.ndarray
    original: np.ndarray
    rank: Vector
    pairs: np.ndarray


def make_versions(photos: Sequence[Path], view: int) -> Versions:
    """Distort photographs at 512 pixels, as pseudo-labels are, and compare versions with their original there."""
    images: list[Pixels] = []
    photo, original, changes = [], [], []
    for place, path in enumerate(photos):
        pixels = decode(path, view_size=SIZE).pixels
        first = len(images)
        for version in (pixels, *versions_of(pixels, len(KINDS), np.random.default_rng([17, place]))):
            found = difference(pixels, version)
            changes.append([found.value, *(found.measures[name] for name in MEASURES)])
            images.append(viewed(version, view))
            photo.append(place)
            original.append(first)
    values, originals = np.array(changes), np.array(original)
    changed = originals != np.arange(len(originals))
    rank = np.zeros(len(values))
    rank[changed] = rankdata(values[changed, 0]) / changed.sum()
    members = [np.flatnonzero(changed & (np.array(photo) == place)) for place in range(len(photos))]
    pairs = [
        (better, worse)
        for group in members
        for better, worse in permutations(group, 2)
        if rank[worse] - rank[better] > APART and (values[worse, 1:] > values[better, 1:]).all()
    ]
    return Versions(images, np.array(photo), originals, rank, np.array(pairs))


def viewed(pixels: Pixels, view: int) -> Pixels:
    """The image with a long side of at most `view` pixels."""
    height, width = pixels.shape[:2]
    if max(height, width) <= view:
        return pixels
    sides = (round(side * view / max(height, width)) for side in (width, height))
    return np.array(Image.fromarray(pixels).resize((next(sides), next(sides)), Image.Resampling.BICUBIC))


def weights_of(place: Path, architecture: str) -> Mapping[str, Tensor]:
    """The backbone's weights from a safetensors file or a checkpoint's folder."""
    if not place.is_dir():
        return initial_state(architecture, str(place))
    tensors = CheckpointStore(place.parent).load(int(place.name.removeprefix("step-"))).tensors
    return {name.removeprefix(BACKBONE): value for name, value in tensors.items() if name.startswith(BACKBONE)}


def encoder_of(place: Path, architecture: str, view: int) -> TorchEncoder:
    """The encoder that reads mean and deviation of all hidden maps but the last, at one scale."""
    backbone = build_backbone(architecture)
    stages = tuple(range(len(backbone.stage_channels) - 1))
    spec = FeatureSpec(stages=stages, moments=("mean", "std"), scales=(1.0,), layer="hidden")
    config = EncoderConfig(architecture, spec, replace(backbone.preprocessing, view_size=view))
    return TorchEncoder.create(config, weights_of(place, architecture))


def fitted(features: AnyFeatures, quality: Vector, sessions: Sequence[str] | None) -> Ridge:
    """The package's regressor of human scores alone."""
    if sessions is None:
        return fit_ridge(features, quality, POOLED_PENALTY * features.shape[1])
    return fit_by_session(features, quality, sessions, SessionSettings())


def judged(rows: AnyFeatures, changed: AnyFeatures, table: MosTable, versions: Versions) -> np.ndarray:
    """(splits, figures), from features of the table's images and of the versions."""
    quality = even_scale(table.mos, float(table.mos.min()), float(table.mos.max())).position(table.mos)
    return np.array([_split(rows, changed, table, quality, versions, seed) for seed in range(SPLITS)])


def _split(
    rows: AnyFeatures, changed: AnyFeatures, table: MosTable, quality: Vector, versions: Versions, seed: int
) -> tuple[float, ...]:
    rng = np.random.default_rng([11, seed])
    tested, used = np.split(rng.permutation(len(table)), [len(table) // HELD_OUT])
    count = int(versions.photo.max()) + 1
    photos = rng.permutation(count)[: -(-count // 2)]
    sessions = None if table.sessions is None else [table.sessions[row] for row in used]
    ridge = fitted(rows[used], quality[used], sessions)
    scores = ridge.predict(changed)
    seen = np.isin(versions.photo, photos) & (versions.rank > VISIBLE)
    better, worse = versions.pairs[np.isin(versions.photo[versions.pairs[:, 0]], photos)].T
    return (
        srcc(ridge.predict(rows[tested]), table.mos[tested]),
        float(np.mean(scores[seen] < scores[versions.original[seen]])),
        float(np.mean(scores[worse] < scores[better])),
    )


def report(name: str, results: np.ndarray, start: np.ndarray | None) -> str:
    """Lines for one encoder: means and deviations over splits, and differences from the start."""
    lines = [name]
    for column, figure in enumerate(FIGURES):
        values = results[:, column]
        line = f"  {figure:<6} {values.mean():.4f} ± {values.std():.4f}"
        if start is not None:
            gains = values - start[:, column]
            line += f"   from the start {gains.mean():+.4f} ± {gains.std():.4f}, above in {int((gains > 0).sum())}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", metavar="WEIGHTS")
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--mos", required=True)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--view", type=int, default=256)
    parser.add_argument("--sessions", help="column of the rating session; without it all scores are fitted as one")
    options = parser.parse_args()
    table = read_mos_table(options.mos, session_column=options.sessions)
    table = table.take(np.sort(np.random.default_rng(17).permutation(len(table))[: options.rows]))
    versions = make_versions(discover([options.photos]), options.view)
    print(f"{len(table)} scores; {len(versions.images)} images of {versions.photo.max() + 1} photographs", flush=True)
    start = None
    for place in map(Path, options.weights):
        encoder = encoder_of(place, options.architecture, options.view)
        rows = np.stack([encoder.embed(decode(path, view_size=options.view).pixels) for path in table.paths])
        results = judged(rows, np.stack([encoder.embed(image) for image in versions.images]), table, versions)
        print(report(str(place), results, start), flush=True)
        start = results if start is None else start


if __name__ == "__main__":
    main()
