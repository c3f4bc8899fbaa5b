"""A composition: distinct groups in random order, one operator of each, exactly one of them varying."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from shamisa_cli.core.distortions.operator import FloatArray
from shamisa_cli.core.distortions.registry import BY_GROUP, get_operator
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.groups import GROUPS, MAX_SEVERITY

SeverityLaw = Literal["half-normal", "uniform", "discrete"]

HALF_NORMAL_SIGMA = 2.5
"""Paper, section on the compositional engine: s ~ clip(|N(0, 2.5²)|, 0, 4)."""


@dataclass(frozen=True)
class AppliedOperator:
    """One operator of a composition.

    Attributes:
        operator: its name.
        severities: 0…4 as applied (after any rounding): one if fixed, L if it is the varying factor.
        angle: radians 0…2π, for operators with a direction.
        channel: 0, 1 or 2, for operators on one channel.
    """

    operator: str
    severities: tuple[float, ...]
    angle: float
    channel: int


@dataclass(frozen=True)
class Composition:
    """Steps in the order they are applied; `varying` is the index of the step with L severities."""

    steps: tuple[AppliedOperator, ...]
    varying: int

    @property
    def severities(self) -> tuple[float, ...]:
        """The L severities of the varying factor."""
        return self.steps[self.varying].severities


def draw_composition(
    levels: int,
    law: SeverityLaw,
    rng: np.random.Generator,
    *,
    most_operators: int = len(GROUPS),
    fixed_order: bool = False,
) -> Composition:
    """A random composition (paper, section on the compositional engine).

    n ~ U{1…7} distinct groups in random order, an operator of each drawn uniformly, one of the n varying.

    Args:
        levels: L, how many independent severities the varying factor takes.
        law: the law of all severities.
        rng: the only source of randomness.
        most_operators: 1…7, the largest n.
        fixed_order: apply the groups in the order of `GROUPS`.
    """
    count = int(rng.integers(1, most_operators + 1))
    groups = rng.permutation(len(GROUPS))[:count]
    if fixed_order:
        groups = np.sort(groups)
    varying = int(rng.integers(count))
    steps = []
    for position, group in enumerate(groups):
        candidates = BY_GROUP[GROUPS[group]]
        operator = candidates[int(rng.integers(len(candidates)))]
        steps.append(draw_step(operator.name, levels if position == varying else 1, law, rng))
    return Composition(tuple(steps), varying)


def draw_step(name: str, levels: int, law: SeverityLaw, rng: np.random.Generator) -> AppliedOperator:
    """A step of the named operator with `levels` random severities and random geometry."""
    severities = get_operator(name).applied_severity(draw_severities(levels, law, rng))
    angle = float(rng.uniform(0, 2 * math.pi))
    return AppliedOperator(name, tuple(float(severity) for severity in severities), angle, int(rng.integers(3)))


def draw_severities(count: int, law: SeverityLaw, rng: np.random.Generator) -> FloatArray:
    """`count` severities in 0…4 by the named law.

    Raises:
        SettingError: the law is not known.
    """
    if law == "half-normal":
        return np.clip(np.abs(rng.normal(0.0, HALF_NORMAL_SIGMA, count)), 0.0, MAX_SEVERITY)
    if law == "uniform":
        return rng.uniform(0.0, MAX_SEVERITY, count)
    if law == "discrete":
        return rng.integers(0, int(MAX_SEVERITY) + 1, count).astype(np.float64)
    raise SettingError(f"The severity law {law!r} is not known; known are {', '.join(get_args(SeverityLaw))}.")
