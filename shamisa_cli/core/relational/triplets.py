"""Ordered sets: versions of one picture whose distortions are known at every pixel, and in which order they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.distortions.composition import Step, draw_step
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.masks import MASK_SHAPES, MaskShape, draw_mask
from shamisa_cli.core.distortions.operator import GROUPS, MAX_SEVERITY, Group
from shamisa_cli.core.distortions.registry import BY_GROUP, operator_named

Axis = Literal["sharpness", "tone", "contrast", "saturation"]
AXES: tuple[Axis, ...] = ("sharpness", "tone", "contrast", "saturation")

DIRECTIONS: dict[str, tuple[Axis, int]] = {
    **{operator.name: ("sharpness", -1) for operator in BY_GROUP["blur"]},
    "over-sharpen": ("sharpness", 1),
    "brighten": ("tone", 1),
    "mean shift up": ("tone", 1),
    "darken": ("tone", -1),
    "mean shift down": ("tone", -1),
    "contrast up": ("contrast", 1),
    "contrast down": ("contrast", -1),
    "non-linear contrast": ("contrast", -1),
    "Lab saturation": ("saturation", 1),
    "HSV saturation": ("saturation", -1),
}
"""Operators that move a picture along an axis with two ends, and towards which end."""

STRIDE = 8
"""Pixels a side that share one value of the target maps, and of the network's."""

MILDEST = 0.5
"""Intensity of an operator at severity 0: its mildest documented value is not the same as no distortion."""

CANCELLING: tuple[frozenset[Group], ...] = (frozenset({"blur", "contrast"}), frozenset({"brightness", "contrast"}))
"""Groups that can undo each other, so that adding one to the other need not make a picture worse."""

SetKind = Literal["ladder", "nested", "mixed"]
SET_KINDS: tuple[SetKind, ...] = ("ladder", "nested", "mixed")


@dataclass(frozen=True)
class Region:
    """One operator under one soft mask.

    Attributes:
        step: the operator, with one severity.
        mask: (H, W) in 0…1.
    """

    step: Step
    mask: Tensor

    @property
    def intensity(self) -> float:
        """0.5…4: how strong the operator is where the mask is 1."""
        return MILDEST + (MAX_SEVERITY - MILDEST) * self.step.severities[0] / MAX_SEVERITY


@dataclass(frozen=True)
class OrderedSet:
    """V versions of one picture.

    Attributes:
        pictures: (V, 3, H, W) float32, sRGB 0…1; the first is the best of them.
        groups: (V, 7, H/8, W/8) intensity 0…4 and above of each group's distortion at each place.
        axes: (V, 4, H/8, W/8) signed intensity along each axis.
        worse: (V, V) boolean; worse[i, j] says that j is certainly worse than i.
    """

    pictures: Tensor
    groups: Tensor
    axes: Tensor
    worse: Tensor


def distort_regions(picture: Tensor, regions: Sequence[Region], generator: torch.Generator) -> Tensor:
    """Apply each region's operator under its mask, one after the other: (3, H, W) → the same."""
    for region in regions:
        step = region.step
        changed = apply_operator(
            picture[None], step.operator, step.severities, generator, angle=step.angle, channel=step.channel
        )[0]
        picture = torch.lerp(picture, changed, region.mask)
    return picture


def target_maps(regions: Sequence[Region], height: int, width: int) -> tuple[Tensor, Tensor]:
    """What a network should see: intensities (7, H/8, W/8) by group and signed ones (4, H/8, W/8) by axis."""
    groups = torch.zeros(len(GROUPS), math.ceil(height / STRIDE), math.ceil(width / STRIDE))
    axes = torch.zeros(len(AXES), *groups.shape[1:])
    for region in regions:
        operator = operator_named(region.step.operator)
        amount = region.intensity * F.avg_pool2d(region.mask[None, None], STRIDE, ceil_mode=True)[0, 0]
        groups[GROUPS.index(operator.group)] += amount
        if operator.name in DIRECTIONS:
            axis, sign = DIRECTIONS[operator.name]
            axes[AXES.index(axis)] += sign * amount
    return groups, axes


