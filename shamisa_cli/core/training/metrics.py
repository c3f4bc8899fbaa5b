"""metrics.jsonl: one line of metrics per step, without duplicates however often a run is resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TextIO

from shamisa_cli.core.atomic import naming, replacing
from shamisa_cli.core.json_lines import read_json_lines

ALWAYS_THERE = ("step", "total", "crops")
"""Metrics of every task that are read back."""
MOST_STEPS = 2**53
"""Larger whole numbers are damage: they are no floats."""


class Metrics(Protocol):
    """Metrics of one training step, of any task.

    Attributes:
        step: index of the step, 0 for the first.
        total: the loss that is minimised.
        crops: number of crops in the batch, over all processes.
        crops_per_s: crops per second over the whole step.
        wait_share: share of the step's time, 0…1, spent waiting for data.
    """

    @property
    def step(self) -> int: ...
    @property
    def total(self) -> float: ...
    @property
    def crops(self) -> int: ...
    @property
    def crops_per_s(self) -> float: ...
    @property
    def wait_share(self) -> float: ...
    @property
    def terms(self) -> Mapping[str, float]:
        """Values to show beside the loss, by name."""

    def to_json(self) -> dict[str, Any]:
        """The line for metrics.jsonl."""


@dataclass(frozen=True)
class Speed:
    """Speed of a step: crops of all processes, crops per second, and the share of time spent waiting for data."""

    crops: int
    crops_per_s: float
    wait_share: float


class MetricsLog:
    """Appends lines to a file; opening it for step n removes the lines of step n and later, and damaged ones."""

    def __init__(self, path: Path, next_step: int) -> None:
        self._path = path
        kept = [line for line in read_metrics(path) if line["step"] < next_step]
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._file: TextIO = path.open("a", encoding="utf-8")

    def append(self, metrics: Metrics) -> None:
        """Write one line and hand it to the operating system, so that killing the program cannot lose it."""
        with naming(self._path):
            self._file.write(json.dumps(metrics.to_json()) + "\n")
            self._file.flush()

    def flush(self) -> None:
        """Flush every line to the disk, so that a checkpoint is never ahead of its metrics."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a metrics file in order, without damaged ones; none if there is no file.

    A line has at least a step, a loss and a number of crops, and all its values are numbers or missing.
    """
    return [line for line in read_json_lines(path) if _is_whole(line)]


def _is_whole(line: Any) -> bool:
    return (
        isinstance(line, dict)
        and all(_is_number(line.get(name)) for name in ALWAYS_THERE)
        and all(value is None or _is_number(value) for value in line.values())
        and isinstance(line["step"], int)
        and isinstance(line["crops"], int)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) <= MOST_STEPS)
