"""Whether an image is a drawing in thin lines: pixels tell it better than features, for every model alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.remarks.tones import LUMA

VIEW = 512
"""Pixels on the long side; of images of twice as many and more, every second or so is read."""
GROUND = 0.45
"""Share of pixels of exactly one lightness, from which on it is the ground of a drawing."""
SAME = 2
"""Grey levels from the ground's within which a pixel belongs to it."""
SIDE = 9
"""Pixels on the side of a square that fits between lines, and not into one."""
SOLID, OPEN = 0.05, 0.3
"""Share of what is drawn in which such squares fit, at most, and of the ground, at least."""


def is_line_drawing(pixels: Pixels) -> bool:
    """Whether an image (H, W, 3) is thin lines on a ground of one lightness, as line art, plans and text are.

    A photograph of things before a white wall has such a ground too, but the things are solid; an overexposed one of
    grass has thin dark spots, but between them no open ground.
    """
    stride = max(1, max(pixels.shape) // VIEW)
    luma = (pixels[::stride, ::stride] @ LUMA + 0.5).astype(np.uint8)
    counts = np.bincount(luma.ravel(), minlength=256)
    ground = int(counts.argmax())
    if counts[ground] < GROUND * luma.size:
        return False
    drawn = np.abs(luma.astype(np.int16) - ground) > SAME
    return bool(drawn.any()) and _solid(drawn) <= SOLID and _solid(~drawn) >= OPEN


def _solid(part: npt.NDArray[np.bool_]) -> float:
    """Share of a part (H, W) around whose pixels a square belongs to it wholly; outside the image all does."""
    from scipy.ndimage import minimum_filter

    inner = minimum_filter(part, size=SIDE, mode="constant", cval=True)
    return float(np.count_nonzero(inner) / np.count_nonzero(part))
