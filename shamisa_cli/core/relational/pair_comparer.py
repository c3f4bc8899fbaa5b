"""Difference, direction and signed maps of a pair, put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.argument_words import MASKED, is_masked
from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.relational.direction.direction import WINDOW, Direction, most_changed
from shamisa_cli.core.relational.judgement import Judgement, Maps, PairResult, RelationalNetworks
from shamisa_cli.core.relational.records import MAPS, STRIDE


@dataclass(frozen=True)
class PairComparer:
    """A `Comparer`: the training-free difference, a direction, and the signed maps of relational networks.

    Attributes:
        networks: draw the maps.
        direction: says which image is better.
        identity: name of the relational model, and the revisions of both models.
    """

    networks: RelationalNetworks
    direction: Direction
    identity: ModelIdentity

    @classmethod
    def of(cls, networks: RelationalNetworks, direction: Direction, scorer: ModelIdentity) -> PairComparer:
        """Put networks together with the direction of a model that scores, on which every score depends too."""
        both = ModelIdentity(networks.identity.name, f"{networks.identity.revision}+{scorer.revision}")
        return cls(networks, direction, both)

    def judge(self, a: Pixels, b: Pixels) -> Judgement:
        """Difference and direction of two images, sRGB (H, W, 3) uint8 of one size; see `Comparer`."""
        a, b = _pair(a, b)
        found = difference(a, b)
        direction = self.direction.better(a, b, found.local) if found.value > 0 else 0.0
        return Judgement(found.value, direction, found.like_jpeg_quality, found.local)

    def relate(self, a: Pixels, b: Pixels, *, maps: bool = True) -> PairResult:
        """Judge two images, and find what changed; see `Comparer`."""
        a, b = _pair(a, b)
        judgement = self.judge(a, b)
        drawn = self.networks.maps(a, b) if maps else None
        return PairResult(self._means(a, b, judgement.local, drawn), judgement, drawn)

    def _means(
        self, a: Pixels, b: Pixels, local: npt.NDArray[np.float32], drawn: Maps | None
    ) -> npt.NDArray[np.float64]:
        """Mean intensities, from the window where the images differ most; elsewhere they change with the difference.

        They are the same with maps and without: of a large image maps are not taken, but of one that is all window.
        """
        if not local.any():
            return np.zeros(len(MAPS))
        top, left = most_changed(local, a.shape)
        first, second = (np.ascontiguousarray(image[top : top + WINDOW, left : left + WINDOW]) for image in (a, b))
        row, column, side = top // STRIDE, left // STRIDE, WINDOW // STRIDE
        inside = float(local[row : row + side, column : column + side].mean(dtype=np.float64))
        share = float(local.mean(dtype=np.float64)) / inside
        inner = drawn if drawn is not None and first.shape == a.shape else self.networks.maps(first, second)
        means: npt.NDArray[np.float64] = inner.mean(axis=(1, 2), dtype=np.float64)
        return means * min(1.0, share)


def _pair(a: Pixels, b: Pixels) -> tuple[Pixels, Pixels]:
    """Two arrays without what subclasses of NumPy's add. Raises SettingError unless they are images of one size."""
    for image in (a, b):
        if not isinstance(image, np.ndarray):
            raise SettingError(f"Two arrays of pixels are compared, and this is a {type(image).__name__}.")
        if is_masked(image):
            raise SettingError(f"Two arrays of pixels are compared, and this is {MASKED}.")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise SettingError(f"sRGB pixels (H, W, 3) of uint8 are compared, and this is {image.dtype} {image.shape}.")
    if a.shape != b.shape:
        raise SettingError(f"Two images of one size are compared, and these are {a.shape[:2]} and {b.shape[:2]}.")
    return np.asarray(a), np.asarray(b)
