"""The kinds of arrays that pass between modules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pixels = NDArray[np.uint8]
"""An image (H, W, 3), sRGB, upright."""

Features = NDArray[np.float32]
"""Features (n, D) of n images, one row per image."""

FeatureVector = NDArray[np.float32]
"""Features (D,) of one image."""

AnyFeatures = NDArray[np.float32] | NDArray[np.float64]
"""Features (n, D) in either precision, for what fits to them."""

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
"""Numbers of one and of two dimensions in double precision."""


def as_halves(values: ArrayLike) -> NDArray[Any]:
    """Numbers as float16; those too small for it are 0, also where the process lets NumPy raise for an underflow."""
    with np.errstate(under="ignore"):
        return np.ascontiguousarray(values, dtype="<f2")
