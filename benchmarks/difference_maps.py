"""Train the later stages of an encoder to see how far a picture is from its original, without the original (ours).

    python benchmarks/difference_maps.py PRISTINE --real PHOTOS --architecture efficientnet_lite0 --init START \
        -o trained.safetensors [--frozen 6] [--steps 260] [--crops 500] [--without OPERATOR...]

Crops of undistorted photographs and five versions of each, by one or two operators, are compared by the difference
of `shamisa compare` (VSI, MDSI, HaarPSI and MS-GMSDc), which gives a map. A linear head on every hidden map regresses
it from the version alone. The first stages are not trained, so their maps are made once. On undistorted crops and on
ordinary photographs the pooled means of all maps are kept near the start's. No human score is used.

--without names operators that are not trained on, so that benchmarks/unseen_distortions.py can judge by them.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.distortions.registry import OPERATORS, get_operator
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.networks.backbones import Backbone, build_backbone
from shamisa_cli.core.networks.features import normalised
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.training.direction.versions import operated
from shamisa_cli.core.training.optimiser import annealed
from shamisa_cli.core.training.pretraining.retention import retention_loss
from shamisa_cli.core.training.random_crops import random_crop

CROP, VERSIONS, CROPS_A_PHOTO, OTHERS = 128, 5, 3, 600
TWO_OPERATORS = 0.2
"""Share of the versions that two operators make."""
LEAST_SEVERITY, MOST_ALONE, MOST_OF_TWO = 0.3, 4.0, 2.5
CROPS_A_STEP = 8
RATE, HEAD_RATE, HEADS_FIRST, WARMUP = 1e-4, 3e-3, 40, 20
RETENTION = 5.0
USUAL = 50.0
"""Difference that is 1 for the heads."""


@dataclass(frozen=True)
class Material:
    """What is trained on, as maps of the first stages.

    Attributes:
        maps: (n, 1 + VERSIONS, C, h, w) float16: undistorted crops, each followed by its versions.
        targets: (n, 1 + VERSIONS, CROP / 8, CROP / 8) float32, differences over `USUAL`.
        others: (K, C, h, w) float16, crops of ordinary photographs.
    """

    maps: Tensor
    targets: Tensor
    others: Tensor


class Later(nn.Module):
    """The stages of a backbone from `first` to the last but one, and a head for each hidden map."""

    def __init__(self, backbone: Backbone, first: int, scales: Sequence[tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.backbone, self.first = backbone, first
        stages = backbone.stage_modules()
        backbone.requires_grad_(False)
        for stage in stages[first:-1]:
            stage.requires_grad_(True)
        self.scales = scales
        self.heads = nn.ModuleList(nn.Conv2d(len(mean), 1, 1) for mean, _ in scales)

    def forward(self, maps: Tensor) -> list[Tensor]:
        """Hidden maps (N, C_k, h_k, w_k), from the maps (N, C, h, w) before the first trained stage."""
        return hidden_maps(self.backbone, self.first, maps)

    def differences(self, hidden: Sequence[Tensor]) -> Iterator[Tensor]:
        """The differences (N, 1, h_k, w_k) that each head sees."""
        for hidden_map, head, (mean, scale) in zip(hidden, self.heads, self.scales, strict=True):
            yield head((hidden_map - mean[:, None, None]) / scale[:, None, None])


def hidden_maps(backbone: Backbone, first: int, maps: Tensor) -> list[Tensor]:
    """Hidden maps of the stages from `first` to the last but one."""
    found = []
    for stage in backbone.stage_modules()[first:-1]:
        hidden, maps = backbone.read_stage(stage, maps)
        found.append(hidden)
    return found


@torch.no_grad()
def early_maps(backbone: Backbone, first: int, crops: Sequence[Pixels]) -> Tensor:
    """(n, C, h, w) float16 after the stages before `first`."""
    found = []
    for start in range(0, len(crops), 16):
        pixels = torch.from_numpy(np.stack(crops[start : start + 16])).permute(0, 3, 1, 2).float() / 255
        maps = normalised(pixels, backbone.preprocessing).contiguous(memory_format=torch.channels_last)
        for stage in backbone.stage_modules()[:first]:
            maps = stage(maps)
        found.append(maps.half())
    return torch.cat(found)


def versions_of(crop: Pixels, operators: Sequence[str], rng: np.random.Generator) -> Iterator[Pixels]:
    """Versions of a crop by one operator, or by two of different groups."""
    for _ in range(VERSIONS):
        names = [operators[place] for place in rng.permutation(len(operators))[: 1 + (rng.random() < TWO_OPERATORS)]]
        if len({get_operator(name).group for name in names}) < len(names):
            names = names[:1]
        version, most = crop, MOST_ALONE if len(names) == 1 else MOST_OF_TWO
        for name in names:
            version = operated(version, name, float(rng.uniform(LEAST_SEVERITY, most)), rng)
        yield version


def make_material(
    backbone: Backbone,
    first: int,
    pristine: Sequence[Path],
    real: Sequence[Path],
    operators: Sequence[str],
    count: int,
    rng: np.random.Generator,
) -> Material:
    """Cut `count` crops, distort and measure them, and run the first stages."""
    crops: list[Pixels] = []
    targets: list[np.ndarray] = []
    while len(targets) < count * (1 + VERSIONS):
        photo = Image.fromarray(decode(pristine[int(rng.integers(len(pristine)))]).pixels)
        for _ in range(CROPS_A_PHOTO):
            crop = np.asarray(random_crop(photo, float(rng.choice([1, 0.5])), CROP, rng))
            family = [crop, *versions_of(crop, operators, rng)]
            crops += family
            targets += [difference(crop, version).local / USUAL for version in family]
    chosen = rng.choice(len(real), min(OTHERS, len(real)), replace=False)
    photos = (Image.fromarray(decode(real[place]).pixels) for place in chosen)
    others = [np.asarray(random_crop(photo, float(rng.choice([1, 0.5])), CROP, rng)) for photo in photos]
    maps, wanted = early_maps(backbone, first, crops), torch.from_numpy(np.stack(targets))
    maps, wanted = (each.view(-1, 1 + VERSIONS, *each.shape[1:]) for each in (maps, wanted))
    return Material(maps, wanted, early_maps(backbone, first, others))


def standard_scales(hidden: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Mean and scale (C_k,) of each map's channels, so that standardised rows have about unit norm."""
    scales = []
    for hidden_map in hidden:
        spread = hidden_map.std(dim=(0, 2, 3)).clamp_min(0.3 * float(hidden_map.std()))
        scales.append((hidden_map.mean(dim=(0, 2, 3)), spread * math.sqrt(hidden_map.shape[1])))
    return scales


