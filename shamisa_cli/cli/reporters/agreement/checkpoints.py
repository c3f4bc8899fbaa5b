"""`shamisa evaluate --run`: agreement with human scores at every checkpoint that a training run kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.text import Text

from shamisa_cli.cli import output
from shamisa_cli.cli.console import Console, printable
from shamisa_cli.cli.fitted_table import Column, fitted_table
from shamisa_cli.cli.mos_options import UNDEFINED

if TYPE_CHECKING:
    from shamisa_cli.core.fitting.checkpoints import RunEvaluation
    from shamisa_cli.core.probe.mos_table import MosTable
    from shamisa_cli.core.probe.step_agreement import StepAgreement

SCHEMA = 1
FIGURE_CELLS = len("0.123")
PANEL = "Training run"

Run = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="DIR",
        rich_help_panel=PANEL,
        show_default="none",
        help="Instead of a model, test the encoder of every checkpoint that a run of shamisa train kept, with a probe "
        "fitted to the table at half the usual view size. Results go to DIR/benchmark.jsonl, one line per step, and "
        "DIR/benchmark.png; steps with a result are not computed again.",
    ),
]
Every = Annotated[
    int,
    typer.Option(
        "--every", min=1, rich_help_panel=PANEL, help="With --run, only steps that are multiples of N, and the newest."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        rich_help_panel=PANEL,
        show_default="all",
        help="With --run, only N pictures of the table, drawn at random with --seed.",
    ),
]


def judge_run(
    run: Path,
    table: MosTable,
    *,
    every: int,
    limit: int | None,
    seed: int,
    device: str,
    jobs: int | None,
    console: Console,
) -> RunEvaluation:
    """Evaluate the checkpoints, report each result, and draw the curve of all; warn of what could not be read.

    Raises TrainingError, SettingError, InputNotFoundError and ModelError as `evaluate_run` does.
    """
    from shamisa_cli.core.fitting.checkpoints import evaluate_run

    with ExitStack() as stack:
        bars: list[Callable[[int], None]] = []

        def begin(steps: int, pictures: int) -> None:
            console.hint(f"{steps} steps to test, on {pictures:,} pictures each.")
            bars.append(stack.enter_context(console.progress("Judging", steps * pictures)))

        found = evaluate_run(
            run,
            table,
            every=every,
            limit=limit,
            seed=seed,
            device=device,
            jobs=jobs,
            on_begin=begin,
            on_image=lambda count: bars[0](count),
            on_step=lambda new: console.hint(f"step {new.step}: SRCC {_figure(new.median())}"),
        )
    for sentence in (*found.errors, *found.warnings):
        console.warn(sentence)
    console.warn_of_unreadable(found.unreadable, found.asked - found.read)
    console.hint(f"The figure is in {found.figure}.")
    return found


def write_json(stream: TextIO, run: Path, mos: Path, agreements: Sequence[StepAgreement]) -> None:
    """All steps as JSON, in the form of the lines of benchmark.jsonl."""
    steps = [agreement.to_json() for agreement in agreements]
    document = {"schema": SCHEMA, "run": str(run), "mos": str(mos), "steps": steps}
    output.write_json(document, stream)


def write_table(stream: TextIO, agreements: Sequence[StepAgreement]) -> None:
    """Table for people: one row per step, with the median SRCC, its quartiles, and the median of each subset."""
    console = output.rich_on(stream)
    subsets = sorted({name for agreement in agreements for name in agreement.subsets})
    quantiles = [agreement.quantiles() for agreement in agreements]
    columns = [
        Column(" Step", [f" {agreement.step:,}" for agreement in agreements], "right"),
        Column("SRCC", [_figure(median) for _, median, _ in quantiles], "right"),
        Column(
            "quartiles", [f"[{_figure(low)}, {_figure(high)}]" for low, _, high in quantiles], "right", importance=0
        ),
    ]
    for place, name in enumerate(subsets):
        medians = [_figure(agreement.median(name)) for agreement in agreements]
        columns.append(Column(printable(name), medians, "right", least=FIGURE_CELLS, importance=len(subsets) - place))
    output.print_block(console, fitted_table(columns, console.width))
    last = agreements[-1]
    note = f"{last.table}, {last.pictures:,} pictures at half the usual view size; {len(last.srcc)} splits"
    output.print_block(console, Text(f"\n {printable(note)}", "dim"))


def _figure(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else UNDEFINED
