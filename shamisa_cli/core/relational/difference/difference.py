"""How visible the difference of two images is: a consensus of training-free measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from shamisa_cli.core.relational.difference.calibration import like_jpeg_quality, shipped
from shamisa_cli.core.relational.difference.gmsd import ms_gmsd
from shamisa_cli.core.relational.difference.haarpsi import haarpsi
from shamisa_cli.core.relational.difference.mdsi import mdsi
from shamisa_cli.core.relational.difference.measurement import Measurement
from shamisa_cli.core.relational.difference.planes import Image, checked_pair
from shamisa_cli.core.relational.difference.vsi import vsi

FACTOR = 2
"""By how much images of any size are reduced for VSI and MDSI.

Their papers' rule gives 2 on the images that they were tested on, of 384 to 512 pixels on the short side. On larger
ones it gives more, and a change of pixels would count for less the larger an image is.
"""

MEASURES: dict[str, Callable[[Image, Image], Measurement]] = {
    "vsi": partial(vsi, factor=FACTOR),
    "mdsi": partial(mdsi, factor=FACTOR),
    "haarpsi": haarpsi,
    "ms_gmsd": ms_gmsd,
}

STRIDE = 8
"""Pixels a side that share one value of the map."""

LEAST = 0.01
"""Difference of images that are not identical, where the measures see nothing."""


@dataclass(frozen=True)
class Difference:
    """How far two images are apart, whichever is the better.

    Attributes:
        value: 0…100. 0: identical pixels; below 3: not visible; 5, 10, 20 and 50: like a JPEG of quality 95, 90, 75
            and 20; near 100: another picture.
        measures: the same by each measure alone.
        local: (⌈H/8⌉, ⌈W/8⌉) float32, where it is; the mean of the map is `value`.
    """

    value: float
    measures: Mapping[str, float]
    local: npt.NDArray[np.float32]

    @property
    def like_jpeg_quality(self) -> int:
        """The JPEG quality 1…100 that would change a photograph as much."""
        return like_jpeg_quality(self.value)


def difference(a: Image, b: Image) -> Difference:
    """The difference of two images, RGB (H, W, 3) of one size, uint8 or float32 in 0…1; the same when swapped.

    Images of any size are seen pixel by pixel, and at a half to an eighth of their size. Much of the work is done in
    strips, so that memory beyond the images stays small.

    Raises SettingError for arrays that are not images of one size.
    """
    checked_a, checked_b = checked_pair(a, b)
    shape = (-(-a.shape[0] // STRIDE), -(-a.shape[1] // STRIDE))
    if np.array_equal(a, b):
        return Difference(0.0, dict.fromkeys(MEASURES, 0.0), np.zeros(shape, dtype=np.float32))
    found = {name: measure(checked_a, checked_b) for name, measure in MEASURES.items()}
    calibration = shipped()
    measures = {name: calibration.read(name, measurement.distance) for name, measurement in found.items()}
    value = max(LEAST, calibration.consensus(list(measures.values())))
    local = sum(measures[name] * _share(found[name], shape) for name in MEASURES)
    return Difference(value, measures, _with_mean(np.asarray(local, dtype=np.float32), value))


def _share(measurement: Measurement, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The change that a measure sees at each place of a grid (h, w), over its mean; 0 everywhere for none."""
    change = PillowImage.fromarray(np.maximum(1 - measurement.local, 0))
    resized = np.asarray(change.resize(shape[::-1], PillowImage.Resampling.BOX), dtype=np.float32)
    mean = float(resized.mean(dtype=np.float64))
    return resized / np.float32(mean) if mean > 0 else np.zeros(shape, dtype=np.float32)


def _with_mean(local: npt.NDArray[np.float32], wanted: float) -> npt.NDArray[np.float32]:
    """The map scaled to a mean; the same everywhere where it is 0 everywhere."""
    mean = float(local.mean(dtype=np.float64))
    if mean <= 0:
        return np.full(local.shape, wanted, dtype=np.float32)
    return np.asarray(local * np.float32(wanted / mean))
