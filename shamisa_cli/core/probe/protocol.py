"""The evaluation protocol: a probe fitted, tuned and reported on random disjoint parts of a table of scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Vector
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.probe.intervals import HeldOut
from shamisa_cli.core.probe.metrics import Agreement, agreement, logistic_mapping, relative_spread
from shamisa_cli.core.probe.ordinal import OrdinalPairs
from shamisa_cli.core.probe.penalty import choose_alpha, cross_validated_alpha
from shamisa_cli.core.probe.pseudo import PseudoLabels
from shamisa_cli.core.probe.recipe import Recipe
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.ridge_path import ridge_path
from shamisa_cli.core.probe.same_pictures import join_groups, numbered, same_pictures
from shamisa_cli.core.probe.scale import MosScale, linear_scale

Indices = NDArray[np.int64]
Figure = Literal["srcc", "plcc", "krcc", "rmse"]
FIGURES: tuple[Figure, ...] = get_args(Figure)

SPLITS = 10
VALIDATION_SHARE = 0.1
TEST_SHARE = 0.2
"""Ten random 70/10/20 splits (SHAMISA paper, section on evaluation)."""

FEW_ROWS = 30
"""Fewer validation rows than this choose no penalty alone: it is chosen in folds of all rows but the test rows."""

ScaleOf = Callable[[Vector], MosScale]
"""From the human scores (n,) of the part fitted on to a scale."""


def plain_scale(mos: Vector) -> MosScale:
    """A linear scale from the lowest to the highest of the scores, higher better."""
    return linear_scale(float(mos.min()), float(mos.max()))


@dataclass(frozen=True)
class Split:
    """Row numbers of a table for fitting, for choosing the penalty, and for reporting; disjoint, sorted."""

    train: Indices
    validation: Indices
    test: Indices


@dataclass(frozen=True)
class SplitResult:
    """Result of one split: the penalty chosen on its validation part, and the agreement on its test part.

    Attributes:
        rows: (m,) the test rows.
        position: (m,) their predicted positions.
        prediction: (m,) the same on the human scale, before any mapping.
        subsets: agreement on the test rows of each subset, by name; empty where the table names none.
        likely: (m,) as in `HeldOut`; None without sessions.
    """

    alpha: float
    overall: Agreement
    subsets: Mapping[str, Agreement]
    rows: Indices
    position: Vector
    prediction: Vector
    pairs_in_order: float = float("nan")
    """Share, 0…1, of ordinal pairs of held-out photographs that are in the right order; nan without pairs."""
    likely: Indices | None = None

    @property
    def held_out(self) -> HeldOut:
        """The predictions for the test rows."""
        likely = np.zeros_like(self.rows) if self.likely is None else self.likely
        return HeldOut(self.rows, self.position, likely)


@dataclass(frozen=True)
class Spread:
    """Median and interquartile range over the splits where the figure is defined; nan where none is."""

    median: float
    iqr: float


@dataclass(frozen=True)
class ProtocolResult:
    """Results of all splits, in the order they were drawn."""

    splits: tuple[SplitResult, ...]

    @property
    def alpha(self) -> float:
        """The median, on the logarithmic grid, of the penalties chosen."""
        return float(np.exp(np.median(np.log([split.alpha for split in self.splits]))))

    @property
    def subset_names(self) -> tuple[str, ...]:
        """Names of the subsets, sorted."""
        return tuple(sorted({name for split in self.splits for name in split.subsets}))

    def spread(self, figure: Figure, subset: str | None = None) -> Spread:
        """Median and spread of one figure, over all pictures or those of one subset."""
        parts = [split.overall if subset is None else split.subsets.get(subset) for split in self.splits]
        values = np.array([getattr(part, figure) for part in parts if part is not None], dtype=np.float64)
        defined = values[np.isfinite(values)]
        if not len(defined):
            return Spread(float("nan"), float("nan"))
        low, median, high = np.quantile(defined, [0.25, 0.5, 0.75])
        return Spread(float(median), float(high - low))

    @property
    def pairs_in_order(self) -> float:
        """Median over the splits of `SplitResult.pairs_in_order`; nan without ordinal pairs."""
        return float(np.median([split.pairs_in_order for split in self.splits]))

    @property
    def held_out(self) -> tuple[Indices, Vector]:
        """Held-out rows and their predictions; a row occurs once for each split that held it out."""
        rows = np.concatenate([split.rows for split in self.splits])
        return rows, np.concatenate([split.prediction for split in self.splits])

    @property
    def all_held_out(self) -> HeldOut:
        """The held-out predictions of all splits together, as in `held_out`."""
        parts = [split.held_out for split in self.splits]
        return HeldOut(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(HeldOut)))

    def held_out_spread(self, positions: Vector) -> float:
        """`relative_spread` of the held-out predictions to the true positions (n,) of the table's rows."""
        return relative_spread(*self.held_out_pairs(positions))

    def held_out_pairs(self, values: Vector) -> tuple[Vector, Vector]:
        """Predicted positions and the `values` (n,) of the table's rows, for each entry of `held_out`."""
        return np.concatenate([split.position for split in self.splits]), values[self.held_out[0]]


