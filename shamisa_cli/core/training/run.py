"""A training run: what is chosen for it, what is known of it before it begins, and from there to the model folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shamisa_cli.core.arguments import Count, PositiveInt
from shamisa_cli.core.errors import TrainingError, reason_of
from shamisa_cli.core.images.discovery import discover
from shamisa_cli.core.networks.model_folders import choose_device
from shamisa_cli.core.scoring.provenance import TRAINING_PACKAGES, software
from shamisa_cli.core.sole_writer import sole_writer
from shamisa_cli.core.torch_state import as_torch_ships, sole_random_numbers
from shamisa_cli.core.training.batch_loader import lost_workers
from shamisa_cli.core.training.curves import Panels, draw_curves
from shamisa_cli.core.training.distributed import World, joined, processes_here
from shamisa_cli.core.training.metrics import Metrics
from shamisa_cli.core.training.photo_record import FingerprintKind, photo_record
from shamisa_cli.core.training.pretraining.config import read_config_file
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord
from shamisa_cli.core.training.settings import Settings, preset, shown_ablations, with_ablation, with_settings
from shamisa_cli.core.training.tasks import task_of
from shamisa_cli.core.training.trainer import Trainer

CURVES_EVERY = 5
"""Number of checkpoints after which curves are drawn again; they are also drawn at the end."""
DEFAULT_TASK, DEFAULT_PRESET = "shamisa", "quick"
MAX_WORKERS = 8
COMMAND_FROM_PYTHON = "shamisa_cli.train(...)"
"""What the model card names as the command that trained the model."""


@dataclass(frozen=True)
class RunSettings:
    """Choice of the settings of a run; where nothing is chosen, the default holds, or the settings of a resumed run.

    Attributes:
        task: "shamisa" or "relational".
        preset: the name of one of the task's presets.
        config: a TOML or JSON file whose settings replace those of the preset.
        changes: settings by name, nested as in that file; they replace those of preset and file.
        ablation: the name of a published ablation, applied last.
    """

    task: str | None = None
    preset: str | None = None
    config: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    ablation: str | None = None

    def settings(self) -> Settings:
        """The settings of a new run. Raises SettingError if a choice is invalid."""
        settings = preset(self.task or DEFAULT_TASK, self.preset or DEFAULT_PRESET)
        if self.config is not None:
            settings = with_settings(settings, read_config_file(self.config))
        return self.changed(settings)

    def changed(self, settings: Settings) -> Settings:
        """`settings` with only `changes` and `ablation` applied. Raises SettingError if one is invalid."""
        settings = with_settings(settings, self.changes)
        return settings if self.ablation is None else with_ablation(settings, self.ablation)

    def resumed(self, begun: Settings) -> Settings:
        """The settings of a resumed run: `begun` changed, or new ones if a preset, a file or another task is chosen.

        Raises TrainingError if the run shows another ablation than the chosen one.
        """
        others = [name for name in shown_ablations(begun) if name != self.ablation]
        if self.ablation is not None and others:
            raise TrainingError(
                f"The run was started with the ablation {others[0]}, and now {self.ablation} is chosen. Resume it "
                "without naming an ablation, or start a new run in another folder."
            )
        if self.preset or self.config or self.task not in (None, begun.task):
            return replace(self, task=self.task or begun.task).settings()
        return self.changed(begun)


@dataclass(frozen=True)
class PlannedRun:
    """A run before its first step: its record and its photographs."""

    record: RunRecord
    pristine: Sequence[Path]
    real: Sequence[Path]


def plan_run(
    settings: Settings,
    data: Sequence[Path],
    real: Sequence[Path],
    command: str,
    fingerprint_of: FingerprintKind = "contents",
) -> PlannedRun:
    """Find the photographs of a run, and record them with its settings.

    Args:
        settings: of the run.
        data, real: files, folders and globs of undistorted photographs, and of photographs with faults.
        command: the command line that began the run, for the model card.
        fingerprint_of: as for `photo_record`.

    Raises InputNotFoundError if nothing is found.
    """
    pristine, imperfect = discover(data), discover(real) if real else []
    photographs = photo_record(data, pristine, real, imperfect, fingerprint_of)
    record = RunRecord(settings, photographs, command, software=(software(TRAINING_PACKAGES),))
    return PlannedRun(record, pristine, imperfect)


def resumed_run(
    run: RunFolder, chosen: RunSettings, data: Sequence[Path] | None = None, real: Sequence[Path] | None = None
) -> PlannedRun:
    """Plan a run that goes on: as recorded in its folder, with the new choices; `train_run` refuses forbidden changes.

    Args:
        run: the folder.
        chosen: changes of settings.
        data, real: as for `plan_run`; None or empty: those of the record.

    Raises TrainingError if there is no run, SettingError and InputNotFoundError if a choice is invalid.
    """
    begun = run.read()
    settings = chosen.resumed(begun.config)
    inputs = data or [Path(name) for name in begun.photographs.pristine_inputs]
    real_inputs = real or [Path(name) for name in begun.photographs.real_inputs]
    planned = plan_run(settings, inputs, real_inputs, begun.command, begun.photographs.fingerprint_of)
    used = begun.continued_with(planned.record.software[-1])
    return replace(planned, record=replace(planned.record, software=used))


def default_workers() -> int:
    """Default number of processes that make batches: this process's share of the CPU cores less one, from 1 to 8."""
    own = (os.cpu_count() or 2) // processes_here()
    return max(1, min(MAX_WORKERS, own - 1))


