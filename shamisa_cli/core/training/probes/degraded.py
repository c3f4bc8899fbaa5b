"""Photographs degraded by the engine, with the severities it applied: training data of probes (ours)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Pixels
from shamisa_cli.core.distortions.registry import BY_GROUP, OPERATORS
from shamisa_cli.core.errors import SettingError, Unread
from shamisa_cli.core.groups import GROUPS, MAX_SEVERITY
from shamisa_cli.core.networks.pixels import batch_of
from shamisa_cli.core.probe.defects import MOST_OPERATORS
from shamisa_cli.core.probe.ordinal import TOO_FEW_PHOTOS, OrdinalPairs
from shamisa_cli.core.probe.same_pictures import same_pictures
from shamisa_cli.core.training.photographs import made_of_each, pass_over

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder


VERSIONS = 20
"""Number of versions of a photograph, of which the first is undistorted."""

OPERATORS_A_PHOTO = 6

GENTLE = 0.6
"""Largest severity of the milder version, as a share of the scale; the stronger has at least one unit more."""


@dataclass(frozen=True)
class DegradedPhotos:
    """n versions of photographs.

    Attributes:
        features: (n, D) float32.
        severity: (n, K), 0…4, of each operator in the order of `OPERATORS`; nan where it was not applied.
        photo: (n,) index of the photograph; of one that is there twice, as a copy, the first.
    """

    features: AnyFeatures
    severity: Matrix
    photo: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.photo)

    def of(self, operators: Collection[str]) -> Matrix:
        """(n,) severity of the one of these operators that was applied; nan where none was."""
        columns = [place for place, name in enumerate(OPERATORS) if name in operators]
        severity = self.severity[:, columns]
        applied = ~np.isnan(severity)
        return np.where(applied.any(axis=1), np.where(applied, severity, 0.0).sum(axis=1), np.nan)


def degrade_and_embed(
    encoder: Embedder,
    photos: Sequence[Path],
    *,
    versions: int = VERSIONS,
    seed: int = 0,
    unread: Unread = pass_over,
    advance: Callable[[int], None] = lambda _photos: None,
) -> DegradedPhotos:
    """Degrade whole photographs, at the encoder's view size, by random operators, and embed the versions.

    Args:
        encoder: reads the versions.
        photos: pristine photographs; those that cannot be read are left out.
        versions: of each photograph.
        seed: a photograph's versions depend on it and on the photograph's place in the list.
        unread: told of the photographs that are left out.
        advance: called with 1 after each photograph.

    Raises:
        SettingError: no photograph can be read.
    """

    def make(place: int, path: Path) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
        rng, pixels = np.random.default_rng([seed, place]), _pixels(encoder, path)
        untouched = (pixels, np.full(len(OPERATORS), np.nan))
        made = chain([untouched], (_degraded(pixels, rng) for _ in range(versions - 1)))
        return [(encoder.embed(picture), applied) for picture, applied in made]

    found = list(made_of_each(enumerate(photos), make, unread=unread, advance=advance))
    if not found:
        raise SettingError("None of the photographs can be read; name a folder of good ones.")
    first = same_pictures(np.stack([made[0][0] for _, made in found]))
    return DegradedPhotos(
        np.stack([features for _, made in found for features, _ in made]),
        np.stack([applied for _, made in found for _, applied in made]),
        np.array([found[row][0] for row, (_, made) in zip(first, found, strict=True) for _ in made], dtype=np.int64),
    )


def _degraded(pixels: Pixels, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.float64]]:
    """The image after several operators of different groups, and the severity (K,) of each operator, else nan."""
    import torch

    from shamisa_cli.core.distortions.composition import draw_step
    from shamisa_cli.core.distortions.engine import apply_operator

    picture = batch_of(pixels)
    severity = np.full(len(OPERATORS), np.nan)
    for group in rng.permutation(len(GROUPS))[: rng.integers(1, MOST_OPERATORS + 1)]:
        candidates = BY_GROUP[GROUPS[group]]
        step = draw_step(candidates[int(rng.integers(len(candidates)))].name, 1, "uniform", rng)
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        picture = apply_operator(
            picture, step.operator, step.severities, generator, angle=step.angle, channel=step.channel
        )
        severity[list(OPERATORS).index(step.operator)] = step.severities[0]
    return (picture[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy(), severity


def degraded_pairs(
    encoder: Embedder,
    photos: Sequence[Path],
    *,
    seed: int = 0,
    unread: Unread = pass_over,
    advance: Callable[[int], None] = lambda _photos: None,
) -> OrdinalPairs:
    """Degrade photographs and embed the versions: for each of several operators, untouched → mild → strong.

    Args:
        encoder: reads the versions, each as a whole picture at its view size.
        photos: pristine photographs; those that cannot be read are left out.
        seed: a photograph's versions depend on it and on the photograph's place in the list.
        unread: told of the photographs that are left out.
        advance: called with 1 after each photograph.

    Raises:
        SettingError: no photograph can be read, or only copies of one.
    """

    def make(place: int, path: Path) -> list[tuple[NDArray[np.float32], NDArray[np.float32], float]]:
        pixels, pairs = _pixels(encoder, path), []
        untouched = encoder.embed(pixels)
        for severities, versions in _degraded_twice(pixels, np.random.default_rng([seed, place])):
            mild, strong = (encoder.embed(version) for version in versions)
            pairs += [(untouched, mild, severities[0]), (mild, strong, severities[1] - severities[0])]
        return pairs

    found = list(made_of_each(enumerate(photos), make, unread=unread, advance=advance))
    if not found:
        raise SettingError("None of the photographs for degraded pairs can be read; name a folder of good ones.")
    milder, stronger, gaps = zip(*(pair for _, pairs in found for pair in pairs), strict=True)
    first = same_pictures(np.stack([pairs[0][0] for _, pairs in found]))
    if not first.any():
        raise SettingError(TOO_FEW_PHOTOS)
    shown = [found[row][0] for row, (_, pairs) in zip(first, found, strict=True) for _ in pairs]
    return OrdinalPairs(np.stack(milder), np.stack(stronger), np.array(gaps), np.array(shown, dtype=np.int64))


def _degraded_twice(pixels: Pixels, rng: np.random.Generator) -> list[tuple[tuple[float, float], list[Pixels]]]:
    """For each of several random operators, the two severities and the two degraded images."""
    import torch

    from shamisa_cli.core.distortions.engine import apply_operator

    picture = batch_of(pixels)
    names = rng.permutation(list(OPERATORS))[:OPERATORS_A_PHOTO]
    results = []
    for name in names:
        mild = float(rng.uniform(0, GENTLE * MAX_SEVERITY))
        strong = float(rng.uniform(mild + 1, MAX_SEVERITY))
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        angle, channel = float(rng.uniform(0, 2 * np.pi)), int(rng.integers(3))
        versions = [
            apply_operator(picture, str(name), severity, generator, angle=angle, channel=channel)[0]
            for severity in (mild, strong)
        ]
        arrays = [(version * 255).round().byte().permute(1, 2, 0).contiguous().numpy() for version in versions]
        results.append(((mild, strong), arrays))
    return results


def _pixels(encoder: Embedder, path: Path) -> Pixels:
    """A photograph at the encoder's view size."""
    from shamisa_cli.core.images.decoding import decode

    return decode(path, view_size=encoder.config.preprocessing.view_size).pixels
