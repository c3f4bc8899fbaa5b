"""benchmark.jsonl: agreement of the encoder with human scores, one line per step of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.atomic import naming
from shamisa_cli.core.errors import PARSE_ERRORS
from shamisa_cli.core.json_lines import read_json_lines

RECORDS_FILE = "benchmark.jsonl"
MOST_ERRORS = 20
"""Sentences about unreadable images in one line, whose number is not bounded."""


@dataclass(frozen=True)
class StepAgreement:
    """Agreement with people at one step of a run; a line of `RECORDS_FILE`.

    Attributes:
        step: number of steps done.
        benchmark: key of the images, their human scores and everything else that determines the figures.
        table: name of the table, for people.
        pictures: number of images that were read.
        srcc, plcc: of the test part of each split, nan where undefined.
        subsets: SRCC of each split by subset, by name; empty where the table names none.
        errors: sentences about images that could not be read, the first `MOST_ERRORS` of them.
    """

    step: int
    benchmark: str
    table: str
    pictures: int
    srcc: tuple[float, ...]
    plcc: tuple[float, ...]
    subsets: Mapping[str, tuple[float, ...]]
    errors: tuple[str, ...] = ()

    def median(self, subset: str | None = None) -> float:
        """Median SRCC over the splits in which it is defined, of all pictures or of one subset; nan without any."""
        return float(self.quantiles(subset)[1])

    def quantiles(self, subset: str | None = None) -> NDArray[np.float64]:
        """(3,): quartiles and median of SRCC over the splits, lowest first."""
        values = np.array(self.srcc if subset is None else self.subsets.get(subset, ()), dtype=np.float64)
        defined = values[np.isfinite(values)]
        if not len(defined):
            return np.full(3, np.nan)
        return np.asarray(np.quantile(defined, [0.25, 0.5, 0.75]), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; null where a figure is undefined."""
        return {
            **asdict(self),
            "srcc": _plain(self.srcc),
            "plcc": _plain(self.plcc),
            "subsets": {name: _plain(values) for name, values in self.subsets.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StepAgreement:
        """Read what `to_json` wrote. Raises KeyError, TypeError, ValueError or AttributeError on anything else."""
        return cls(
            int(data["step"]),
            str(data["benchmark"]),
            str(data["table"]),
            int(data["pictures"]),
            _numbers(data["srcc"]),
            _numbers(data["plcc"]),
            {str(name): _numbers(values) for name, values in data["subsets"].items()},
            tuple(map(str, data.get("errors", ()))),
        )


def read_agreements(path: Path, benchmark: str | None = None) -> list[StepAgreement]:
    """Read the lines of a file, or those of one benchmark, in order.

    A damaged line is left out; of several lines for one step the first is used.
    """
    found: dict[tuple[str, int], StepAgreement] = {}
    for line in read_json_lines(path):
        try:
            agreement = StepAgreement.from_json(line)
        except (KeyError, TypeError, *PARSE_ERRORS, AttributeError):
            continue
        if benchmark in (None, agreement.benchmark):
            found.setdefault((agreement.benchmark, agreement.step), agreement)
    return list(found.values())


def append_agreement(path: Path, agreement: StepAgreement) -> None:
    """Append a line and flush it to the disk; begins a new line if a killed program left one incomplete."""
    with naming(path), path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(agreement.to_json()).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _plain(values: Sequence[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _numbers(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if value is None else float(value) for value in values)
