"""Versions of pristine photographs by the engine, codecs, cameras and scaling, marked by measures (ours)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import rankdata

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.distortions.registry import BY_GROUP, OPERATORS
from shamisa_cli.core.errors import SettingError, Unread
from shamisa_cli.core.groups import GROUPS, MAX_SEVERITY
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.probe.pseudo import PseudoLabels, PseudoSettings
from shamisa_cli.core.probe.same_pictures import same_pictures
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.training.direction.damages import DAMAGES
from shamisa_cli.core.training.direction.versions import operated
from shamisa_cli.core.training.photographs import made_of_each, pass_over

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
PAIR = "two operators"
"""Of two groups, one after the other."""
KINDS = (*OPERATORS, *FILES_AND_FAULTS, *(PAIR,) * 4)
"""What versions are drawn from."""
LEAST_SEVERITY = 0.5
MOST_IN_PAIRS = 3.0
SMALLER = 2
"""Copies of a photograph with fewer pixels, beside its versions."""
LEAST_SIDE, MOST_OF_VIEW = 40, 0.75
"""Long side of the smallest copy in pixels, and of the largest as a share of the encoder's view."""


_Marked = tuple[NDArray[np.float32], NDArray[np.float32], float]
"""Features of a version and of its original, and their difference."""


def pseudo_labels(
    encoder: Embedder,
    photos: Sequence[Path],
    settings: PseudoSettings,
    *,
    seed: int = 0,
    unread: Unread = pass_over,
    advance: Callable[[int], None] = lambda _photos: None,
) -> PseudoLabels:
    """Make versions of photographs, embed them, and rank them by their difference from the original.

    Args:
        encoder: reads originals and versions, at its view size.
        photos: pristine photographs, of which `settings.photos` are drawn; those that cannot be read are left
            out.
        settings: how many photographs and versions, and what they weigh.
        seed: decides which photographs and which versions.
        unread: told of the photographs that are left out.
        advance: called with 1 after each photograph.

    Raises:
        SettingError: no photograph can be read.
    """
    order = np.random.default_rng(seed).permutation(len(photos))[: settings.photos]

    def make(place: int, path: Path) -> list[_Marked]:
        rng, pixels = np.random.default_rng([seed, place]), decode(path, view_size=SIZE).pixels
        original = encoder.embed(_viewed(pixels, encoder))
        made = [(version, version) for version in versions_of(pixels, settings.versions, rng)]
        made += smaller_copies(pixels, _view_of(encoder), rng)
        return [
            (encoder.embed(_viewed(version, encoder)), original, difference(pixels, enlarged).value)
            for version, enlarged in made
        ]

    drawn = [(place, photos[place]) for place in order.tolist()]
    found = list(made_of_each(drawn, make, unread=unread, advance=advance))
    if not found:
        raise SettingError("None of the photographs for pseudo-labels can be read; name a folder of good ones.")
    versions, originals, changes = zip(*(marked for _, each in found for marked in each), strict=True)
    rank = rankdata(changes) / len(changes)
    first = same_pictures(np.stack([each[0][1] for _, each in found]))
    shown = np.array([found[row][0] for row, (_, each) in zip(first, found, strict=True) for _ in each], dtype=np.int64)
    return PseudoLabels(np.stack(versions), np.stack(originals), rank, shown, settings)


def versions_of(pixels: Pixels, count: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Up to `count` versions of an image (H, W, 3), each of another of `KINDS`, at random strengths."""
    for kind in rng.choice(len(KINDS), min(count, len(KINDS)), replace=False).tolist():
        yield _version(pixels, KINDS[kind], rng)


def smaller_copies(pixels: Pixels, view: int, rng: np.random.Generator) -> Iterator[tuple[Pixels, Pixels]]:
    """Copies of an image (H, W, 3) with fewer pixels, each also enlarged again: as it is read, and as it is measured.

    Args:
        pixels: the image.
        view: long side in pixels of what the encoder reads of large images.
        rng: decides the sizes.
    """
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels)
    most = MOST_OF_VIEW * min(view, max(height, width))
    for _ in range(SMALLER):
        side = LEAST_SIDE * max(1.0, most / LEAST_SIDE) ** float(rng.uniform())
        copy = picture.resize(_reduced_size(height, width, round(side)), Image.Resampling.BICUBIC)
        yield np.asarray(copy), np.asarray(copy.resize((width, height), Image.Resampling.BICUBIC))


def _version(pixels: Pixels, kind: str, rng: np.random.Generator) -> Pixels:
    if kind in OPERATORS:
        return operated(pixels, kind, float(rng.uniform(LEAST_SEVERITY, MAX_SEVERITY)), rng)
    if kind in DAMAGES:
        return DAMAGES[kind](pixels, float(rng.uniform()), rng)
    for group in rng.permutation(len(GROUPS))[:2]:
        candidates = BY_GROUP[GROUPS[group]]
        name = candidates[int(rng.integers(len(candidates)))].name
        pixels = operated(pixels, name, float(rng.uniform(LEAST_SEVERITY, MOST_IN_PAIRS)), rng)
    return pixels


def _view_of(encoder: Embedder) -> int:
    return min(SIZE, encoder.config.preprocessing.view_size or SIZE)


def _viewed(pixels: Pixels, encoder: Embedder) -> Pixels:
    """The image at the size that the encoder reads."""
    size, (height, width) = _view_of(encoder), pixels.shape[:2]
    if max(height, width) <= size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(_reduced_size(height, width, size), Image.Resampling.BICUBIC))


def _reduced_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Width and height of an image whose long side has `side` pixels."""
    factor = side / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))
