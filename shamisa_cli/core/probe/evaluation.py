"""Agreement of a model with human scores, with bootstrap intervals, overall and by subset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.arrays import Vector
from shamisa_cli.core.probe.metrics import (
    RESAMPLES,
    Agreement,
    AgreementIntervals,
    agreement,
    bootstrap_intervals,
    logistic_mapping,
)


@dataclass(frozen=True)
class Evaluation:
    """Agreement on all pictures (`subset` is None) or on those of one subset, with its intervals."""

    subset: str | None
    agreement: Agreement
    intervals: AgreementIntervals


def evaluate_predictions(
    prediction: Vector,
    mos: Vector,
    *,
    subsets: Sequence[str] | None = None,
    logistic: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Evaluation, ...]:
    """Evaluate predictions (n,), higher for higher `mos` (n,), on all images and then by subset, sorted by name.

    With `logistic`, PLCC and RMSE are taken after one `logistic_mapping` fitted on all pictures, since a
    model's scale is rarely that of the table. Raises ValueError if lengths differ or a value is not finite.
    """
    mapped = logistic_mapping(prediction, mos) if logistic else prediction

    def part(name: str | None) -> Evaluation:
        chosen = slice(None) if name is None else np.asarray(subsets) == name
        vectors = prediction[chosen], mos[chosen], mapped[chosen]
        intervals = bootstrap_intervals(*vectors, resamples=resamples, seed=seed)
        return Evaluation(name, agreement(*vectors), intervals)

    return tuple(part(name) for name in (None, *sorted(set(subsets or ()))))
