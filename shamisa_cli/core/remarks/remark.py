"""Remarks on an image from its tones and its faults at 100 %, each beyond a threshold that few good images reach."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.full_size.record import AtFullSize

if TYPE_CHECKING:
    from shamisa_cli.core.arrays import Pixels
    from shamisa_cli.core.remarks.tones import Tones

BLACK_AND_WHITE, LOW_KEY = "black and white", "low key"
UNDEREXPOSED, OVEREXPOSED = "underexposed", "overexposed"
LOW_CONTRAST, HARSH_CONTRAST = "low contrast", "harsh contrast"
DESATURATED, OVERSATURATED = "desaturated", "oversaturated"
WARM, COOL, GREEN, MAGENTA = "warm cast", "cool cast", "green cast", "magenta cast"
MOTION_BLUR, OUT_OF_FOCUS = "motion blur", "out of focus"
NOISY, ARTEFACTS = "noisy", "compression artefacts"

ABOUT = {
    BLACK_AND_WHITE: "colour",
    LOW_KEY: "brightness",
    UNDEREXPOSED: "brightness",
    OVEREXPOSED: "brightness",
    LOW_CONTRAST: "contrast",
    HARSH_CONTRAST: "contrast",
    DESATURATED: "colour",
    OVERSATURATED: "colour",
    WARM: "colour",
    COOL: "colour",
    GREEN: "colour",
    MAGENTA: "colour",
    MOTION_BLUR: "blur",
    OUT_OF_FOCUS: "blur",
    NOISY: "noise",
    ARTEFACTS: "compression",
}
"""Every remark, in the order in which they are given, and the group of distortions that it speaks of.

The first two are no faults: without colour, and dark with lights in it, as at night.
"""
REMARKS = tuple(ABOUT)

DARKEST_LIGHTS, LIGHTEST = 168.0, 0.93
LEAST_RANGE, HARSHEST = 147.0, 227.0
LEAST_VIVID, MOST_OVERDONE = 0.17, 0.65
WARMEST, COOLEST, GREENEST, MOST_MAGENTA = 0.32, 0.1, 0.09, 0.075
LEAST_ARTEFACTS = 1.75
"""Beyond are about 5 % or fewer of three sets of photographs that nobody degraded (`benchmarks/remarks.py`)."""
BLACK = 15.0
"""Luma of the darkest hundredth of an image that is not flat, however narrow its range: a dark one."""
WITHOUT_COLOUR = 0.01
"""Share of pixels with colour in a black-and-white image, at most."""
DARK_MEDIAN, BRIGHT_LIGHTS = 40.0, 190.0
"""Luma of a low-key image: its median is below, its brightest 0.2 % above."""
SOFT, SLIGHTLY_SOFT, ONE_DIRECTION = 1.0, 0.3, 0.95
"""Severity of focus that is remarked on; that is enough if detail is lost along one direction, by so many octaves."""
LARGE = 1600
"""Pixels on the long side; texture fills every pixel of smaller images, which reads as noise."""
NOISE, NOISE_OF_SMALL = 1.5, 2.2


def require_remarks(names: Iterable[str]) -> None:
    """Raise SettingError for a name that is no remark."""
    for name in names:
        if name not in ABOUT:
            raise SettingError(f"There is no remark {name!r}; it can be {', '.join(REMARKS)}.")


def remarks_on(pixels: Pixels, at_full_size: AtFullSize | None, long_side: int) -> tuple[str, ...]:
    """Remarks on an image, in the order of `REMARKS`.

    Args:
        pixels: (H, W, 3), sRGB, as scored.
        at_full_size: faults at 100 %; None where there was no look at them.
        long_side: of the original, in pixels.
    """
    from shamisa_cli.core.remarks.tones import tones_of

    tones = tones_of(pixels)
    held = {**_exposure(tones), **_contrast(tones), **_colour(tones)}
    if at_full_size is not None:
        held |= _sharpness(at_full_size) | _artefacts(at_full_size, long_side)
        held[OVERSATURATED] = held.get(OVERSATURATED, False) and not held[NOISY]  # noise has colours of its own
    return tuple(remark for remark in REMARKS if held.get(remark, False))


def _exposure(tones: Tones) -> dict[str, bool]:
    low_key = tones.quantile(0.5) < DARK_MEDIAN and tones.quantile(0.998) > BRIGHT_LIGHTS
    return {
        LOW_KEY: low_key,
        UNDEREXPOSED: tones.lights < DARKEST_LIGHTS and not low_key,
        OVEREXPOSED: tones.lightness > LIGHTEST,
    }


def _contrast(tones: Tones) -> dict[str, bool]:
    flat = tones.whole_range < LEAST_RANGE and tones.quantile(0.01) > BLACK
    return {LOW_CONTRAST: flat, HARSH_CONTRAST: tones.harshness > HARSHEST}


def _colour(tones: Tones) -> dict[str, bool]:
    if tones.coloured < WITHOUT_COLOUR:
        return {BLACK_AND_WHITE: True}
    return {
        DESATURATED: tones.vivid < LEAST_VIVID,
        OVERSATURATED: tones.overdone > MOST_OVERDONE,
        WARM: tones.warmth > WARMEST,
        COOL: tones.warmth < -COOLEST,
        GREEN: tones.greenness > GREENEST,
        MAGENTA: tones.greenness < -MOST_MAGENTA,
    }


def _sharpness(look: AtFullSize) -> dict[str, bool]:
    softness, motion = look.focus or 0.0, look.motion or 0.0
    moved = softness >= SLIGHTLY_SOFT and motion >= ONE_DIRECTION
    return {MOTION_BLUR: moved, OUT_OF_FOCUS: softness >= SOFT and not moved}


def _artefacts(look: AtFullSize, long_side: int) -> dict[str, bool]:
    most = NOISE if long_side >= LARGE else NOISE_OF_SMALL
    return {NOISY: look.noise >= most, ARTEFACTS: look.compression >= LEAST_ARTEFACTS}
