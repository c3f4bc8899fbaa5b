"""`shamisa fit-direction`: teach a model which of two versions of a picture is the better one, without human scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import options
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.models.manifest import MODEL_MANIFEST


def fit_direction(
    model: Annotated[
        Path,
        typer.Option(
            "--model",
            metavar="FOLDER",
            rich_help_panel=options.MODEL,
            help="Model folder; the direction is saved there.",
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            metavar="DIR",
            help="Good photographs, some of them from lossless files. May be given several times.",
        ),
    ],
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="DIR",
            show_default="none",
            help="Folder for the measurements of each photograph (about 2 MB each); a later fit measures only new "
            "photographs.",
        ),
    ] = None,
    skip_unreadable: options.SkipUnreadable = False,
    device: options.DeviceName = options.Device.AUTO,
) -> None:
    """Fit a model's direction: which of two pictures is the better one, for compare and rank.

    Photographs are degraded, repaired and repaired too much, and a small network on the model's features learns their
    order. Of the photographs 15 % are left out to calibrate how sure the network is, and 15 % to say how often it is
    right.

    Exit codes:
    0  success
    2  error: unknown option, no photograph found, no such model
    3  some photographs could not be read (see --skip-unreadable)
    """
    console = Console()
    if not is_file(model / MODEL_MANIFEST):
        raise SettingError(f"{model} is not a model folder; --model must name the folder for the direction.")

    from shamisa_cli.core.fitting.direction import fit_direction as fit

    found = fit(model, data, seed=seed, store=store, device=device, progress=console.progress)
    with console.results(None) as stream:
        stream.write(
            f"{found.pairs:,} pairs of versions of {found.photos:,} photographs; chances calibrated on "
            f"{found.calibration_photos:,} of them. Of {found.held_pairs:,} pairs of {found.held_photos:,} other "
            f"photographs left out, {found.right:.1%} are in the right order; {found.sure:.1%} are sure, of which "
            f"{found.sure_right:.1%} are right.\n"
        )
    console.warn_of_unreadable([str(error) for error in found.errors])
    console.warn_of_unreadable(found.warnings, what="measurements are not kept")
    console.hint(f"The direction is in {model}.")
    raise typer.Exit(exit_code(failed=0, unreadable=len(found.errors), skip_unreadable=skip_unreadable))
