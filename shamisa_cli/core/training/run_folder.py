"""Folders of runs: their files, and checks before a run begins or is resumed there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import PARSE_ERRORS, SettingError, TrainingError
from shamisa_cli.core.existence import closed_on_the_way, exists, is_file
from shamisa_cli.core.overrides import differences, with_overrides
from shamisa_cli.core.plain_files import read_plain
from shamisa_cli.core.probe.step_agreement import RECORDS_FILE
from shamisa_cli.core.scoring.provenance import differing, reading_in
from shamisa_cli.core.training.checkpoints import CHECKPOINT_EVERY, CheckpointStore
from shamisa_cli.core.training.photo_record import PhotoRecord
from shamisa_cli.core.training.settings import Settings, defaults

SCHEMA = 1

NOT_RECORDED = "not recorded"
"""Software of the beginning of a run that an early version began."""
MOST_BYTES = 100_000_000
"""Of the record of a run."""


@dataclass(frozen=True)
class RunRecord:
    """Content of run.json: settings, photographs, processes and software, which determine every number of the run.

    Attributes:
        config: the settings.
        photographs: the photographs that crops are drawn from.
        command: the command line that began the run, for the model's card.
        processes: number of processes that train together; each adds crops of its own to a batch.
        software: way of reading and versions of packages as text: of the beginning, and of each continuation with
            others. Empty in records of early versions.
        checkpoint_every: steps between checkpoints.
        keep_every: checkpoints at multiples of this step are kept for good; 0: only the newest are.
    """

    config: Settings
    photographs: PhotoRecord
    command: str = ""
    processes: int = 1
    software: tuple[str, ...] = ()
    checkpoint_every: int = CHECKPOINT_EVERY
    keep_every: int = 0

    def with_checkpoints(self, begun: RunRecord, every: int | None, keep: int | None) -> RunRecord:
        """This record with distances of checkpoints: those given, or of the run as it began.

        Raises SettingError if no checkpoint would be kept for good.
        """
        every = begun.checkpoint_every if every is None else every
        keep = begun.keep_every if keep is None else keep
        if keep % every:
            raise SettingError(
                f"Checkpoints of every {keep} steps cannot be kept, as one is written every {every}: name a multiple "
                "of that."
            )
        return replace(self, checkpoint_every=every, keep_every=keep)

    def continued_with(self, now: str) -> tuple[str, ...]:
        """The record's software, and that of now unless it is the last."""
        before = self.software or (NOT_RECORDED,)
        return before if before[-1] == now else (*before, now)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {"schema": SCHEMA, "task": self.config.task, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunRecord:
        """Read what `to_json` wrote; a record without a task, of an early version, is SHAMISA's.

        Raises TrainingError or SettingError on anything else.
        """
        if data["schema"] != SCHEMA:
            raise TrainingError(f"It was written by a different release of this program (schema {data['schema']}).")
        entries = {name: value for name, value in data.items() if name not in ("schema", "task", "config")}
        config = with_overrides(defaults(data.get("task", "shamisa")), data["config"])
        return with_overrides(cls(config, PhotoRecord((), (), 0, 0, "")), entries)


@dataclass(frozen=True)
class RunFolder:
    """Folder of a run.

    Attributes:
        path: the folder.
        keep_every: as for `CheckpointStore`.
    """

    path: Path
    keep_every: int = 0
    checkpoints: CheckpointStore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoints", CheckpointStore(self.path / "checkpoints", self.keep_every))

    def keeping(self, every: int) -> RunFolder:
        """The same folder, in which checkpoints at multiples of the step `every` are kept for good."""
        return replace(self, keep_every=every)

    @property
    def record(self) -> Path:
        """Path of run.json; it exists if the folder holds a run."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """Path of metrics.jsonl, with one line per step."""
        return self.path / "metrics.jsonl"

    @property
    def curves(self) -> Path:
        """Path of curves.png."""
        return self.path / "curves.png"

    @property
    def agreements(self) -> Path:
        """Path of benchmark.jsonl, with one line for each step that was judged."""
        return self.path / RECORDS_FILE

    @property
    def model(self) -> Path:
        """The model folder of a finished run."""
        return self.path / "model"

    def read(self) -> RunRecord:
        """Read the run's record. Raises TrainingError if there is none, or it cannot be read."""
        if not is_file(self.record):
            raise TrainingError(
                f"There is no run in {self.path}. Name the folder of one, or start one without resuming."
                f"{closed_on_the_way(self.path)}"
            )
        try:
            return RunRecord.from_json(json.loads(read_plain(self.record, MOST_BYTES)))
        except (OSError, *PARSE_ERRORS, KeyError, TypeError, AttributeError, TrainingError, SettingError) as error:
            raise TrainingError(f"The record of the run, {self.record}, cannot be used: {error}") from error

    def check_new(self) -> None:
        """Raise TrainingError if the folder already holds a run, or something that a run would replace."""
        if exists(self.record) or self.checkpoints.steps():
            raise TrainingError(f"{self.path} already holds a run. Resume it, or name another folder for a new one.")

        for path in (self.metrics, self.curves, self.model, self.agreements):
            if os.path.lexists(path):
                raise TrainingError(
                    f"{path} is there and of no run here, and a run would replace it or take it for its own. Name a "
                    "new folder."
                )

    def check_resumable(self, record: RunRecord) -> None:
        """Check that the run in this folder can be resumed with `record`.

        Raises:
            TrainingError: there is no run, or its settings, photographs, number of processes or way of reading
                photographs differ; more steps are allowed if the schedule does not depend on their number.
        """
        begun = self.read()
        if exists(self.metrics) and not is_file(self.metrics):
            raise TrainingError(f"{self.metrics} is not a file, so the run cannot write there. Move it away.")
        if begun.config.task != record.config.task:
            raise TrainingError(
                f"The run in {self.path} is of the task {begun.config.task}, but {record.config.task} was requested. "
                "Resume it without naming a task, or start a new run in another folder."
            )
        if begun.processes != record.processes:
            raise TrainingError(
                f"The run in {self.path} was started with {begun.processes} processes, and now there are "
                f"{record.processes}. Use the same number, so that batches stay the same: give torchrun that "
                "--nproc-per-node (times the number of machines), or leave torchrun out for one."
            )
        extended = replace(begun.config, steps=max(begun.config.steps, record.config.steps))
        allowed = extended if begun.config.steps_may_grow else begun.config
        other = differences(allowed, record.config)
        if other:
            listed = "; ".join(f"{name} was {old!r} and is now {new!r}" for name, (old, new) in other.items())
            raise TrainingError(
                f"The run in {self.path} was started with different settings: {listed}. Resume it without changing "
                "them, or start a new run in another folder."
            )
        self._check_reading(begun, record)
        if begun.photographs.fingerprint != record.photographs.fingerprint:
            raise TrainingError(
                f"The run in {self.path} was started on {_counted(begun.photographs)}, and the ones named now are not "
                f"the same ({_counted(record.photographs)}). Name the same ones, or start a new run in another folder."
            )

    def _check_reading(self, begun: RunRecord, record: RunRecord) -> None:
        before, now = (reading_in((one.software or (NOT_RECORDED,))[-1]) for one in (begun, record))
        if before and now and before != now:
            raise TrainingError(
                f"The run in {self.path} was trained by a version of shamisa that reads photographs in another way "
                f"({before}) than this one ({now}). Resume it with that version ({begun.software[-1]}), or start a new "
                "run in another folder."
            )

    def damage_warning(self, step: int) -> str:
        """Sentence on checkpoints after the step with which the run goes on; empty if there are none."""
        damaged = [str(each) for each in self.checkpoints.steps() if each > step]
        if not damaged:
            return ""
        return (
            f"The checkpoints of {', '.join(damaged)} steps in {self.path} cannot be read: the run goes on from step "
            f"{step}."
        )

    def software_warning(self, record: RunRecord) -> str:
        """Sentence on other software than that of the run in this folder so far; empty if it is the same."""
        begun = self.read().software
        if not record.software or begun == record.software:
            return ""
        if not begun:
            return (
                f"The record of the run in {self.path}, of an early version, does not tell the versions of packages, "
                "and its photographs are compared by names and sizes alone."
            )
        before, now = differing(begun[-1], record.software[-1])
        return (
            f"The run in {self.path} was trained by {before}, and goes on with {now}: its numbers may differ from "
            "those of a run by one of them alone."
        )

    def write(self, record: RunRecord) -> None:
        """Write the run's record."""
        with replacing(self.record) as temporary:
            temporary.write_text(json.dumps(record.to_json(), indent=2) + "\n", encoding="utf-8")


def _counted(found: PhotoRecord) -> str:
    return f"{found.pristine_count} pristine and {found.real_count} real photographs"
