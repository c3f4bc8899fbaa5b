"""Training runs, and what may differ between two of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from shamisa_cli.core.training.metrics import read_metrics

CLOCK = ("crops_per_s", "wait_share")
"""The metrics that a clock measured."""


def numbers(run: Path) -> list[dict[str, Any]]:
    """The metrics of the run in a folder, without what a clock measured."""
    return [{name: line[name] for name in line if name not in CLOCK} for line in read_metrics(run / "metrics.jsonl")]


def stop_after(steps: int) -> Callable[[], bool]:
    """Says stop when it has been asked so many times before."""
    answers = iter([False] * steps + [True])
    return lambda: next(answers)
