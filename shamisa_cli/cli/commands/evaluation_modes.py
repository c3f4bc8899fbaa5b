"""The kinds of work that `evaluate` does: a model as it is, regressors fitted anew, and the checkpoints of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.cli import mos_options, options
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.inputs import cache_hits, find_images, open_cache
from shamisa_cli.cli.output import write_json
from shamisa_cli.cli.reporters.agreement import checkpoints, protocol
from shamisa_cli.cli.reporters.agreement import cross as cross_tables
from shamisa_cli.cli.reporters.agreement import gmad as gmad_pairs
from shamisa_cli.cli.reporters.agreement import model as model_report
from shamisa_cli.cli.run_tally import closing_line

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.evaluation import Evaluation
    from shamisa_cli.core.probe.mos_table import MosTable
    from shamisa_cli.core.scoring.cache import Cache


class Format(StrEnum):
    """Forms of the result."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class ModelOptions:
    """The model to load, how and where it computes, and when the command began, by the monotonic clock."""

    name: str
    probe: str | None
    offline: bool
    device: options.Device
    runtime: options.Runtime
    jobs: int | None
    cached: bool
    cache_dir: Path | None
    cache_size: int
    console: Console
    started: float = field(default_factory=time.monotonic)

    def load(self, name: str | None = None, *, on_demand: bool = False) -> Model:
        """The model, or another one by its name."""
        from shamisa_cli.core.models.loading import load_model

        return load_model(
            name or self.name,
            probe=None if name else self.probe,
            offline=self.offline,
            device=self.device,
            runtime=self.runtime.value,
            on_demand=on_demand and self.cached,
        )

    def open_cache(self) -> AbstractContextManager[Cache | None]:
        """The cache, where it is used."""
        return open_cache(self.cached, self.cache_dir, self.cache_size, self.console)

    def conclude(self, read: int, unreadable: int, cache: Cache | None, output: Path | None) -> None:
        """Print the closing line of the run: numbers of images, and where the results are."""
        counts = {"unreadable": unreadable, "from the cache": cache_hits(cache)}
        line = closing_line(
            "evaluated", read, read + unreadable, counts, since=self.started, places={"results": output}
        )
        self.console.hint(line)


@dataclass(frozen=True)
class AgreementOptions:
    """How predictions are held against human scores."""

    lower_is_better: bool
    logistic: bool
    seed: int


@dataclass(frozen=True)
class GmadOptions:
    """Another model, and how its pairs are chosen and shown."""

    rival: str
    figure: Path | None
    levels: int


def fit_anew(
    files: Sequence[Path],
    columns: protocol.Columns,
    settings: protocol.Settings,
    dmos: Sequence[Path],
    loading: ModelOptions,
    format: Format,
    output: Path | None,
    *,
    cross: bool,
) -> int:
    """Fit regressors on random splits, or on one table for the others; the number of unreadable pictures."""
    prepared = cross_tables.prepare(files, columns, settings, dmos, cross=cross, console=loading.console)
    loaded = loading.load()
    with loading.open_cache() as known:
        report = prepared(loaded, known)
    with loading.console.results(output) as stream:
        if format is Format.JSON:
            write_json(report.document, stream)
        else:
            report.write(stream)
    loading.conclude(report.pictures, len(report.errors), known, output)
    return len(report.errors)


def judge_checkpoints(
    run: Path,
    table: MosTable,
    loading: ModelOptions,
    format: Format,
    output: Path | None,
    *,
    every: int,
    limit: int | None,
    seed: int,
) -> int:
    """Judge the checkpoints of a training run; the number of unreadable pictures and checkpoints."""
    found = checkpoints.judge_run(
        run,
        table,
        every=every,
        limit=limit,
        seed=seed,
        device=loading.device.value,
        jobs=loading.jobs,
        console=loading.console,
    )
    with loading.console.results(output) as stream:
        if format is Format.JSON:
            assert table.file is not None
            checkpoints.write_json(stream, run, table.file, found.steps)
        else:
            checkpoints.write_table(stream, found.steps)
    unreadable = found.asked - found.read
    loading.conclude(found.read, unreadable, None, output)
    return unreadable + len(found.errors)


def judge_as_it_is(
    table: MosTable | None,
    inputs: Sequence[str] | None,
    agreement: AgreementOptions,
    competition: GmadOptions | None,
    loading: ModelOptions,
    format: Format,
    output: Path | None,
) -> int:
    """Judge the model as it is, and find the pairs by which it and another are most unlike; unreadable pictures."""
    from shamisa_cli.core.fitting.evaluation import judge, require_readable, score_all
    from shamisa_cli.core.probe.mos_table import MIN_ROWS

    console = loading.console
    pictures = find_images(inputs, None, True, console) if table is None else table.paths
    loaded = loading.load(on_demand=True)
    rival = None if competition is None else loading.load(competition.rival, on_demand=True)
    found = None
    with loading.open_cache() as known:
        records = score_all(loaded, pictures, jobs=loading.jobs, cache=known, progress=console.progress)
        unreadable = [(record.path, record.error.message) for record in records if record.error is not None]
        mos_options.warn_of_unreadable(console, unreadable)
        needed = MIN_ROWS if table is not None else 2 * competition.levels if competition is not None else 1
        require_readable(records, needed, in_table=table is not None)
        if rival is not None and competition is not None:
            marks = None if table is None else table.mos.tolist()
            theirs = score_all(rival, pictures, jobs=loading.jobs, cache=known, progress=console.progress)
            found = gmad_pairs.compete((loaded, rival), (records, theirs), marks, competition.levels)
    results: Sequence[Evaluation] = ()
    if table is not None:
        lower_is_better, logistic, seed = agreement.lower_is_better, agreement.logistic, agreement.seed
        judged = judge(loaded, records, table, lower_is_better=lower_is_better, logistic=logistic, seed=seed)
        results = judged.results
        mos_options.warn_of_doubts(console, judged.warnings, reversed=judged.reversed)
    if found is not None and competition is not None and competition.figure is not None:
        gmad_pairs.draw(competition.figure, found, console)
    with console.results(output) as stream:
        if format is Format.JSON:
            mos = None if table is None else table.file
            document = model_report.document(loaded, mos, results, records, agreement.logistic)
            write_json(document if found is None else {**document, "gmad": found.to_json()}, stream)
        else:
            if results:
                figures = [model_report.row(result) for result in results]
                mos_options.write_figures(stream, figures, model_report.note(loaded, agreement.logistic))
            if found is not None:
                gmad_pairs.write_gmad(stream, found)
    loading.conclude(len(records) - len(unreadable), len(unreadable), known, output)
    return len(unreadable)
