"""Progress of training on stderr: a live display on a terminal, otherwise occasional lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from shamisa_cli.cli.console import Console

LINE_EVERY_STEPS = 50
LINE_EVERY_SECONDS = 30.0
PACE_MEMORY = 0.9
"""Smoothing of the time per step: the share of the earlier estimate that is kept at each step."""

Begin = Callable[[int], None]


class Metrics(Protocol):
    """The numbers of a step that a person watches."""

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
    def terms(self) -> Mapping[str, float]: ...


Show = Callable[[Metrics], None]


class Pace:
    """Estimate of the remaining time, from a running mean of the time per step."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._seconds_a_step: float | None = None

    def left(self, metrics: Metrics) -> str:
        """Time left after this step, in words."""
        took = metrics.crops / metrics.crops_per_s
        before = took if self._seconds_a_step is None else self._seconds_a_step
        self._seconds_a_step = PACE_MEMORY * before + (1 - PACE_MEMORY) * took
        return duration(self._seconds_a_step * (self._steps - metrics.step - 1))


@contextmanager
def training_progress(steps: int, *, shown: bool = True) -> Iterator[tuple[Begin, Show]]:
    """Context of a progress display; yields two functions, to be called at the first step and after every step.

    With `shown` False they do nothing, so that only one of several processes reports.
    """
    if not shown:
        yield (lambda _step: None), (lambda _metrics: None)
    elif sys.stderr.isatty():
        with _live(steps) as functions:
            yield functions
    else:
        yield _lines(steps)


def summary(metrics: Metrics) -> str:
    """The loss and the task's other values, on one line."""
    terms = "  ".join(f"{name} {value:.3g}" for name, value in metrics.terms.items())
    return f"loss {metrics.total:.4g}  {terms}"


def duration(seconds: float) -> str:
    """A rough time in words: "3 h 20 min", "5 min", "40 s"."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes >= 2 else f"{seconds:.0f} s"


def _lines(steps: int) -> tuple[Begin, Show]:
    pace = Pace(steps)
    printed_at = time.monotonic()

    def begin(step: int) -> None:
        print(f"training from step {step} to {steps}", file=sys.stderr, flush=True)

    def show(metrics: Metrics) -> None:
        nonlocal printed_at
        left, done = pace.left(metrics), metrics.step + 1
        due = time.monotonic() - printed_at >= LINE_EVERY_SECONDS
        if not due and done % LINE_EVERY_STEPS and done < steps:
            return
        printed_at = time.monotonic()
        speed = f"{metrics.crops_per_s:.0f} crops/s"
        print(f"step {done}/{steps}  {summary(metrics)}  {speed}  {left} left", file=sys.stderr, flush=True)

    return begin, show


@contextmanager
def _live(steps: int) -> Iterator[tuple[Begin, Show]]:
    pace = Pace(steps)
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rest]}"))
    bar = Progress(*columns)
    task = bar.add_task("training", total=steps, rest="waiting for the first batch")
    terms = Text("", style="dim")
    with Live(Group(bar, terms), console=Console().stderr, refresh_per_second=4, redirect_stdout=False):

        def begin(step: int) -> None:
            bar.update(task, completed=step)

        def show(metrics: Metrics) -> None:
            waiting = f", {metrics.wait_share:.0%} waiting for data" if metrics.wait_share > 0.1 else ""
            rest = f"{metrics.crops_per_s:.0f} crops/s{waiting}, {pace.left(metrics)} left"
            bar.update(task, completed=metrics.step + 1, rest=rest)
            terms.plain = summary(metrics)

        yield begin, show
