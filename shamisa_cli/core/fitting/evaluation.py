"""How well a model's scores, as they are, agree with human scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.fitting.doubts import FEW_JUDGED, few_judged, small_subsets
from shamisa_cli.core.fitting.progress import Progress, no_progress
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.probe.evaluation import Evaluation, evaluate_predictions
from shamisa_cli.core.probe.metrics import REVERSED, SMALL_SPREAD, relative_spread
from shamisa_cli.core.probe.mos_table import MIN_ROWS, MosTable, read_mos_table, too_few_images
from shamisa_cli.core.probe.ridge import POINTS
from shamisa_cli.core.probe.same_pictures import first_places, repeats
from shamisa_cli.core.probe.scale import linear_scale
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.reliability import describe_odd
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.pipeline import score_files

if TYPE_CHECKING:
    from shamisa_cli.core.arrays import Vector


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """How well a model agrees with people.

    Attributes:
        model: which was judged.
        records: one for each row of the table, scored or not.
        results: agreement over all images, then by subset.
        logistic: PLCC and RMSE were taken after a logistic mapping.
        spread: standard deviation of the scores over that of the ratings, each as a share of its scale, 0…100 and the
            table's lowest to highest; far below 1, the model says nearly the same of every picture.
    """

    model: Model
    records: tuple[ImageRecord, ...]
    results: tuple[Evaluation, ...]
    logistic: bool
    spread: float

    @property
    def reversed(self) -> bool:
        """Whether scores fall as ratings rise, as they do where lower ratings are better and nobody said so."""
        return self.results[0].agreement.srcc < REVERSED

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on pictures with several rows, or that the probe was fitted on, and on results that say little."""
        scored = [record for record in self.records if record.mos is not None]
        pictures = first_places([self._picture(record) for record in scored])
        found = repeats([Path(record.path) for record in scored], pictures, "each row counts.")
        found += few_judged(len(np.unique(pictures)))
        of_subsets = {part.subset: part.agreement.count for part in self.results if part.subset is not None}
        found += small_subsets(of_subsets, FEW_JUDGED, "judged")
        found += self._known(scored) + describe_odd([record.described_warnings for record in scored if record.warnings])
        if not self.spread < SMALL_SPREAD:
            return found
        return (
            *found,
            f"The scores spread only {self.spread:.0%} as far over their scale as the ratings do: "
            f"{self.model.name} gives nearly the same score to every picture here.",
        )

    def _known(self, scored: Sequence[ImageRecord]) -> tuple[str, ...]:
        """A sentence on pictures that the probe was fitted on, or that these are not known; none without any."""
        probe = self.model.probe
        if probe is not None and probe.fitted is None:
            return (
                "Whether the probe was fitted on some of these pictures is not known: it keeps no scores of its own. "
                "Its card names the ratings that it learned from; agreement with them says nothing of others.",
            )
        mos = np.array([record.mos for record in scored], dtype=np.float64)
        count = 0 if probe is None else probe.fitted_among(mos)
        if not count:
            return ()
        verb = "is one" if count == 1 else "are some"
        return (
            f"At least {count:,} of the {len(scored):,} pictures {verb} that the probe was fitted on, whose ratings it "
            "knows: agreement there says nothing of others. Its card tells the agreement on held-out pictures.",
        )

    def _picture(self, record: ImageRecord) -> Hashable:
        """A value that only records of one picture share: the prediction, unless it is an end of the scale."""
        ends = () if self.model.probe is None else self.model.probe.scale.ends
        return os.path.realpath(record.path) if record.mos is None or record.mos in ends else record.mos

    @property
    def unreadable(self) -> list[ImageRecord]:
        """The records without a score."""
        return [record for record in self.records if record.mos is None]


def evaluate(
    mos: str | Path | MosTable,
    model: str | Model | None = None,
    *,
    lower_is_better: bool = False,
    logistic: bool = True,
    seed: int = 0,
    jobs: PositiveInt | None = None,
    cache: Cache | None = None,
    progress: Progress = no_progress,
) -> ModelEvaluation:
    """Correlate a model's scores with human scores, with 95 % bootstrap intervals; nothing but the logistic is fitted.

    Args:
        mos: a CSV file of human scores with the columns `image` and `mos`, or a table from `read_mos_table`.
        model: a loaded model, a name, a folder, or "hf:org/name@revision"; None takes the default one.
        lower_is_better: the human scores count impairment (DMOS).
        logistic: PLCC and RMSE after a four-parameter logistic from the model's scale to the table's.
        seed: of the bootstrap.
        jobs, cache: threads that decode, and an open `Cache`.
        progress: told of scoring.

    Raises:
        MosTableError: the table cannot be read.
        InputNotFoundError: too few images can be read.
        ModelError: the model is missing, damaged, or has no probe.
    An image that cannot be read raises nothing: see `ModelEvaluation.unreadable`.
    """
    table = mos if isinstance(mos, MosTable) else read_mos_table(Path(mos))
    loaded = model if isinstance(model, Model) else load_model(model or DEFAULT_MODEL)
    records = score_all(loaded, table.paths, jobs=jobs, cache=cache, progress=progress)
    require_readable(records, MIN_ROWS, in_table=True)
    return judge(loaded, records, table, lower_is_better=lower_is_better, logistic=logistic, seed=seed)


def judge(
    model: Model,
    records: Sequence[ImageRecord],
    table: MosTable,
    *,
    lower_is_better: bool = False,
    logistic: bool = True,
    seed: int = 0,
) -> ModelEvaluation:
    """`evaluate` for images that are scored already: `records` are those of the table's rows, in their order."""
    kept = table.take([row for row, record in enumerate(records) if record.mos is not None])
    predicted = predictions(model, records, lower_is_better=lower_is_better)
    results = evaluate_predictions(predicted, kept.mos, subsets=kept.subsets, logistic=logistic, seed=seed)
    scores = np.array([record.score for record in records if record.score is not None], dtype=np.float64)
    spread = relative_spread(scores / POINTS, linear_scale(kept.mos.min(), kept.mos.max()).position(kept.mos))
    return ModelEvaluation(model, tuple(records), tuple(results), logistic, spread)


def score_all(
    model: Model,
    paths: Iterable[Path],
    *,
    jobs: PositiveInt | None = None,
    cache: Cache | None = None,
    progress: Progress = no_progress,
) -> list[ImageRecord]:
    """The records of images, in their order."""
    listed = list(paths)
    with closing(score_files(model, listed, jobs=jobs, cache=cache)) as scoring, progress("Scoring", len(listed)) as on:
        return [_counted(record, on) for record in scoring]


def require_readable(records: Sequence[ImageRecord], needed: int, *, in_table: bool) -> None:
    """Raise InputNotFoundError where fewer than `needed` images have a score."""
    readable = sum(record.mos is not None for record in records)
    if readable < needed:
        raise InputNotFoundError(too_few_images(readable, len(records), needed, in_table=in_table))


def predictions(model: Model, records: Sequence[ImageRecord], *, lower_is_better: bool = False) -> Vector:
    """Predictions (n,) within the probe's human scale, higher for higher human scores if model and people agree."""
    values = np.array([record.mos for record in records if record.mos is not None], dtype=np.float64)
    same = model.probe is not None and model.probe.scale.lower_is_better == lower_is_better
    return values if same else -values


def _counted(record: ImageRecord, advance: Callable[[int], None]) -> ImageRecord:
    advance(1)
    return record
