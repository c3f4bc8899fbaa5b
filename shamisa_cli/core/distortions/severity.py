"""The laws severities are drawn from."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from shamisa_cli.core.distortions.groups import MAX_SEVERITY
from shamisa_cli.core.distortions.operator import FloatArray
from shamisa_cli.core.errors import SettingError

SeverityLaw = Literal["half-normal", "uniform", "discrete"]

HALF_NORMAL_SIGMA = 2.5
"""Paper, section on the compositional engine: s ~ clip(|N(0, 2.5²)|, 0, 4)."""


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
