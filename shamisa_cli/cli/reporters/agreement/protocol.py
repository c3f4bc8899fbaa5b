"""Report of `evaluate` where it fits probes, on one table of human scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from shamisa_cli.cli import mos_options
from shamisa_cli.cli.console import Console

if TYPE_CHECKING:
    from shamisa_cli.core.errors import ImageError
    from shamisa_cli.core.fitting.protocols import ProtocolEvaluation
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.mos_table import MosTable
    from shamisa_cli.core.scoring.cache import Cache

SCHEMA = 1
DIFFERENCES = "features are |reference − picture|"


@dataclass(frozen=True)
class Settings:
    """How probes are fitted and evaluated."""

    protocol: mos_options.ProtocolName
    splits: int
    seed: int
    logistic: bool | None
    lower_is_better: bool
    jobs: int | None


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table of human scores."""

    image: str
    mos: str
    group: str | None
    subset: str | None
    reference: str | None

    def read(self, path: Path) -> MosTable:
        """Read the table in a file. Raises MosTableError."""
        from shamisa_cli.core.probe.mos_table import read_mos_table

        return read_mos_table(
            path,
            image_column=self.image,
            mos_column=self.mos,
            group_column=self.group,
            subset_column=self.subset,
            reference_column=self.reference,
        )


@dataclass(frozen=True)
class Report:
    """Results of an evaluation, for programs and for people.

    Attributes:
        document: the results as JSON values.
        write: writes the results as a table to a text stream.
        pictures: number of images that were read.
        errors: one for each image that could not be read.
    """

    document: Mapping[str, Any]
    write: Callable[[TextIO], None]
    pictures: int
    errors: Sequence[ImageError]


def report_one(
    model: Model, file: Path, table: MosTable, settings: Settings, cache: Cache | None, console: Console
) -> Report:
    """Run the protocol on one table."""
    from shamisa_cli.core.fitting.protocols import evaluate_by_protocol

    run = evaluate_by_protocol(
        model,
        table,
        settings.protocol.value,
        lower_is_better=settings.lower_is_better,
        splits=settings.splits,
        seed=settings.seed,
        logistic=settings.logistic,
        jobs=settings.jobs,
        cache=cache,
        progress=console.progress,
    )
    warn_of(console, run.errors)
    mos_options.warn_of_doubts(console, run.warnings, reversed=False)
    note = mos_options.protocol_note(
        run.result, settings.protocol, logistic=run.logistic, grouped=run.table.groups is not None
    )
    note = f"{model.name} ({model.revision}); {note}" + (f"; {DIFFERENCES}" if run.table.references else "")
    rows = mos_options.protocol_rows(run.result, run.table)
    return Report(
        _run_document(model, file, settings, run),
        lambda stream: mos_options.write_figures(stream, rows, note),
        len(run.table),
        run.errors,
    )


def warn_of(console: Console, errors: Sequence[ImageError]) -> None:
    """Warn of the images that are left out."""
    mos_options.warn_of_unreadable(console, [(str(error.path), str(error)) for error in errors])


def document_head(model: Model, settings: Settings, logistic: bool) -> dict[str, Any]:
    """First entries of the JSON documents of both kinds."""
    from shamisa_cli.core.scoring.pipeline import describe_run

    return {
        "schema": SCHEMA,
        "model": describe_run(model, "model").model.to_json(),
        "protocol": settings.protocol.value,
        "splits": settings.splits,
        "seed": settings.seed,
        "logistic": logistic,
    }


def _run_document(model: Model, file: Path, settings: Settings, run: ProtocolEvaluation) -> dict[str, Any]:
    from shamisa_cli.core.probe.protocol import FIGURES

    results = []
    for subset in (None, *run.result.subset_names):
        count = len(run.table) if subset is None else (run.table.subsets or ()).count(subset)
        entry: dict[str, Any] = {"subset": subset, "count": count}
        for name in FIGURES:
            spread = run.result.spread(name, subset)
            entry |= {name: json_number(spread.median), f"{name}_iqr": json_number(spread.iqr)}
        results.append(entry)
    return {
        **document_head(model, settings, run.logistic),
        "mos": str(file),
        "alpha": run.result.alpha,
        "grouped": run.table.groups is not None,
        "full_reference": run.table.references is not None,
        "results": results,
        "errors": error_entries(run.errors),
    }


def error_entries(errors: Sequence[ImageError]) -> list[dict[str, str]]:
    """Errors of images that could not be read, as JSON values."""
    from shamisa_cli.core.records import ErrorRecord

    return [{"path": str(error.path), **ErrorRecord.of(error).to_json()} for error in errors]


def json_number(value: float) -> float | None:
    """A figure as a JSON value; null where undefined."""
    return value if math.isfinite(value) else None
