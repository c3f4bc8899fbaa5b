"""Ordered sets: versions of one image whose distortions are known at every pixel, with their order of quality."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.distortions.composition import AppliedOperator, draw_step
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.masks import MASK_SHAPES, MaskShape, draw_mask
from shamisa_cli.core.distortions.registry import BY_GROUP, get_operator
from shamisa_cli.core.groups import GROUPS, MAX_SEVERITY, Group
from shamisa_cli.core.relational.records import STRIDE, TARGETS
from shamisa_cli.core.training.relational.extra_faults import add_fault

DIRECTIONS: dict[str, tuple[tuple[str, int], ...]] = {
    **{operator.name: ((operator.group, 1),) for group in GROUPS for operator in BY_GROUP[group]},
    "over-sharpen": (("blur", -1),),
    "darken": (("brightness", -1),),
    "mean shift down": (("brightness", -1),),
    "contrast down": (("contrast", -1),),
    "non-linear contrast": (("contrast", -1),),
    "Lab saturation": (("colour", 1), ("saturation", 1)),
    "HSV saturation": (("colour", 1), ("saturation", -1)),
}
"""Maps that each operator changes, and in which direction. Sharper and blurrier, darker and brighter, less and more
contrast are two ends of one map each; of colour, compression, noise and spatial faults there is only more."""


MILDEST = 0.5
"""Intensity of most operators at severity 0, since their mildest documented value is a visible distortion."""

IDLE_AT_ZERO = frozenset(
    {"gaussian blur", "Lab saturation", "mean shift down", "mean shift up", "contrast down", "contrast up", "jitter"}
)
"""Operators that leave an image unchanged, or nearly, at severity 0."""

CANCELLING: tuple[frozenset[Group], ...] = (
    frozenset({"blur", "contrast"}),
    frozenset({"brightness", "contrast"}),
    frozenset({"blur", "noise"}),
    frozenset({"blur", "compression"}),
    frozenset({"blur", "spatial"}),
)
"""Pairs of groups that can undo or hide each other, so that adding one need not make an image with the other worse."""

NOTICED = 1.0
"""Least severity of an additional distortion that is certainly visible."""

SHARED = 0.3
"""Probability that all versions of a set share a distortion."""

SetKind = Literal["ladder", "nested", "mixed", "single", "disturbed"]
SET_KINDS: dict[SetKind, float] = {"ladder": 0.2, "nested": 0.15, "mixed": 0.15, "single": 0.25, "disturbed": 0.25}
"""Kinds of ordered sets, and their probabilities."""


@dataclass(frozen=True)
class MaskedOperator:
    """One operator under one soft mask.

    Attributes:
        step: the operator, with one severity.
        mask: (H, W) in 0…1.
    """

    step: AppliedOperator
    mask: Tensor

    @property
    def intensity(self) -> float:
        """Intensity, 0…4, of the operator where the mask is 1."""
        mildest = 0.0 if self.step.operator in IDLE_AT_ZERO else MILDEST
        return mildest + (MAX_SEVERITY - mildest) * self.step.severities[0] / MAX_SEVERITY


@dataclass(frozen=True)
class OrderedSet:
    """V versions of one picture.

    Attributes:
        pictures: (V, 3, H, W) float32, sRGB 0…1; the first is the best of them.
        regions: distortions of each version, in order; the first has only those that all versions share. Empty for
            extra faults, whose maps are unknown.
        targets: (V, 8, H/8, W/8) signed intensity of each of `TARGETS` at each position; nan where unknown.
        damage: (V, 1, H/8, W/8) intensity of all distortions together, whatever their direction; nan likewise.
        worse: (V, V) boolean; worse[i, j] means that j is certainly worse than i.
    """

    pictures: Tensor
    regions: tuple[tuple[MaskedOperator, ...], ...]
    targets: Tensor
    damage: Tensor
    worse: Tensor


def distort_regions(picture: Tensor, regions: Sequence[MaskedOperator], generator: torch.Generator) -> Tensor:
    """Apply each region's operator under its mask, one after the other: (3, H, W) → the same."""
    for region in regions:
        step = region.step
        changed = apply_operator(
            picture[None], step.operator, step.severities, generator, angle=step.angle, channel=step.channel
        )[0]
        picture = torch.lerp(picture, changed, region.mask)
    return picture


def target_maps(regions: Sequence[MaskedOperator], height: int, width: int) -> tuple[Tensor, Tensor]:
    """Compute the target maps of distorted regions.

    Args:
        regions: the distortions of one version.
        height, width: of the picture, in pixels.

    Returns:
        Signed intensities (8, ⌈H/8⌉, ⌈W/8⌉) of `TARGETS`, and the intensity ≥ 0 of all distortions together
        (1, ⌈H/8⌉, ⌈W/8⌉).
    """
    targets = torch.zeros(len(TARGETS), math.ceil(height / STRIDE), math.ceil(width / STRIDE))
    damage = torch.zeros(1, *targets.shape[1:])
    for region in regions:
        amount = region.intensity * F.avg_pool2d(region.mask[None, None], STRIDE, ceil_mode=True)[0, 0]
        damage += amount
        for name, sign in DIRECTIONS[region.step.operator]:
            targets[TARGETS.index(name)] += sign * amount
    return targets, damage


def draw_region(
    group: Group, height: int, width: int, rng: np.random.Generator, *, left_out: frozenset[str] = frozenset()
) -> MaskedOperator:
    """Draw a random operator of the group and a random mask; `left_out` names operators that are not drawn."""
    names = [operator.name for operator in BY_GROUP[group] if operator.name not in left_out]
    step = draw_step(names[int(rng.integers(len(names)))], 1, "uniform", rng)
    return MaskedOperator(step, draw_mask(_draw_shape(rng), height, width, rng))


