"""Versions of pristine photographs by the engine, codecs and faults of cameras, marked by measures (ours)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.stats import rankdata

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.distortions.registry import BY_GROUP, OPERATORS
from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.groups import GROUPS, MAX_SEVERITY
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.probe.pseudo import PseudoLabels, PseudoSettings
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.training.direction.damages import DAMAGES
from shamisa_cli.core.training.direction.versions import operated

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder

SIZE = 512
"""Pixels; long side at which photographs are degraded and measured, as the images the measures were tested on."""
FILES_AND_FAULTS = (
    "JPEG file",
    "JPEG file",
    "WebP",
    "AVIF",
    "out of focus",
    "sensor noise",
    "Gaussian noise",
    "reduced",
)
PAIRS = 4
"""Versions that go through operators of two groups."""
LEAST_SEVERITY = 0.5
MOST_IN_PAIRS = 3.0


def pseudo_labels(
    encoder: Embedder,
    photos: Sequence[Path],
    settings: PseudoSettings,
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _photos: None,
) -> PseudoLabels:
    """Make versions of photographs, embed them, and rank them by their difference from the original.

    Args:
        encoder: reads originals and versions, at its view size.
        photos: pristine photographs, of which `settings.photos` are drawn; those that cannot be read are skipped.
        settings: how many photographs, and what their versions weigh.
        seed: decides which photographs and which versions.
        advance: called with 1 after each photograph.

    Raises:
        SettingError: no photograph can be read.
    """
    order = np.random.default_rng(seed).permutation(len(photos))[: settings.photos]
    originals, versions, changes, shown = [], [], [], []
    for place in order.tolist():
        try:
            pixels = decode(photos[place], view_size=SIZE).pixels
        except ImageError:
            continue
        finally:
            advance(1)
        original = encoder.embed(_viewed(pixels, encoder))
        for version in versions_of(pixels, np.random.default_rng([seed, place])):
            originals.append(original)
            versions.append(encoder.embed(_viewed(version, encoder)))
            changes.append(difference(pixels, version).value)
            shown.append(place)
    if not shown:
        raise SettingError("None of the photographs for pseudo-labels can be read; name a folder of good ones.")
    rank = rankdata(changes) / len(changes)
    return PseudoLabels(np.stack(versions), np.stack(originals), rank, np.array(shown, dtype=np.int64), settings)


def versions_of(pixels: Pixels, rng: np.random.Generator) -> Iterator[Pixels]:
    """Every operator once, files and faults of cameras, and pairs of operators, each at a random strength."""
    for name in OPERATORS:
        yield operated(pixels, name, float(rng.uniform(LEAST_SEVERITY, MAX_SEVERITY)), rng)
    for name in FILES_AND_FAULTS:
        yield DAMAGES[name](pixels, float(rng.uniform()), rng)
    for _ in range(PAIRS):
        version = pixels
        for group in rng.permutation(len(GROUPS))[:2]:
            candidates = BY_GROUP[GROUPS[group]]
            name = candidates[int(rng.integers(len(candidates)))].name
            version = operated(version, name, float(rng.uniform(LEAST_SEVERITY, MOST_IN_PAIRS)), rng)
        yield version


def _viewed(pixels: Pixels, encoder: Embedder) -> Pixels:
    """The image at the size that the encoder reads."""
    size, (height, width) = encoder.config.preprocessing.view_size, pixels.shape[:2]
    if size is None or max(height, width) <= size:
        return pixels
    reduced = (max(1, round(width * size / max(height, width))), max(1, round(height * size / max(height, width))))
    return np.asarray(Image.fromarray(pixels).resize(reduced, Image.Resampling.BICUBIC))
