"""What a relational model knows of held-out photographs, beside full-reference measures on the same ranked sets.

    python benchmarks/relational.py examples/photos [--model NAME] [--sets 240] [--operators NAME,NAME …]

Photographs whose name holds a "_" are taken for degraded already and left out, and so are grey ones, in which operators
on colour change nothing. Sets are drawn as in training, from
another seed; --operators tests only those (say, the ones a model was trained without). It prints

- localisation: area under the ROC curve of Σ|group maps| for places whose damage is above half of the strongest against
  those below .05 of it, mean over pairs with such places and an intensity of at least 1;
- type: how often the group with the largest mean |map| is the one that was applied, one operator at a time, likewise;
- direction: how often the sign of a map is right where its target is beyond ±1;
- ranking: how often two distorted versions, one certainly worse, stand in that order against the best version;
- agreement: Spearman's correlation of score and consensus (VSI, FSIMc, MDSI, HaarPSI) over whole photographs,
  each against versions by every operator and every fault beyond the engine, at three strengths; and how often its
  sign was wrong.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import piq
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from torch import Tensor
from untouched import untouched_photos

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.images import decode
from shamisa_cli.core.models.loading import load_relational_networks
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.records import TARGETS
from shamisa_cli.core.relational.tiling import MULTIPLE
from shamisa_cli.core.training.random_crops import random_crop, stack_crops
from shamisa_cli.core.training.relational.consensus import consensus
from shamisa_cli.core.training.relational.extra_faults import EXTRA_FAULTS, add_fault
from shamisa_cli.core.training.relational.ordered_sets import OrderedSet, SetKind, draw_ordered_set

CROP = 256
VERSIONS = 4
STRENGTHS = (0.6, 2.0, 3.4)
KINDS: tuple[SetKind, ...] = ("ladder", "nested", "single")
LEAST_INTENSITY = 1.0
LEAST_COLOUR = 3
"""Levels of 255 between the channels of a pixel, on average."""

TONE = ("brightness", "contrast")
"""Groups of which no score that flips with the order of a pair can always know which side is the original."""

MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "PSNR": lambda a, b: piq.psnr(b, a, reduction="none"),
    "SSIM": lambda a, b: piq.ssim(b, a, reduction="none"),
    "FSIMc": lambda a, b: piq.fsim(b, a, reduction="none"),
    "VSI": lambda a, b: piq.vsi(b, a, reduction="none"),
    "MDSI": lambda a, b: -piq.mdsi(b, a, reduction="none"),
    "HaarPSI": lambda a, b: piq.haarpsi(b, a, reduction="none"),
}
"""(references, candidates) → the higher the better."""


@dataclass
class Tally:
    """What has been counted so far."""

    areas: list[float] = field(default_factory=list)
    types: dict[str, list[bool]] = field(default_factory=dict)
    signs: list[bool] = field(default_factory=list)
    orders: dict[str, list[bool]] = field(default_factory=dict)


def sets_of(
    photos: Sequence[Path], count: int, left_out: frozenset[str], seed: int
) -> Iterator[tuple[SetKind, OrderedSet]]:
    """`count` ordered sets of crops, the kinds in turn."""
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        photo = Image.fromarray(decode(photos[index % len(photos)]).pixels)
        scale = float(rng.uniform(0.25, 0.6))
        crop = stack_crops([random_crop(photo, scale, CROP, rng)])[0].float() / 255
        kind = KINDS[index % len(KINDS)]
        yield kind, draw_ordered_set(crop, VERSIONS, rng, kind=kind, left_out=left_out)


def judge(model: RelationalModel, kind: SetKind, found: OrderedSet, tally: Tally) -> None:
    """Compare every version with the best one."""
    pictures = (found.pictures * 255).round() / 255
    best = pictures[:1].expand(len(pictures) - 1, -1, -1, -1)
    with torch.inference_mode():
        maps, scores = model(best, pictures[1:])
    targets = found.targets[1:] - found.targets[:1]
    damage = found.damage[1:, 0] - found.damage[:1, 0]
    for version in range(len(scores)):
        groups, target = maps[version, : len(GROUPS)], targets[version]
        strongest = float(damage[version].max())
        if strongest < LEAST_INTENSITY:
            continue
        inside, outside = damage[version] > strongest / 2, damage[version] < 0.05 * strongest
        if inside.any() and outside.any() and kind != "single":
            used = inside | outside
            tally.areas.append(roc_auc_score(inside[used].numpy(), groups.abs().sum(dim=0)[used].numpy()))
        if kind == "single":
            region = found.regions[version + 1][0]
            applied = GROUPS[int(target[: len(GROUPS)].abs().amax(dim=(1, 2)).argmax())]
            seen = GROUPS[int(groups.abs().mean(dim=(1, 2)).argmax())]
            tally.types.setdefault(region.step.operator, []).append(seen == applied)
        certain = target.abs() > LEAST_INTENSITY
        tally.signs += (maps[version, : len(TARGETS)].sign() == target.sign())[certain].tolist()
    _rank(pictures, found, scores, tally)


def _rank(pictures: Tensor, found: OrderedSet, scores: Tensor, tally: Tally) -> None:
    first, second = (found.worse[1:, 1:]).nonzero(as_tuple=True)
    if not len(first):
        return
    tone = any(OPERATORS[region.step.operator].group in TONE for region in found.regions[-1])
    best = pictures[:1].expand(len(pictures) - 1, -1, -1, -1).contiguous()
    opinions = {"relational score": scores} | {name: measure(best, pictures[1:]) for name, measure in MEASURES.items()}
    for name, opinion in opinions.items():
        kept = (opinion[first] > opinion[second]).tolist()
        for row in (name, f"{name}, {'with' if tone else 'without'} brightness or contrast"):
            tally.orders.setdefault(row, []).extend(kept)


def shift_tolerance(model: RelationalModel, photos: Sequence[Path]) -> tuple[float, float]:
    """Mean |score| of a photograph against itself a pixel aside, and against itself slightly blurred (σ = 1)."""
    shifted, blurred = [], []
    for path in photos:
        picture = (
            stack_crops([Image.fromarray(decode(path, view_size=640).pixels).crop((0, 0, 401, 401))]).float() / 255
        )
        here, aside = picture[..., 1:, 1:], picture[..., :-1, :-1]
        kernel = torch.exp(-0.5 * torch.arange(-3.0, 4.0) ** 2)
        kernel = (kernel[:, None] * kernel / kernel.sum() ** 2).expand(3, 1, 7, 7)
        soft = F.conv2d(F.pad(here, [3] * 4, mode="replicate"), kernel, groups=3)
        with torch.inference_mode():
            shifted.append(float(model(here, aside)[1].abs()))
            blurred.append(float(model(here, soft)[1].abs()))
    return float(np.mean(shifted)), float(np.mean(blurred))


def agreement(model: RelationalModel, photos: Sequence[Path]) -> tuple[float, float]:
    """SRCC of score and consensus over all photographs and faults, and the share of candidates taken for better."""
    scores, opinions = [], []
    for number, path in enumerate(photos):
        photo = stack_crops([Image.fromarray(decode(path, view_size=512).pixels)]).float() / 255
        photo = photo[
            ..., : photo.shape[2] // MULTIPLE * MULTIPLE, : photo.shape[3] // MULTIPLE * MULTIPLE
        ].contiguous()
        for version in _versions(photo, number):
            seen = ((version * 255).round() / 255).contiguous()
            with torch.inference_mode():
                scores.append(float(model(photo, seen)[1]))
                opinions.append(float(consensus(photo, seen)))
    return float(spearmanr(scores, opinions)[0]), float(np.mean(np.array(scores) > 0))


def _versions(photo: Tensor, number: int) -> Iterator[Tensor]:
    """(1, 3, H, W) → one version after the other."""
    for kind, name in enumerate([*OPERATORS, *EXTRA_FAULTS]):
        for strength in STRENGTHS:
            if name in OPERATORS:
                generator = torch.Generator().manual_seed(kind)
                yield apply_operator(photo, name, (strength,), generator, angle=0.7, channel=kind % 3)
            else:
                yield add_fault(photo[0], np.random.default_rng([number, kind]), name=name, severity=strength)[None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="shamisa-relational")
    parser.add_argument("--sets", type=int, default=240)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--operators", type=lambda text: frozenset(text.split(",")), default=frozenset(OPERATORS))
    options = parser.parse_args()
    photos = untouched_photos(options.folder)
    photos = [path for path in photos if np.ptp(decode(path).pixels, axis=2).mean() > LEAST_COLOUR]
    model = load_relational_networks(options.model, runtime="torch").network  # type: ignore[attr-defined]
    tally = Tally()
    for kind, found in sets_of(photos, options.sets, frozenset(OPERATORS) - options.operators, options.seed):
        judge(model, kind, found, tally)
    hits = [hit for found in tally.types.values() for hit in found]
    print(f"localisation  AUC {np.mean(tally.areas):.3f} ({len(tally.areas)} pairs)")
    print(f"type          top-1 of 7 {np.mean(hits):.3f} ({len(hits)} pairs)")
    print(f"direction     {np.mean(tally.signs):.4f} of {len(tally.signs)} places")
    for name, correct in sorted(tally.orders.items(), key=lambda entry: entry[0].partition(",")[2]):
        print(f"ranking       {np.mean(correct):.4f} {name} ({len(correct)} pairs)")
    srcc, wrong = agreement(model, photos)
    print(f"agreement     SRCC {srcc:.3f} with the consensus, {wrong:.1%} of candidates taken for better")
    aside, soft = shift_tolerance(model, photos)
    print(f"a pixel aside {aside:.1f} points, blurred by sigma 1 {soft:.1f}")
    for name, found in sorted(tally.types.items(), key=lambda entry: np.mean(entry[1])):
        print(f"  {name:<22} {np.mean(found):.2f} of {len(found)}")


if __name__ == "__main__":
    main()
