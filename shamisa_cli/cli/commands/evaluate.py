"""`shamisa evaluate`: agreement of a model, or of probes on its features, with human scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import mos_options, options
from shamisa_cli.cli.commands import evaluation_modes as modes
from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.cli.inputs import format_of
from shamisa_cli.cli.reporters.agreement import checkpoints
from shamisa_cli.cli.reporters.agreement import gmad as gmad_pairs
from shamisa_cli.cli.reporters.agreement import protocol as protocol_report
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

RESULTS = "Results"


def evaluate(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUTS]...",
            show_default=False,
            help="With --cross: CSV files of human scores. With --gmad and without --mos: pictures, as files, folders "
            "or globs.",
        ),
    ] = None,
    mos: mos_options.OptionalMosFile = None,
    image_column: mos_options.ImageColumn = "image",
    mos_column: mos_options.MosColumn = "mos",
    group_column: mos_options.GroupColumn = None,
    reference_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=mos_options.HUMAN_SCORES,
            show_default="none",
            help="Column that names each picture's undistorted reference: fit on the differences between the features "
            "of the two. Pictures of one reference are never divided by a split.",
        ),
    ] = None,
    subset_column: mos_options.SubsetColumn = None,
    lower_is_better: mos_options.LowerIsBetter = False,
    protocol: Annotated[
        mos_options.ProtocolName,
        typer.Option(
            rich_help_panel=mos_options.PROTOCOL,
            help="paper: fit probes on random splits, as fit-probe --protocol paper does, without keeping them; "
            "default: test the model as it is, or with --cross or --reference-column fit as fit-probe does.",
        ),
    ] = mos_options.ProtocolName.DEFAULT,
    cross: Annotated[
        bool,
        typer.Option(
            "--cross",
            rich_help_panel=mos_options.PROTOCOL,
            show_default="off",
            help="Fit a probe on each table in INPUTS, and test it on each of the other tables.",
        ),
    ] = False,
    dmos: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=mos_options.PROTOCOL,
            show_default="none",
            help="A table of --cross whose scores measure impairment (DMOS). May be given several times.",
        ),
    ] = None,
    splits: mos_options.Splits = 10,
    logistic: Annotated[
        bool | None,
        typer.Option(
            "--logistic/--no-logistic",
            rich_help_panel=RESULTS,
            show_default="logistic; for random splits of one table as in fit-probe",
            help="PLCC and RMSE after a 4-parameter logistic mapping from the model's scale to the table's.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, rich_help_panel=RESULTS, help="Random seed of intervals and splits; with --run, also of --limit."
        ),
    ] = 0,
    format: Annotated[
        modes.Format | None,
        typer.Option(
            "--format",
            "-f",
            rich_help_panel=RESULTS,
            show_default="by the suffix of --output, else text",
            help="text for people, or json.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=RESULTS,
            show_default="stdout",
            help="Write to a file, which appears when it is complete.",
        ),
    ] = None,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    probe: options.ProbeName = None,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    quiet: options.Quiet = False,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
    gmad: gmad_pairs.Rival = None,
    gmad_figure: gmad_pairs.Figure = None,
    gmad_levels: gmad_pairs.Levels = 3,
    run: checkpoints.Run = None,
    every: checkpoints.Every = 1,
    limit: checkpoints.Limit = None,
) -> None:
    """Correlate a model's scores with human scores, with 95 % bootstrap intervals.

    Nothing is fitted to the pictures except the logistic mapping. --protocol paper, --cross and --reference-column
    instead fit probes to test the model's features, and do not keep them (docs/protocols.md). With --gmad, also find
    the pairs of pictures on which the model and another one differ most; that needs no human scores. With --run, test
    the encoders of a training run instead, one for each checkpoint (docs/analyses.md).

    Exit codes: 0 success; 2 error; 3 some pictures could not be read.
    """
    console = Console(quiet=quiet, discard=quiet and format is None and output is None)
    if output is not None:
        check_output(output)
    chosen = format or modes.Format(format_of(output, list(modes.Format)))
    anew = cross or reference_column is not None or protocol is mos_options.ProtocolName.PAPER
    _check_tables(mos, inputs, cross=cross, anew=anew, gmad=gmad, run=run)
    if gmad_figure is not None:
        gmad_pairs.check_figure(gmad_figure)
    columns = protocol_report.Columns(image_column, mos_column, group_column, subset_column, reference_column)
    loading = modes.ModelOptions(model, probe, offline, device, runtime, jobs, cache, cache_dir, cache_size, console)
    if anew:
        settings = protocol_report.Settings(protocol, splits, seed, logistic, lower_is_better, jobs)
        files = [Path(name) for name in inputs or []] if mos is None else [mos]
        unreadable = modes.fit_anew(files, columns, settings, dmos or [], loading, chosen, output, cross=cross)
        raise typer.Exit(exit_code(failed=0, unreadable=unreadable, skip_unreadable=skip_unreadable))

    table = None if mos is None else columns.read(mos)
    if run is not None:
        assert table is not None
        unreadable = modes.judge_checkpoints(run, table, loading, chosen, output, every=every, limit=limit, seed=seed)
        raise typer.Exit(exit_code(failed=0, unreadable=unreadable, skip_unreadable=skip_unreadable))
    competition = None if gmad is None else modes.GmadOptions(gmad, gmad_figure, gmad_levels)
    agreement = modes.AgreementOptions(lower_is_better, logistic is not False, seed)
    unreadable = modes.judge_as_it_is(table, inputs, agreement, competition, loading, chosen, output)
    raise typer.Exit(exit_code(failed=0, unreadable=unreadable, skip_unreadable=skip_unreadable))


def _check_tables(
    mos: Path | None,
    inputs: Sequence[str] | None,
    *,
    cross: bool,
    anew: bool,
    gmad: str | None,
    run: Path | None,
) -> None:
    """Raise SettingError if the tables or pictures are not named just once."""
    if run is not None and mos is None:
        raise SettingError("--run tests checkpoints on a table of human scores: name one with --mos.")
    if cross and mos is not None:
        raise SettingError(
            "--cross takes its tables as arguments, without --mos: shamisa evaluate --cross a.csv b.csv c.csv"
        )
    if not cross and mos is None and (gmad is None or anew):
        raise SettingError(
            "Name a table of human scores with --mos FILE, several with --cross FILE FILE ..., or another model with "
            "--gmad."
        )
    if not cross and mos is not None and inputs:
        raise SettingError(f"The pictures are those of the table; {inputs[0]} needs --cross, or --gmad without --mos.")
