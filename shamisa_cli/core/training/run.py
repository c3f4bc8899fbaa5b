"""A training run from its settings to the model folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from shamisa_cli.core.training.curves import draw_curves
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.metrics import Metrics
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord
from shamisa_cli.core.training.tasks import task_of
from shamisa_cli.core.training.trainer import CHECKPOINT_EVERY, Trainer

CURVES_EVERY = 5
"""Curves are drawn again after so many checkpoints, and at the end."""


def train_run(
    run: RunFolder,
    record: RunRecord,
    pristine: Sequence[Path],
    real: Sequence[Path],
    *,
    resume: bool = False,
    world: World | None = None,
    workers: int = 0,
    checkpoint_every: int = CHECKPOINT_EVERY,
    keep_every: int = 0,
    on_begin: Callable[[int], None] | None = None,
    on_step: Callable[[Metrics], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path | None:
    """Begin a run, or go on with it, and save the model when the last step is done.

    Nothing is written before settings, photographs and initial weights have been found good. Of several processes
    all call this, and the leader alone writes and calls `on_begin`, `on_step`.

    Args:
        run: the folder to work in.
        record: the settings, and what is known of the photographs.
        pristine, real: the photographs themselves.
        resume: go on with the run in the folder, instead of beginning one.
        world: where to compute, and with whom; alone on the CPU when None.
        workers: processes that make batches.
        checkpoint_every: steps between checkpoints.
        keep_every: the checkpoint of every so many steps stays for good; 0 keeps none but the newest.
        on_begin: called once with the step that training begins at.
        on_step, stop: as `Trainer.train` takes them.

    Returns:
        Where the model lies, or None if `stop`, of any process, ended training before the last step.

    Raises:
        SettingError, TrainingError, ModelError: as `Trainer`, `RunFolder` and `Task.batches` do.
    """
    world = world or World()
    record = replace(record, processes=world.size)
    if resume:
        run.check_resumable(record)
    else:
        run.check_new()
    run = run.keeping(keep_every)
    task = task_of(record.config)
    batches = task.batches(pristine, real, record.config, workers=workers, world=world)
    trainer = Trainer(record.config, run, batches, world=world, checkpoint_every=checkpoint_every)
    world.wait()  # until all have looked at the folder
    if world.leads:
        run.write(record)
        if on_begin:
            on_begin(trainer.step)

    def draw_now_and_then(step: int) -> None:
        if step % (checkpoint_every * CURVES_EVERY) == 0 and step < record.config.steps:
            draw_curves(run.metrics, run.curves, task.panels)

    finished = trainer.train(on_step=on_step, on_checkpoint=draw_now_and_then, stop=stop)
    if world.leads:
        draw_curves(run.metrics, run.curves, task.panels)
        if finished:
            task.save(run, record, trainer.work, seconds=trainer.seconds)
    world.wait()
    return run.model if finished else None