@as_torch_ships()
def train_run(
    run: RunFolder,
    record: RunRecord,
    pristine: Sequence[Path],
    real: Sequence[Path],
    *,
    resume: bool = False,
    world: World | None = None,
    workers: Count = 0,
    checkpoint_every: PositiveInt | None = None,
    keep_every: Count | None = None,
    on_begin: Callable[[int], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
    on_step: Callable[[Metrics], None] | None = None,
    on_unread: Callable[[str], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path | None:
    """Begin or resume a run, and save the model after the last step.

    Nothing is written before settings, photographs and initial weights have been checked. All of several processes
    call this; the leader alone writes files and calls the functions.

    Args:
        run: folder of the run.
        record: settings, and the record of the photographs.
        pristine, real: the photographs.
        resume: resume the run in the folder instead of beginning one.
        world: device and processes; this process alone on the CPU when None.
        workers: processes that make batches.
        checkpoint_every: steps between checkpoints; None: as the run began, or `CHECKPOINT_EVERY`.
        keep_every: checkpoints at multiples of this step, itself one of `checkpoint_every`, are kept for good; 0 keeps
            only the newest; None: as the run began, or 0.
        on_begin: called once with the first step.
        on_warning: called with a sentence if another version of a package continues the run, newer checkpoints are
            damaged, or the curves cannot be drawn.
        on_step, on_unread, stop: as for `Trainer.train`.

    Returns:
        The model folder, or None if `stop`, in any process, ended training before the last step.

    Raises:
        SettingError: another process trains in the folder, this one trains already, no checkpoint would be kept, or as
            below.
        SettingError, TrainingError, ModelError: as `Trainer`, `RunFolder` and `Task.batches` do.
    """
    world = world or World()
    record = record.with_checkpoints(run.read() if resume else record, checkpoint_every, keep_every)

    devices = [world.device] if world.device.type == "cuda" else []
    with sole_writer(run.path if world.leads else None), lost_workers(), sole_random_numbers(devices):
        record = replace(record, processes=world.size)
        warn = on_warning if world.leads and on_warning else lambda _sentence: None
        if resume:
            run.check_resumable(record)
            if warning := run.software_warning(record):
                warn(warning)
        else:
            run.check_new()
        run = run.keeping(record.keep_every)
        task = task_of(record.config)
        batches = task.batches(pristine, real, record.config, workers=workers, world=world)
        trainer = Trainer(record.config, run, batches, world=world, checkpoint_every=record.checkpoint_every)
        if warning := run.damage_warning(trainer.step):
            warn(warning)
        world.wait()  # until all have checked the folder
        if world.leads:
            run.write(record)
            if on_begin:
                on_begin(trainer.step)

        def draw_now_and_then(step: int) -> None:
            if step % (record.checkpoint_every * CURVES_EVERY) == 0 and step < record.config.steps:
                _draw(run, task.panels, warn)

        finished = trainer.train(on_step=on_step, on_checkpoint=draw_now_and_then, on_unread=on_unread, stop=stop)
        if world.leads:
            _draw(run, task.panels, warn)
            if finished:
                task.save(run, record, trainer.work, seconds=trainer.seconds)
        world.wait()
        return run.model if finished else None


def _draw(run: RunFolder, panels: Panels, warn: Callable[[str], None]) -> None:
    try:
        draw_curves(run.metrics, run.curves, panels)
    except Exception as error:  # a picture of the run must not end it
        warn(f"{run.curves} could not be drawn from {run.metrics} ({reason_of(error)}). The run goes on without it.")


def train(
    data: Sequence[str | Path],
    output: str | Path,
    settings: RunSettings | None = None,
    *,
    real: Sequence[str | Path] = (),
    resume: bool = False,
    device: str = "auto",
    workers: Count | None = None,
    checkpoint_every: PositiveInt | None = None,
    keep_every: Count | None = None,
    on_warning: Callable[[str], None] | None = None,
    on_step: Callable[[Metrics], None] | None = None,
    on_unread: Callable[[str], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path | None:
    """Train an encoder or the relational networks on photographs without human scores; needs PyTorch.

    Args:
        data: undistorted photographs: files, folders and globs; with `resume` none takes the run's own.
        output: folder of the run; the trained model is saved in its folder `model`.
        settings: task, preset and changes; None takes the default ones, or the run's own with `resume`.
        real: photographs that have faults already.
        resume: continue the run in `output`.
        device: auto (CUDA, else MPS, else CPU), cpu, cuda, cuda:N or mps.
        workers: processes that make batches; None takes one less than there are processors, at most 8.
        checkpoint_every, keep_every, on_warning, on_step, on_unread, stop: as for `train_run`.

    Returns:
        The model folder, or None if `stop` ended training before the last step.

    Raises:
        InputNotFoundError: no photograph is found.
        SettingError, TrainingError, ModelError: as `train_run` does.
    """
    chosen, run = settings or RunSettings(), RunFolder(Path(output))
    photos, imperfect = [Path(path) for path in data], [Path(path) for path in real]
    if resume:
        planned = resumed_run(run, chosen, photos, imperfect)
    else:
        planned = plan_run(chosen.settings(), photos, imperfect, COMMAND_FROM_PYTHON)
    with joined(choose_device(device)) as world:
        return train_run(
            run,
            planned.record,
            planned.pristine,
            planned.real,
            resume=resume,
            world=world,
            workers=default_workers() if workers is None else workers,
            checkpoint_every=checkpoint_every,
            keep_every=keep_every,
            on_warning=on_warning,
            on_step=on_step,
            on_unread=on_unread,
            stop=stop,
        )
