"""`shamisa fit-defects`: fit a model's defect probe, without human scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli import options
from shamisa_cli.cli.command_text import command_text
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.cli.output import plain_table, print_block, rich_on
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.models.manifest import MODEL_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from shamisa_cli.core.probe.defects import DefectAccuracy


def fit_defects(
    context: typer.Context,
    model: Annotated[
        Path,
        typer.Option(
            "--model",
            metavar="FOLDER",
            rich_help_panel=options.MODEL,
            help="Model folder; the defect probe is saved there.",
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="Undistorted photographs. May be given several times."),
    ],
    versions: Annotated[
        int, typer.Option(min=2, help="Versions of each photograph: one untouched, the others degraded.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    skip_unreadable: options.SkipUnreadable = False,
    device: options.DeviceName = options.Device.AUTO,
) -> None:
    """Fit a model's defect probe: severities from 0 to 4 of blur, noise and five other kinds of defect.

    The distortion engine degrades photographs, and linear probes on the model's features learn how strongly.
    The table shows their accuracy on held-out photographs; it is added to the model's card.

    Exit codes:
    0  success
    2  error: unknown option, no photograph found, no such model
    3  some photographs could not be read (see --skip-unreadable)
    """
    console = Console()
    if not is_file(model / MODEL_MANIFEST):
        raise SettingError(f"{model} is not a model folder; --model must name the folder for the defect probe.")

    from shamisa_cli.core.fitting.defects import fit_defects as fit

    fitted = fit(
        model,
        data,
        versions=versions,
        seed=seed,
        device=device,
        command=command_text(context, "fit-defects"),
        progress=console.progress,
    )
    with console.results(None) as stream:
        _write_table(stream, fitted.accuracies)
    console.warn_of_unreadable([str(error) for error in fitted.errors])
    for warning in fitted.warnings:
        console.warn(warning)
    console.hint(f"The defect probe is in {model}. Use it with: shamisa score --model {model}")
    raise typer.Exit(exit_code(failed=0, unreadable=len(fitted.errors), skip_unreadable=skip_unreadable))


def _write_table(stream: TextIO, accuracies: Sequence[DefectAccuracy]) -> None:
    from shamisa_cli.core.probe.card import DEFECT_HEADINGS, accuracy_rows

    console = rich_on(stream)
    table = plain_table()
    table.add_column(" Group")
    for heading in DEFECT_HEADINGS:
        table.add_column(heading, justify="right")
    for name, *figures in accuracy_rows(accuracies):
        table.add_row(f" {name}", *figures)
    print_block(console, table)
