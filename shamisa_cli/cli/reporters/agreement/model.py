"""Report of `evaluate` on a model as it is: correlations with intervals, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.cli import mos_options

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.evaluation import Evaluation
    from shamisa_cli.core.records import ImageRecord

SCHEMA = 1


def row(result: Evaluation) -> list[str]:
    from shamisa_cli.core.probe.protocol import FIGURES

    cells = [mos_options.figure_with_interval(*_figure(result, name)) for name in FIGURES]
    return [result.subset or "all", f"{result.agreement.count:,}", *cells]


def _figure(result: Evaluation, name: str) -> tuple[float, tuple[float, float]]:
    return getattr(result.agreement, name), getattr(result.intervals, name)


def note(model: Model, logistic: bool) -> str:
    mapping = "PLCC and RMSE after a logistic mapping" if logistic else "no mapping"
    return f"{model.name} ({model.revision}); 95 % bootstrap intervals; {mapping}"


def document(
    model: Model, mos: Path | None, results: Sequence[Evaluation], records: Sequence[ImageRecord], logistic: bool
) -> dict[str, Any]:
    from shamisa_cli.core.probe.metrics import CONFIDENCE
    from shamisa_cli.core.scoring.pipeline import describe_run

    return {
        "schema": SCHEMA,
        "model": describe_run(model, "model").model.to_json(),
        "mos": None if mos is None else str(mos),
        "logistic": logistic,
        "confidence": CONFIDENCE,
        "results": [_result(result) for result in results],
        "errors": [{"path": record.path, **record.error.to_json()} for record in records if record.error is not None],
    }


def _result(result: Evaluation) -> dict[str, Any]:
    from shamisa_cli.core.probe.protocol import FIGURES

    entry: dict[str, Any] = {"subset": result.subset, "count": result.agreement.count}
    for name in FIGURES:
        value, interval = _figure(result, name)
        entry[name] = _number(value)
        entry[f"{name}_interval"] = [_number(end) for end in interval]
    return entry


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
