"""Checkpoints that are complete or absent, even if the program is killed: safetensors and JSON, never pickle."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from shamisa_cli.core.atomic import naming
from shamisa_cli.core.errors import PARSE_ERRORS, TrainingError
from shamisa_cli.core.existence import exists, is_dir
from shamisa_cli.core.unfinished import flush

SCHEMA = 1
TENSORS_FILE = "state.safetensors"
RECORD_FILE = "checkpoint.json"
KEPT = 2
"""Number of newest checkpoints that are kept; that of step 0 is kept too, as the start of the run."""
CHECKPOINT_EVERY = 100
"""Steps between checkpoints where nothing else is chosen."""

_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True)
class Checkpoint:
    """State from which a run is resumed.

    Attributes:
        step: number of completed steps, the index of the next one.
        tensors: weights, optimiser state and random generator states by dotted name.
        numbers: scalars (time spent, loss scale).
    """

    step: int
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, float]


class CheckpointStore:
    """The checkpoints of one run, each a folder `step-00000100` with a tensor file and a JSON with its SHA-256.

    A checkpoint is written under a hidden temporary name, flushed to the disk and then renamed; remains of a
    killed program are removed by the next write. Only one program may write to a store at a time.

    Args:
        folder: folder of the checkpoints.
        keep_every: checkpoints at multiples of this step are kept for good; 0 keeps only the newest. Those that an
            earlier program kept stay too.
    """

    def __init__(self, folder: Path, keep_every: int = 0) -> None:
        self.folder = folder
        self.keep_every = keep_every
        self._kept_before: frozenset[int] | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove those that are no longer kept.

        Later ones, which are there where they could not be read when a run went on, stay until they are written anew.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._kept_before is None:
            self._kept_before = frozenset(self.steps()[:-KEPT])
        self._remove_leftovers()
        with naming(self.folder):
            self._write(checkpoint)
        for step in [step for step in self.steps() if step <= checkpoint.step][:-KEPT]:
            if not self._is_for_good(step):
                shutil.rmtree(self._path(step))

    def _write(self, checkpoint: Checkpoint) -> None:
        temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".writing-"))
        try:
            self._fill(temporary, checkpoint)
            target = self._path(checkpoint.step)
            if exists(target):
                shutil.rmtree(target)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        flush(self.folder)

    def _fill(self, temporary: Path, checkpoint: Checkpoint) -> None:
        temporary.chmod(0o755)
        tensors_path = temporary / TENSORS_FILE
        save_file({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}, tensors_path)
        record = {
            "schema": SCHEMA,
            "step": checkpoint.step,
            "numbers": dict(checkpoint.numbers),
            "files": {TENSORS_FILE: _sha256(tensors_path)},
        }
        tensors_path.chmod(0o644)
        (temporary / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for path in (tensors_path, temporary / RECORD_FILE, temporary):
            flush(path)

    def _is_for_good(self, step: int) -> bool:
        is_chosen = self.keep_every > 0 and step % self.keep_every == 0
        return step == 0 or is_chosen or step in (self._kept_before or ())

    def steps(self) -> list[int]:
        """Steps with a checkpoint, complete or damaged, in rising order."""
        if not is_dir(self.folder):
            return []
        matches = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def latest(self) -> Checkpoint | None:
        """Load the newest undamaged checkpoint, or return None. Damaged ones are skipped."""
        for step in reversed(self.steps()):
            try:
                return self.load(step)
            except TrainingError:
                continue
        return None

    def load(self, step: int) -> Checkpoint:
        """Load the checkpoint of one step. Raises TrainingError if it is missing or damaged."""
        folder = self._path(step)
        try:
            record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
            if record["schema"] != SCHEMA:
                raise TrainingError(f"The checkpoint {folder} was written by a different release of this program.")
            if record["files"][TENSORS_FILE] != _sha256(folder / TENSORS_FILE):
                raise TrainingError(f"The checkpoint {folder} is damaged: its checksum does not match.")
            numbers = {str(name): float(value) for name, value in record["numbers"].items()}
            if record["step"] != step or not all(map(math.isfinite, numbers.values())):
                raise TrainingError(f"The checkpoint {folder} is damaged: {RECORD_FILE} has numbers that cannot be.")
            return Checkpoint(step, load_file(folder / TENSORS_FILE), numbers)
        except (OSError, *PARSE_ERRORS, KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise TrainingError(f"The checkpoint {folder} cannot be read: {error}.") from error

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def _remove_leftovers(self) -> None:
        for path in self.folder.glob(".writing-*"):
            shutil.rmtree(path, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
