"""The result of one measure of two images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Measurement:
    """How far two images are apart by one measure.

    Attributes:
        distance: 0 for identical images, else above 0 up to about 1.
        local: (h, w) float32 on a grid over the image, similarity at each place: 1 where nothing changed.
    """

    distance: float
    local: npt.NDArray[np.float32]

    @property
    def similarity(self) -> float:
        """1 − distance."""
        return 1.0 - self.distance