def draw_region(
    group: Group, height: int, width: int, rng: np.random.Generator, *, left_out: frozenset[str] = frozenset()
) -> Region:
    """A random operator of the group under a random mask; `left_out` names operators that are not drawn."""
    names = [operator.name for operator in BY_GROUP[group] if operator.name not in left_out]
    step = draw_step(names[int(rng.integers(len(names)))], 1, "uniform", rng)
    return Region(step, draw_mask(_draw_shape(rng), height, width, rng))


def _draw_shape(rng: np.random.Generator) -> MaskShape:
    """The whole frame as often as all other shapes together."""
    return "whole" if rng.uniform() < 0.5 else MASK_SHAPES[int(rng.integers(1, len(MASK_SHAPES)))]


def draw_ordered_set(
    picture: Tensor,
    versions: int,
    rng: np.random.Generator,
    *,
    kind: SetKind | None = None,
    left_out: frozenset[str] = frozenset(),
) -> OrderedSet:
    """Make versions of one picture (method-relational: triplets and ordinally ranked sets).

    Now and then all versions share a distortion, so that the better side of a pair is not always pristine.

    Args:
        picture: (3, H, W), sRGB 0…1.
        versions: V, at least 2; the first has nothing but what all share.
        rng: the only source of randomness.
        kind: "ladder": the same regions, one severity growing; "nested": each version has one region more;
            "mixed": independent regions, of which only the first version's rank is certain. None draws one.
        left_out: operators that are not used.
    """
    height, width = picture.shape[1:]
    chosen = kind or SET_KINDS[int(rng.integers(len(SET_KINDS)))]
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

    def draw(group: Group) -> Region:
        return draw_region(group, height, width, rng, left_out=left_out)

    shared = [draw(group) for group in _draw_groups(1, rng)] if rng.uniform() < 0.3 else []
    start = distort_regions(picture, shared, generator)
    regions = _regions(chosen, versions, draw, rng)
    pictures = [start] + [distort_regions(start, own, generator) for own in regions[1:]]
    maps = [target_maps([*shared, *own], height, width) for own in regions]
    return OrderedSet(
        torch.stack(pictures),
        torch.stack([groups for groups, _ in maps]),
        torch.stack([axes for _, axes in maps]),
        _certain_order(chosen, versions),
    )


def _draw_groups(count: int, rng: np.random.Generator) -> list[Group]:
    return [GROUPS[index] for index in rng.permutation(len(GROUPS))[:count]]


def _regions(kind: SetKind, versions: int, draw, rng: np.random.Generator) -> list[list[Region]]:  # type: ignore[no-untyped-def]
    """Each version's own regions; the first has none."""
    if kind == "mixed":
        return [[]] + [[draw(group) for group in _draw_groups(int(rng.integers(1, 4)), rng)] for _ in range(versions - 1)]
    if kind == "nested":
        added = [draw(group) for group in _compatible_groups(versions - 1, rng)]
        return [added[: min(count, len(added))] for count in range(versions)]
    fixed = [draw(group) for group in _draw_groups(int(rng.integers(1, 4)), rng)]
    varying = int(rng.integers(len(fixed)))
    severities = _spaced_severities(versions - 1, rng)
    return [[]] + [_with_severity(fixed, varying, severity) for severity in severities]


def _compatible_groups(count: int, rng: np.random.Generator) -> list[Group]:
    """Distinct groups none of which can undo another."""
    chosen: list[Group] = []
    for group in _draw_groups(len(GROUPS), rng):
        if not any({group, other} == pair for pair in CANCELLING for other in chosen):
            chosen.append(group)
    return chosen[:count]


def _spaced_severities(count: int, rng: np.random.Generator) -> list[float]:
    """Rising severities 0…4 with room between them."""
    gaps = rng.uniform(0.5, 1.5, count + 1)
    return list((np.cumsum(gaps)[:-1] / gaps.sum() * MAX_SEVERITY).tolist())


def _with_severity(regions: Sequence[Region], index: int, severity: float) -> list[Region]:
    region = regions[index]
    applied = operator_named(region.step.operator).applied_severity(np.array([severity]))
    step = Step(region.step.operator, (float(applied[0]),), region.step.angle, region.step.channel)
    return [*regions[:index], Region(step, region.mask), *regions[index + 1 :]]


def _certain_order(kind: SetKind, versions: int) -> Tensor:
    worse = torch.ones(versions, versions, dtype=torch.bool).triu(1)
    if kind == "mixed":
        worse[1:] = False
    return worse
