"""Reasons why a score cannot be relied on, which do not depend on the model."""

from __future__ import annotations

LOW_RESOLUTION = "low resolution"
EXTREME_SHAPE = "extreme shape"

LEAST_LONG_SIDE = 224
"""Pixels; smaller pictures show too little to judge, and the features were made for crops of this size."""
MOST_EXTREME = 4.0
"""Long side divided by the short side; beyond, a picture at the view size is a strip a few pixels wide."""


def reliability_reasons(width: int | None, height: int | None) -> tuple[str, ...]:
    """Reasons to doubt the score of a picture of this size in pixels; none if it can be relied on."""
    if not width or not height:
        return ()
    long, short = max(width, height), min(width, height)
    reasons = ((LOW_RESOLUTION, long < LEAST_LONG_SIDE), (EXTREME_SHAPE, long > MOST_EXTREME * short))
    return tuple(reason for reason, holds in reasons if holds)
