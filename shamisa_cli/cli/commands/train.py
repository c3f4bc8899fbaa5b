"""`shamisa train`: train an encoder, or the relational networks, on photographs without human scores."""

from __future__ import annotations

import shlex
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli.console import Console, require_file_name
from shamisa_cli.cli.interrupts import request_stop_on_signals
from shamisa_cli.cli.options import RUNNING, Device, DeviceName
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.extras import needs_pytorch, require_pytorch

if TYPE_CHECKING:
    from shamisa_cli.core.errors import ImageError

DATA = "Photographs"
SETTINGS = "Settings"
CHECKPOINT_EVERY = 100
BEGAN = f"{CHECKPOINT_EVERY}; with --resume, as the run began"
MOST_PREVIEWED = 26
"""Photographs on a contact sheet: one for each operator."""


class TaskName(StrEnum):
    """Tasks that can be trained."""

    SHAMISA = "shamisa"
    RELATIONAL = "relational"


NEXT = {
    TaskName.SHAMISA: "shamisa fit-probe --model {model} --mos SCORES.csv -o PROBE",
    TaskName.RELATIONAL: "shamisa compare --model {model} REFERENCE CANDIDATE",
}
"""Command to use with the trained model of each task."""


class Preset(StrEnum):
    """Named sets of settings, defined in the config module of each task in core/training."""

    PAPER = "paper"
    QUICK = "quick"


def train(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="DIR",
            rich_help_panel=DATA,
            show_default="the run's own with --resume",
            help="Undistorted photographs: a folder, file or glob. May be given several times.",
        ),
    ] = None,
    real: Annotated[
        list[Path] | None,
        typer.Option(
            "--real",
            metavar="DIR",
            rich_help_panel=DATA,
            show_default="none",
            help="Photographs that already have faults. shamisa: for retention, and for a share --real-share of the "
            "samples; relational: half of the sets start from them.",
        ),
    ] = None,
    real_share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            rich_help_panel=DATA,
            show_default="from the settings; 0 in both presets",
            help="Probability that a sample takes its photographs from --real; only for the task shamisa.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="RUN",
            show_default="none",
            help="Folder of the run; the trained model is saved in RUN/model.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", show_default="off", help="Continue the run in RUN, with its own settings."),
    ] = False,
    task: Annotated[
        TaskName | None,
        typer.Option(
            rich_help_panel=SETTINGS,
            show_default="shamisa, or the run's own with --resume",
            help="shamisa: an encoder, for score; relational: networks for compare and rank.",
        ),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            rich_help_panel=SETTINGS, show_default="quick", help="paper: days on a GPU; quick: an hour on a laptop."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=SETTINGS,
            show_default="none",
            help="TOML or JSON file whose settings replace those of the preset.",
        ),
    ] = None,
    ablation: Annotated[
        str | None,
        typer.Option(
            metavar="CASE",
            rich_help_panel=SETTINGS,
            show_default="none",
            help="One of the 21 published ablations, A0 to F1 (docs/method.md lists them); only for the task shamisa.",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=SETTINGS,
            show_default="the preset's",
            help="Network to train, such as mobilenet_v2, resnet50, efficientnet_lite2, or timm:NAME for a "
            "convolutional network of timm; only for the task shamisa.",
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="imagenet|none|FILE",
            rich_help_panel=SETTINGS,
            show_default="imagenet",
            help="Initial weights: imagenet downloads torchvision's IMAGENET1K_V1, or timm's; FILE is a safetensors "
            "file with their key names. For relational also the folder of an earlier relational model.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=SETTINGS, show_default="the preset's", help="Number of batches to train on."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, rich_help_panel=SETTINGS, show_default="0", help="Random seed."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            rich_help_panel=RUNNING,
            show_default="one less than processors, at most 8",
            help="Number of processes that make batches; it does not change results.",
        ),
    ] = None,
    device: DeviceName = Device.AUTO,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="STEPS", rich_help_panel=RUNNING, show_default=BEGAN, help="Steps between checkpoints."
        ),
    ] = None,
    keep_every: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="STEPS",
            rich_help_panel=RUNNING,
            show_default="0: only the newest two; with --resume, as the run began",
            help="Also keep every checkpoint at a multiple of STEPS, to analyse the training with evaluate --run.",
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="none",
            help="Write a contact sheet of training crops, made from --data; without -o, stop after that.",
        ),
    ] = None,
) -> None:
    """Train on photographs without human scores: an encoder, for fit-probe, or the relational networks.

    RUN gets metrics.jsonl, curves.png, checkpoints and, at the end, the model folder RUN/model. A run can be
    interrupted at any moment; continue it with: shamisa train -o RUN --resume

    On N GPUs: torchrun --nproc-per-node N -m shamisa_cli train ...; each process adds its own crops to a batch.
    """
    require_pytorch("training")
    if output is None and preview is None:
        raise typer.BadParameter("Name the run's folder, as -o RUN.", param_hint="--output")
    _check_distances(checkpoint_every or (None if resume else CHECKPOINT_EVERY), keep_every)
    if preview is not None:
        _write_preview(preview, task or TaskName.SHAMISA, data, seed or 0)
    if output is None:
        return
    if is_file(output):
        raise SettingError(f"{output} is a file; --output must name the folder of a run.")
    batch = None if real_share is None else {"real_share": real_share}
    typed = {"architecture": backbone, "init": init, "steps": steps, "seed": seed, "batch": batch}
    changes = {name: value for name, value in typed.items() if value is not None}

    from shamisa_cli.cli.training_display import training_progress

    with needs_pytorch("training"):
        from shamisa_cli.core.networks.model_folders import choose_device
        from shamisa_cli.core.training.distributed import joined, launcher
        from shamisa_cli.core.training.run import RunSettings, default_workers, plan_run, resumed_run, train_run
        from shamisa_cli.core.training.run_folder import RunFolder

    chosen = RunSettings(task and task.value, preset and preset.value, config, changes, ablation)
    run = RunFolder(output)
    if resume:
        planned = resumed_run(run, chosen, data, real)
    else:
        planned = plan_run(chosen.settings(), _named(data), real or [], f"{launcher()} {shlex.join(sys.argv[1:])}")
    with joined(choose_device(device.value)) as world:
        hint = Console().hint if world.leads else _silent
        with (
            request_stop_on_signals(hint) as caught,
            training_progress(planned.record.config.steps, shown=world.leads) as (begin, show),
        ):
            model = train_run(
                run,
                planned.record,
                planned.pristine,
                planned.real,
                resume=resume,
                world=world,
                workers=default_workers() if workers is None else workers,
                checkpoint_every=checkpoint_every,
                keep_every=keep_every,
                on_begin=begin,
                on_warning=Console().warn,
                on_step=show,
                on_unread=Console().warn_once(),
                stop=lambda: bool(caught),
            )
    if model is None:
        hint(f"Stopped after a checkpoint. Continue with: {launcher()} train -o {shlex.quote(str(run.path))} --resume")
        raise typer.Exit(128 + (caught or [signal.SIGTERM])[0])
    hint(f"Next: {NEXT[TaskName(planned.record.config.task)].format(model=shlex.quote(str(model)))}")
    if world.leads:
        typer.echo(model)