def random_splits(
    count: int, *, splits: int = SPLITS, seed: int = 0, groups: Sequence[str] | None = None
) -> list[Split]:
    """Random 70/10/20 splits of `count` rows.

    With groups (one name per row: the reference photograph of a synthetic set), shares are counted in groups
    and every group is in one part of a split only. The same seed gives the same splits, whatever their number.
    Raises SettingError with fewer than one split, or fewer than three rows or groups to share out.
    """
    if splits < 1:
        raise SettingError(f"{splits} splits were asked for; at least 1 is needed.")
    members = numbered(groups, count)
    units = int(members.max()) + 1 if count else 0
    if units < 3:
        kind = "pictures" if groups is None else "groups of different pictures"
        raise SettingError(f"The table has {units} {kind}; at least 3 are needed to fit, choose and report.")
    tests = max(1, round(TEST_SHARE * units))
    validations = max(1, round(VALIDATION_SHARE * units))
    generator = np.random.default_rng(seed)

    def draw() -> Split:
        order = generator.permutation(units)
        parts = np.split(order, [tests, tests + validations])
        test, validation, train = (np.flatnonzero(np.isin(members, part)) for part in parts)
        return Split(train, validation, test)

    return [draw() for _ in range(splits)]


def run_protocol(
    features: AnyFeatures,
    mos: Vector,
    *,
    scale_of: ScaleOf = plain_scale,
    groups: Sequence[str] | None = None,
    subsets: Sequence[str] | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    logistic: bool = False,
    recipe: Recipe | None = None,
    advance: Callable[[int], None] = lambda _splits: None,
) -> ProtocolResult:
    """Fit on 70 % of the rows, choose the penalty on 10 %, report on 20 %, for each of several random splits.

    Where the 10 % are fewer than `FEW_ROWS`, the penalty is chosen in folds of the 70 and the 10 % together. With
    sessions the penalties are fixed, and nothing is chosen.

    Args:
        features: (n, D), one row per image.
        mos: (n,) human scores.
        scale_of: makes, from the scores of the part fitted on, the scale whose positions are fitted.
        groups: (n,) names; rows of one group stay together (see `random_splits`), and so do those of one picture.
        subsets: (n,) names; the test part is also reported by subset.
        logistic: PLCC and RMSE after `logistic_mapping` of the test predictions, as is usual for synthetic sets.
        recipe: what else is fitted; each split leaves out a random fifth of its degraded photographs.
        advance: called with 1 after each split.
    Raises SettingError as `random_splits` does.
    """
    whole = recipe or Recipe()
    together = join_groups(same_pictures(features), groups)

    def report(split: Split) -> SplitResult:
        scale = scale_of(mos[split.train])
        unseen = [] if whole.versions is None else _held_out_photos(whole.versions, [seed, int(split.test[0])])
        own = whole.of_rows(split.train).without(unseen)
        ridge = _fit_split(features, scale.position(mos), split, own, together, [seed, *split.test])
        held_out = whole.versions and whole.versions.part(unseen, inside=True)
        ordering = float("nan") if held_out is None else held_out.accuracy(ridge.predict)
        position = ridge.predict(features[split.test])
        prediction = scale.mos(position)
        names = None if subsets is None else [subsets[row] for row in split.test]
        overall, by_subset = agreements(prediction, mos[split.test], subsets=names, logistic=logistic)
        advance(1)
        likely = None if ridge.likeness is None else ridge.sessions_of(features[split.test])
        return SplitResult(ridge.alpha, overall, by_subset, split.test, position, prediction, ordering, likely)

    drawn = random_splits(len(mos), splits=splits, seed=seed, groups=together)
    return ProtocolResult(tuple(report(split) for split in drawn))


