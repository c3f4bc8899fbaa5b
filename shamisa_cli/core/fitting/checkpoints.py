"""How well the encoder at every checkpoint of a training run agrees with human scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.fitting.doubts import KEPT_TOGETHER
from shamisa_cli.core.models.runtimes import device_name
from shamisa_cli.core.places import require_place
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table
from shamisa_cli.core.probe.same_pictures import repeats
from shamisa_cli.core.probe.step_agreement import StepAgreement


@dataclass(frozen=True)
class RunEvaluation:
    """Agreement with people over the steps of a run.

    Attributes:
        steps: in their order; also in the run's benchmark.jsonl.
        asked, read: images of the table, and those of them that could be read.
        figure: a PNG of it in the run's folder.
        errors: sentences about checkpoints that cannot be read, which are left out.
        unreadable: sentences about images that could not be read, or about the first of them.
        warnings: sentences on pictures with several rows in the table.
    """

    steps: tuple[StepAgreement, ...]
    asked: int
    read: int
    figure: Path
    errors: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def evaluate_run(
    run: str | Path,
    mos: str | Path | MosTable,
    *,
    every: PositiveInt = 1,
    limit: PositiveInt | None = None,
    seed: int = 0,
    device: str = "auto",
    jobs: PositiveInt | None = None,
    on_begin: Callable[[int, int], None] = lambda _steps, _images: None,
    on_image: Callable[[int], None] = lambda _images: None,
    on_step: Callable[[StepAgreement], None] = lambda _new: None,
) -> RunEvaluation:
    """Fit and judge a regressor on the features of each kept checkpoint, at half the usual view size.

    Each result is kept in RUN/benchmark.jsonl as soon as it is there, and RUN/benchmark.png is drawn anew; steps that
    were judged before are not computed again.

    Args:
        run: the folder of a run of `shamisa train`.
        mos: a CSV file of human scores, or a table read from one.
        every: only steps that are multiples of it, and the newest.
        limit: only so many images of the table, drawn from `seed`.
        seed: of the splits, and of `limit`.
        device: where the encoder computes: auto, cpu, cuda, cuda:N or mps.
        jobs: threads that decode.
        on_begin: told how many steps there are to judge, and how many images each has.
        on_image: told 1 after each image.
        on_step: told each new result.

    Raises:
        TrainingError: there is no run, or none of its checkpoints is left, or can be read.
        SettingError: the run trains no encoder, too few images are asked for, or PyTorch is not installed.
        InputNotFoundError: too few images can be read.
        MosTableError: the table cannot be read.
    """
    with needs_pytorch("testing checkpoints"):
        from shamisa_cli.core.training.dynamics import FIGURE_FILE, CheckpointBenchmark, probe_checkpoints
        from shamisa_cli.core.training.dynamics_figure import draw_agreements
        from shamisa_cli.core.training.run_folder import RunFolder

    table = mos if isinstance(mos, MosTable) else read_mos_table(Path(mos))
    folder = RunFolder(Path(run))
    require_place(folder.path)
    benchmark = CheckpointBenchmark.of(table.file or Path(table.name), table, limit=limit, seed=seed)
    figure = folder.path / FIGURE_FILE

    def judged(new: StepAgreement, known: list[StepAgreement]) -> None:
        on_step(new)
        draw_agreements(figure, known)

    errors: list[str] = []
    steps = probe_checkpoints(
        folder,
        benchmark,
        every=every,
        device=device_name(device),
        jobs=jobs,
        on_begin=on_begin,
        on_picture=on_image,
        on_step=judged,
        on_damaged=errors.append,
    )
    draw_agreements(figure, steps)
    newest = steps[-1]
    return RunEvaluation(
        tuple(steps),
        len(benchmark.table),
        newest.pictures,
        figure,
        tuple(errors),
        newest.errors,
        repeats(benchmark.table.paths, benchmark.pictures, KEPT_TOGETHER),
    )