def _check_distances(every: int | None, keep: int | None) -> None:
    """Raise BadParameter if no checkpoint would be kept for good; None: as the run began."""
    if keep and every and keep % every:
        raise typer.BadParameter(
            f"{keep} is not a multiple of --checkpoint-every {every}, so none would be kept.", param_hint="--keep-every"
        )


def _named(data: list[Path] | None) -> list[Path]:
    """The folders of undistorted photographs. Raises BadParameter where none is named."""
    if not data:
        raise typer.BadParameter("Name a folder of undistorted photographs, as --data DIR.", param_hint="--data")
    return data


def _silent(_: str) -> None:
    """Print nothing, in processes other than the leader."""


def _write_preview(target: Path, task: TaskName, data: list[Path] | None, seed: int) -> None:
    from shamisa_cli.core.images.discovery import discover
    from shamisa_cli.core.images.drawings import require_no_other_file, write_drawing

    with needs_pytorch("training"):
        from shamisa_cli.core.training.contact_sheets import operator_sheet, ordered_set_sheet

    if not data:
        raise typer.BadParameter("A preview needs photographs: name a folder, as --data DIR.", param_hint="--data")
    if target.suffix.lower() != ".png":
        raise SettingError(f"{target} does not end in .png; --preview must name a .png file.")
    require_file_name(target, "--preview")
    require_no_other_file(target)
    contact_sheet = ordered_set_sheet if task is TaskName.RELATIONAL else operator_sheet
    console = Console()

    def warn(error: ImageError) -> None:
        console.warn(str(error))

    write_drawing(contact_sheet(discover(data)[:MOST_PREVIEWED], seed, unread=warn), target)
    console.hint(f"Wrote {target}.")
