"""Brightness: tone curves up and down, mean shift up and down."""

from __future__ import annotations

from torch import Tensor

from shamisa_cli.core.distortions.operator import Operator, OperatorContext, column


def brighten(pictures: Tensor, amount: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Tone curve that keeps black and white and lifts mid-grey to 0.5 + 0.5·tanh(amount)."""
    return _tone_curve(pictures, column((2 * amount).exp(), pictures))


def darken(pictures: Tensor, amount: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """The mirror of `brighten`: mid-grey falls to 0.5 − 0.5·tanh(amount)."""
    return _tone_curve(pictures, column((-2 * amount).exp(), pictures))


def _tone_curve(pictures: Tensor, slope: Tensor) -> Tensor:
    """Rational curve from (0, 0) to (1, 1) with `slope` at black (Schlick's bias function, 1994)."""
    return slope * pictures / (1 + (slope - 1) * pictures)


def mean_shift(pictures: Tensor, amount: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """`amount`, positive or negative, added to every value."""
    return pictures + column(amount, pictures)


OPERATORS = (
    Operator("brighten", "brightness", (0.1, 0.2, 0.4, 0.7, 1.1), brighten),
    Operator("darken", "brightness", (0.05, 0.1, 0.2, 0.4, 0.8), darken),
    Operator("mean shift down", "brightness", (0, -0.08, -0.115, -0.15, -0.185), mean_shift),
    Operator("mean shift up", "brightness", (0, 0.08, 0.115, 0.15, 0.185), mean_shift),
)
