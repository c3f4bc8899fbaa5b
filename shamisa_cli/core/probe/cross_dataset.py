"""Cross-dataset tables: probes fitted on one data set and tested on others; and protocols by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

from shamisa_cli.core.arrays import AnyFeatures, Vector
from shamisa_cli.core.probe.metrics import Agreement
from shamisa_cli.core.probe.paper_protocol import Rows, fit_crops, predict_pictures, run_paper_protocol
from shamisa_cli.core.probe.protocol import (
    FIGURES,
    SPLITS,
    ProtocolResult,
    ScaleOf,
    agreements,
    fit_final,
    run_protocol,
)
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.scale import Spacing, mos_scale

ProtocolName = Literal["default", "paper"]
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)

SPACING: dict[ProtocolName, Spacing] = {"default": "even", "paper": "linear"}
"""Targets of each protocol: positions by rank, or the human scores themselves."""


@dataclass(frozen=True)
class DataSet:
    """Features and human scores of n pictures.

    Attributes:
        name: for people; different for each data set of a table.
        rows: (n, R, D), features of the R crops of each picture; R is 1 where whole pictures are read.
        mos: (n,) human scores.
        groups: (n,) names of rows that stay together in a split, or None.
        subsets: (n,) names of subsets to report separately, or None.
        lower_is_better: the scores count impairment (DMOS).
    """

    name: str
    rows: Rows
    mos: Vector
    groups: Sequence[str] | None = None
    subsets: Sequence[str] | None = None
    lower_is_better: bool = False


@dataclass(frozen=True)
class CrossResult:
    """Agreement on one data set of a probe fitted on another; on the same one, the median over random splits.

    Attributes:
        agreement: `count` is that of all pictures of the data set tested on.
    """

    fitted_on: str
    tested_on: str
    agreement: Agreement

    @property
    def within(self) -> bool:
        """Whether the probe was fitted and tested on the same data set."""
        return self.fitted_on == self.tested_on


@dataclass(frozen=True)
class CrossTable:
    """Every data set against every other.

    Attributes:
        names: of the data sets, in the order given.
        alphas: the penalty chosen on each.
        results: by the data set fitted on, then by the one tested on.
        own: of each data set, the results of its own random splits.
    """

    names: tuple[str, ...]
    alphas: tuple[float, ...]
    results: tuple[CrossResult, ...]
    own: tuple[ProtocolResult, ...] = field(compare=False)

    def row(self, fitted_on: str) -> tuple[CrossResult, ...]:
        """The results of the probe fitted on one data set, in the order of `names`."""
        return tuple(result for result in self.results if result.fitted_on == fitted_on)


def usual_scale(protocol: ProtocolName, data: DataSet) -> ScaleOf:
    """Factory of the protocol's scale for parts of a data set; its ends are the extremes of all scores in the set."""
    low, high = float(data.mos.min()), float(data.mos.max())
    worst, best = (high, low) if data.lower_is_better else (low, high)
    return partial(mos_scale, SPACING[protocol], worst=worst, best=best)


def usual_logistic(protocol: ProtocolName, groups: Sequence[str] | None) -> bool:
    """Whether PLCC and RMSE are taken after a logistic mapping: in the paper's protocol, on grouped sets."""
    return protocol == "paper" and groups is not None


def run_named(
    protocol: ProtocolName,
    data: DataSet,
    *,
    splits: int = SPLITS,
    seed: int = 0,
    logistic: bool | None = None,
    advance: Callable[[int], None] = lambda _splits: None,
) -> ProtocolResult:
    """Random splits of one data set under the protocol of that name.

    `logistic` None: see `usual_logistic`. Raises SettingError as `random_splits` does.
    """
    features: Rows | AnyFeatures
    run: Callable[..., ProtocolResult]
    if protocol == "paper":
        run, features = run_paper_protocol, data.rows
    else:
        run, features = run_protocol, data.rows.mean(axis=1)
    return run(
        features,
        data.mos,
        scale_of=usual_scale(protocol, data),
        groups=data.groups,
        subsets=data.subsets,
        splits=splits,
        seed=seed,
        logistic=usual_logistic(protocol, data.groups) if logistic is None else logistic,
        advance=advance,
    )


def cross_table(
    protocol: ProtocolName,
    sets: Sequence[DataSet],
    *,
    splits: int = SPLITS,
    seed: int = 0,
    logistic: bool = True,
    advance: Callable[[int], None] = lambda _splits: None,
) -> CrossTable:
    """Fit on each whole data set, with the penalty chosen on its own splits, and test on every other whole one.

    Correlations are positive where probe and people agree, whichever way the two human scales run.

    Args:
        protocol: protocol for choosing penalties, fitting probes and predicting images.
        sets: at least one; features of one encoder, names that differ.
        splits, seed: of each data set's own splits.
        logistic: PLCC and RMSE after a 4-parameter logistic, since scales differ between data sets.
        advance: called with 1 after each split of each data set.

    Raises SettingError as `random_splits` does.
    """
    alphas, results, every_own = [], [], []
    for data in sets:
        own = run_named(protocol, data, splits=splits, seed=seed, logistic=logistic, advance=advance)
        every_own.append(own)
        scale = usual_scale(protocol, data)(data.mos)
        ridge = _fitted(protocol, data, scale.position(data.mos), own)
        alphas.append(ridge.alpha)
        for other in sets:
            if other is data:
                medians = {name: own.spread(name).median for name in FIGURES}
                agreement = Agreement(**medians, count=len(data.mos))
            else:
                sign = 1.0 if other.lower_is_better == data.lower_is_better else -1.0
                prediction = sign * scale.mos(predict_pictures(ridge, other.rows))
                agreement = agreements(prediction, other.mos, logistic=logistic)[0]
            results.append(CrossResult(data.name, other.name, agreement))
    return CrossTable(tuple(data.name for data in sets), tuple(alphas), tuple(results), tuple(every_own))


def _fitted(protocol: ProtocolName, data: DataSet, positions: Vector, result: ProtocolResult) -> Ridge:
    if protocol == "paper":
        return fit_crops(data.rows, positions, result.splits[0].alpha)
    return fit_final(data.rows.mean(axis=1), positions, result)
