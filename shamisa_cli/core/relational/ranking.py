"""Ranking of versions of one image: every pair is compared, and images are ordered by their mean scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.comparison import (
    ComparedImage,
    ImageSource,
    at_size_of,
    error_of,
    not_finite_error,
    place_over,
    read_image,
    require_memory,
)
from shamisa_cli.core.relational.judgement import Comparer
from shamisa_cli.core.relational.ranking_records import Ranked, Ranking

Scores = Sequence[Sequence[float]]


@dataclass(frozen=True)
class _RankedImage:
    """An image that can be compared with the first one: its source, to read it again, and its original size.

    It is resampled to the size of the first one if it has another size and is not a crop by a few pixels.
    """

    name: str
    source: ImageSource
    width: int
    height: int
    resized: bool
    warnings: tuple[str, ...]

    def read(self, first: ComparedImage | None, max_pixels: int) -> ComparedImage:
        """Read the image, at the size in which it is compared."""
        assert first is not None
        image = read_image(self.source, self.name, max_pixels=max_pixels)
        return at_size_of(image, first, resize=True) if self.resized else image


def rank_pictures(
    comparer: Comparer,
    pictures: Sequence[tuple[str, ImageSource]],
    *,
    resize: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    advance: Callable[[int], None] = lambda _pairs: None,
) -> Ranking:
    """Compare every pair once and order the images by their mean score against all others.

    A pair moved or cropped by a few pixels is compared where both overlap, as by `compare_with`; of a pair without the
    same framing neither is better.

    The mean is the least-squares solution for an antisymmetric table of scores. Equal means share a rank, in the order
    the images were named. Three images are in memory at a time, since files are decoded again for each pair.

    Args:
        comparer: the model.
        pictures: name and file or array of each.
        resize: resample images of a different size to the first one's; otherwise they are not ranked.
        max_pixels: larger files are refused.
        advance: called after each pair.

    Raises:
        SettingError: an array has the wrong shape or type. Files that cannot be read or compared, or disappear
            during the comparison, come last and raise nothing.
    """
    first, entrants, errors = _admitted(pictures, resize, max_pixels)
    scores = [[0.0] * len(entrants) for _ in entrants]
    lost: dict[int, Ranked] = {}
    aligned, unaligned = set[tuple[int, int]](), set[tuple[int, int]]()
    for i, entrant in enumerate(entrants[:-1]):
        try:
            left = entrant.read(first, max_pixels)
        except Exception as error:
            lost[i] = Ranked(entrant.name, error=error_of(entrant.name, error))
        for j in range(i + 1, len(entrants)):
            if i not in lost and j not in lost:
                try:
                    pair = place_over(left, entrants[j].read(first, max_pixels), resize=resize)
                    score = comparer.judge(pair.reference, pair.candidate).score if pair.same_framing else 0.0
                    scores[i][j], scores[j][i] = score, -score
                    aligned |= {(i, j)} if pair.shift else set()
                    unaligned |= set() if pair.same_framing else {(i, j)}
                except Exception as error:
                    lost[j] = Ranked(entrants[j].name, error=error_of(entrants[j].name, error))
            advance(1)
    kept = [place for place in range(len(entrants)) if place not in lost]
    mutual = [[scores[i][j] for j in kept] for i in kept]
    ranking = _ranking([entrants[place] for place in kept], mutual, [*errors, *lost.values()], comparer.identity)
    told, unjudged = (sum(not lost.keys() & pair for pair in pairs) for pairs in (aligned, unaligned))
    return replace(ranking, aligned=told, unaligned=unjudged)


def mean_scores(scores: Scores) -> list[float]:
    """Mean score of each of n images against all others; scores[i][j] is the score of j against i.

    Exactly rounded, so that the order of the images does not matter. A single image gets 0.
    """
    others = max(1, len(scores) - 1)
    return [math.fsum(row[j] for row in scores) / others for j in range(len(scores))]


def _admitted(
    pictures: Sequence[tuple[str, ImageSource]], resize: bool, max_pixels: int
) -> tuple[ComparedImage | None, list[_RankedImage], list[Ranked]]:
    """The first readable image, all images that can be compared with it, and the errors of the others."""
    entrants: list[_RankedImage] = []
    errors: list[Ranked] = []
    first: ComparedImage | None = None
    for name, source in pictures:
        try:
            side = read_image(source, name, max_pixels=max_pixels)
            require_memory(name, (first or side).pixels.shape)
            first = first or side
            placed = place_over(first, side, resize=resize)
            entrants.append(_RankedImage(name, source, side.width, side.height, placed.resized, side.warnings))
        except Exception as error:
            errors.append(Ranked(name, error=error_of(name, error)))
    return first, entrants, errors


def _ranking(
    entrants: Sequence[_RankedImage], scores: list[list[float]], errors: Sequence[Ranked], model: ModelIdentity
) -> Ranking:
    means = mean_scores(scores)
    if not all(map(math.isfinite, means)):
        unusable = [Ranked(entrant.name, error=not_finite_error(entrant.name)) for entrant in entrants]
        return Ranking((*unusable, *errors), (), model)
    order = sorted(range(len(entrants)), key=lambda index: -means[index])
    ranked = tuple(
        Ranked(
            entrants[index].name,
            rank=1 + sum(other > means[index] for other in means),
            score=means[index] + 0.0,
            width=entrants[index].width,
            height=entrants[index].height,
            warnings=entrants[index].warnings,
        )
        for index in order
    )
    ordered = tuple(tuple(scores[i][j] + 0.0 for j in order) for i in order)
    return Ranking((*ranked, *errors), ordered, model)