def _fit_split(
    features: AnyFeatures,
    quality: Vector,
    split: Split,
    recipe: Recipe,
    groups: Sequence[str] | None,
    seed: Sequence[int],
) -> Ridge:
    """The fit of a split's training part, with the penalty that its validation part prefers."""
    if recipe.sessions is not None:
        return recipe.fit(features[split.train], quality[split.train], math.nan)
    path = ridge_path(features[split.train], quality[split.train], pseudo=recipe.pseudo)
    if len(split.validation) >= FEW_ROWS:
        alpha = choose_alpha(path, features[split.validation], quality[split.validation])
    else:
        rows = np.concatenate([split.train, split.validation])
        names = None if groups is None else [groups[row] for row in rows]
        alpha = cross_validated_alpha(features[rows], quality[rows], groups=names, seed=seed, pseudo=recipe.pseudo)
    if recipe.pairs is not None:
        return recipe.fit(features[split.train], quality[split.train], alpha)
    return path.at(alpha)


def _held_out_photos(versions: PseudoLabels | OrdinalPairs, seed: Sequence[int]) -> list[int]:
    """A random fifth of the photographs of the degraded versions, at least one."""
    photos = np.unique(versions.photo)
    count = max(1, round(TEST_SHARE * len(photos)))
    return [int(photo) for photo in np.random.default_rng(seed).permutation(photos)[:count]]


def fit_final(features: AnyFeatures, quality: Vector, result: ProtocolResult, recipe: Recipe | None = None) -> Ridge:
    """Fit the final probe on all rows and versions, with the median of the penalties that the splits chose.

    `quality` (n,) is the target, higher better: the positions of the human scores.
    """
    return (recipe or Recipe()).fit(features, quality, result.alpha)


def agreements(
    prediction: Vector, mos: Vector, *, subsets: Sequence[str] | None = None, logistic: bool = False
) -> tuple[Agreement, dict[str, Agreement]]:
    """Agreement over all pictures and by subset; one logistic mapping, fitted on all, serves both."""
    mapped = logistic_mapping(prediction, mos) if logistic else prediction
    labels = np.asarray(subsets if subsets is not None else [])

    def part(chosen: NDArray[np.bool_]) -> Agreement:
        return agreement(prediction[chosen], mos[chosen], mapped[chosen])

    everything = np.ones(len(mos), dtype=bool)
    return part(everything), {str(name): part(labels == name) for name in np.unique(labels)}


def difference_features(reference: AnyFeatures, distorted: AnyFeatures) -> AnyFeatures:
    """Features |h_ref − h_dist| of the full-reference extension, of shape (n, D) or (n, R, D) as both inputs.

    Raises ValueError where shapes differ.
    """
    if reference.shape != distorted.shape:
        raise ValueError(f"Features of references {reference.shape} and distorted {distorted.shape} differ in shape.")
    return np.abs(reference - distorted)