def losses(later: Later, start: Backbone, material: Material, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The error of the heads, each map's and its mean change from the original's, and retention, of one step."""
    chosen = rng.choice(len(material.maps), CROPS_A_STEP, replace=False)
    beside = rng.integers(len(material.others), size=CROPS_A_STEP)
    maps = torch.cat([material.maps[chosen].flatten(0, 1), material.others[beside]]).float()
    maps = maps.contiguous(memory_format=torch.channels_last)
    targets = material.targets[chosen]
    count = targets.shape[0] * targets.shape[1]
    hidden = later(maps)
    errors = []
    for seen in later.differences([hidden_map[:count] for hidden_map in hidden]):
        wanted = F.adaptive_avg_pool2d(targets, (seen.shape[2], seen.shape[3]))
        given = seen.view_as(wanted)
        change, wanted_change = ((side[:, 1:] - side[:, :1]).mean(dim=(2, 3)) for side in (given, wanted))
        errors.append(F.smooth_l1_loss(given, wanted, beta=0.3) + F.smooth_l1_loss(change, wanted_change, beta=0.2))
    kept = torch.cat([torch.arange(0, count, 1 + VERSIONS), torch.arange(count, len(maps))])
    with torch.no_grad():
        before = hidden_maps(start, later.first, maps[kept].contiguous(memory_format=torch.channels_last))
    means = [[each.mean(dim=(2, 3)) for each in side] for side in ([each[kept] for each in hidden], before)]
    return torch.stack(errors).mean(), retention_loss(*means) / len(hidden)


def train(later: Later, start: Backbone, material: Material, steps: int, rng: np.random.Generator) -> None:
    """Train for a number of steps; the heads alone at first."""
    encoder = [parameter for parameter in later.backbone.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": encoder}, {"params": list(later.heads.parameters())}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0)
    begun = time.process_time()
    for step in range(steps):
        share = min(1.0, (step + 1) / WARMUP) * annealed(1.0, 0.0, step / steps)
        optimiser.param_groups[0]["lr"] = RATE * share if step >= HEADS_FIRST else 0.0
        optimiser.param_groups[1]["lr"] = HEAD_RATE * share
        error, kept = losses(later, start, material, rng)
        optimiser.zero_grad(set_to_none=True)
        (error + RETENTION * kept).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % 20 == 19:
            spent = time.process_time() - begun
            print(f"{step + 1} steps, error {error.item():.3f}, retention {kept.item():.4f}, {spent:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pristine")
    parser.add_argument("--real", required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--init", required=True)
    parser.add_argument("--output", "-o", required=True)
    parser.add_argument("--frozen", type=int, default=6)
    parser.add_argument("--steps", type=int, default=260)
    parser.add_argument("--crops", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", nargs="*", default=[], choices=tuple(OPERATORS), metavar="OPERATOR")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    start = build_backbone(options.architecture)
    start.load_state_dict(initial_state(options.architecture, options.init))
    start.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    operators = [name for name in OPERATORS if name not in options.without]
    pools = discover([options.pristine]), discover([options.real])
    material = make_material(start, options.frozen, *pools, operators, options.crops, rng)
    with torch.no_grad():
        scales = standard_scales(hidden_maps(start, options.frozen, material.maps[:40].flatten(0, 1).float()))
    later = Later(copy.deepcopy(start), options.frozen, scales)
    train(later, start, material, options.steps, rng)
    save_file({name: value.contiguous() for name, value in later.backbone.state_dict().items()}, options.output)


if __name__ == "__main__":
    main()