def _draw_shape(rng: np.random.Generator) -> MaskShape:
    """Draw a shape; the whole frame is as likely as all others together."""
    return "whole" if rng.uniform() < 0.5 else MASK_SHAPES[int(rng.integers(1, len(MASK_SHAPES)))]


def draw_ordered_set(
    picture: Tensor,
    versions: int,
    rng: np.random.Generator,
    *,
    kind: SetKind | None = None,
    left_out: frozenset[str] = frozenset(),
) -> OrderedSet:
    """Make versions of one image (method-relational: triplets and ordinally ranked sets).

    Sometimes all versions share a distortion, so that the better image of a pair is not always pristine.

    Args:
        picture: (3, H, W), sRGB 0…1.
        versions: V, 2…8; the first has only the shared distortion.
        rng: the only source of randomness.
        kind: "ladder": the same regions, one severity increasing; "nested": each version has one more region;
            "mixed": independent regions, of which only the first version's rank is certain; "single": one operator
            each over the whole frame, of different groups; "disturbed": faults outside the engine.
            None draws one.
        left_out: operators that are not used.
    """
    chosen = kind or list(SET_KINDS)[int(rng.choice(len(SET_KINDS), p=list(SET_KINDS.values())))]
    height, width = picture.shape[1:]
    worse = _certain_order(chosen, versions)
    if chosen == "disturbed":
        pictures = torch.stack([picture, *(add_fault(picture, rng) for _ in range(versions - 1))])
        unknown = torch.full(
            (versions, len(TARGETS) + 1, math.ceil(height / STRIDE), math.ceil(width / STRIDE)), math.nan
        )
        return OrderedSet(pictures, (), unknown[:, :-1], unknown[:, -1:], worse)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

    def draw(group: Group) -> MaskedOperator:
        region = draw_region(group, height, width, rng, left_out=left_out)
        return MaskedOperator(region.step, torch.ones(height, width)) if chosen == "single" else region

    shares = chosen != "single" and rng.uniform() < SHARED
    shared = [draw(group) for group in _draw_groups(1, rng)] if shares else []
    start = distort_regions(picture, shared, generator)
    own = _regions(chosen, versions, draw, rng)
    pictures = torch.stack([start, *(distort_regions(start, regions, generator) for regions in own[1:])])
    regions = tuple((*shared, *added) for added in own)
    maps = [target_maps(done, height, width) for done in regions]
    return OrderedSet(
        pictures,
        regions,
        torch.stack([targets for targets, _ in maps]),
        torch.stack([damage for _, damage in maps]),
        worse,
    )


def _draw_groups(count: int, rng: np.random.Generator) -> list[Group]:
    return [GROUPS[index] for index in rng.permutation(len(GROUPS))[:count]]


def _regions(
    kind: SetKind, versions: int, draw: Callable[[Group], MaskedOperator], rng: np.random.Generator
) -> list[list[MaskedOperator]]:
    """Regions of each version beside the shared ones; the first has none."""
    if kind == "mixed":
        return [[]] + [
            [draw(group) for group in _draw_groups(int(rng.integers(1, 4)), rng)] for _ in range(versions - 1)
        ]
    if kind == "single":
        return [[], *([draw(group)] for group in _draw_groups(versions - 1, rng))]
    if kind == "nested":
        added = [_at_least(draw(group), NOTICED) for group in _compatible_groups(versions - 1, rng)]
        return [added[: min(count, len(added))] for count in range(versions)]
    fixed = [draw(group) for group in _compatible_groups(int(rng.integers(1, 4)), rng)]
    varying = int(rng.integers(len(fixed)))
    severities = _spaced_severities(versions - 1, rng)
    return [[]] + [_with_severity(fixed, varying, severity) for severity in severities]


def _compatible_groups(count: int, rng: np.random.Generator) -> list[Group]:
    """Draw distinct groups, none of which can undo another."""
    chosen: list[Group] = []
    for group in _draw_groups(len(GROUPS), rng):
        if not any({group, other} == pair for pair in CANCELLING for other in chosen):
            chosen.append(group)
    return chosen[:count]


def _at_least(region: MaskedOperator, severity: float) -> MaskedOperator:
    """The region with its severity mapped to the range above `least`."""
    share = region.step.severities[0] / MAX_SEVERITY
    return _with_severity([region], 0, severity + (MAX_SEVERITY - severity) * share)[0]


def _spaced_severities(count: int, rng: np.random.Generator) -> list[float]:
    """Draw rising severities 0…4 with a least distance."""
    gaps = rng.uniform(0.5, 1.5, count + 1)
    return list((np.cumsum(gaps)[:-1] / gaps.sum() * MAX_SEVERITY).tolist())


def _with_severity(regions: Sequence[MaskedOperator], index: int, severity: float) -> list[MaskedOperator]:
    region = regions[index]
    applied = get_operator(region.step.operator).applied_severity(np.array([severity]))
    step = AppliedOperator(region.step.operator, (float(applied[0]),), region.step.angle, region.step.channel)
    return [*regions[:index], MaskedOperator(step, region.mask), *regions[index + 1 :]]


def _certain_order(kind: SetKind, versions: int) -> Tensor:
    worse = torch.ones(versions, versions, dtype=torch.bool).triu(1)
    if kind not in ("ladder", "nested"):
        worse[1:] = False
    return worse
