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
"""Number of checkpoints after which curves are drawn again; they are also drawn at the end."""


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
    """Begin or resume a run, and save the model after the last step.

    Nothing is written before settings, photographs and initial weights have been checked. All of several processes
    call this; the leader alone writes files and calls `on_begin` and `on_step`.

    Args:
        run: folder of the run.
        record: settings, and the record of the photographs.
        pristine, real: the photographs.
        resume: resume the run in the folder instead of beginning one.
        world: device and processes; this process alone on the CPU when None.
        workers: processes that make batches.
        checkpoint_every: steps between checkpoints.
        keep_every: checkpoints at multiples of this step are kept for good; 0 keeps only the newest.
        on_begin: called once with the first step.
        on_step, stop: as for `Trainer.train`.

    Returns:
        The model folder, or None if `stop`, in any process, ended training before the last step.

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
    world.wait()  # until all have checked the folder
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
