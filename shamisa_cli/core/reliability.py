"""Reasons why a score cannot be relied on."""

from __future__ import annotations

from collections.abc import Sequence

LOW_RESOLUTION = "low resolution"
EXTREME_SHAPE = "extreme shape"
UNFAMILIAR = "unfamiliar picture"
"""Unlike the photographs that the probe was fitted on."""

LEAST_LONG_SIDE = 224
"""Pixels; smaller pictures show too little to judge, and the features were made for crops of this size."""
MOST_EXTREME = 4.0
"""Long side divided by the short side; beyond, a picture at the view size is a strip a few pixels wide."""

UNRELIABLE_STRETCH = 2.0
"""By how much the interval of an unreliable score is stretched on both sides."""


def reliability_reasons(width: int | None, height: int | None, *, familiar: bool = True) -> tuple[str, ...]:
    """Reasons to doubt the score of a picture; none if it can be relied on.

    Args:
        width, height: in pixels, where known.
        familiar: whether the model knows this kind of picture.
    """
    reasons: tuple[str, ...] = ()
    if width and height:
        long, short = max(width, height), min(width, height)
        reasons += (LOW_RESOLUTION,) if long < LEAST_LONG_SIDE else ()
        reasons += (EXTREME_SHAPE,) if long > MOST_EXTREME * short else ()
    return reasons if familiar else (*reasons, UNFAMILIAR)


def describe_warnings(path: str, warnings: Sequence[str]) -> str:
    """Sentence on an odd file, without its full stop: "a.jpg has a run of zeros …"; empty without warnings."""
    return f"{path} {'; '.join(warnings)}" if warnings else ""


def describe_odd(described: Sequence[str]) -> tuple[str, ...]:
    """A sentence on odd files, of which each is described: the first, and how many others; none without any."""
    each = list(dict.fromkeys(described))
    others = len(each) - 1
    more = f"; {others:,} other picture{' is' if others == 1 else 's are'} odd too" if others > 0 else ""
    return tuple(f"{first}{more}." for first in each[:1])
