"""The numbers of the latest steps, some of which a GPU may still be working on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from shamisa_cli.core.training.metrics import Metrics, Speed
from shamisa_cli.core.training.task import Work


@dataclass
class Readings:
    """Collects the numbers of some steps, fetches them from the device together, and shares the time among them.

    Attributes:
        work: whose numbers they are.
        crops: how many a step has, over all processes.
        every: after how many steps it is time to fetch.
    """

    work: Work
    crops: int
    every: int
    _unseen: dict[int, Tensor] = field(default_factory=dict)
    _seen: dict[int, dict[str, float]] = field(default_factory=dict)
    _seconds: float = 0.0
    _waited: float = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time to fetch."""
        return len(self._unseen) >= self.every

    def add(self, step: int, numbers: Tensor) -> None:
        """Take the numbers of a step, `work.numbers`, as they lie on the device."""
        self._unseen[step] = numbers

    def spend(self, seconds: float, waited: float) -> None:
        """Count a step's time, and how much of it went into waiting for its batch."""
        self._seconds += seconds
        self._waited += waited

    def fetch(self) -> dict[int, dict[str, float]]:
        """The numbers by step and name that had not been fetched yet; waits for the device."""
        if not self._unseen:
            return {}
        rows = torch.stack(list(self._unseen.values())).tolist()
        names = self.work.numbers
        fetched = {step: dict(zip(names, row, strict=True)) for step, row in zip(self._unseen, rows, strict=True)}
        self._unseen.clear()
        self._seen |= fetched
        return fetched

    def metrics(self) -> list[Metrics]:
        """What was fetched, in order, with the mean time of these steps; then begin anew. None was, none is told."""
        if not self._seen:
            return []
        seconds, share = self._seconds / len(self._seen), self._waited / self._seconds
        speed = Speed(self.crops, self.crops / seconds, share)
        told = [self.work.told(step, values, speed) for step, values in self._seen.items()]
        self._seen.clear()
        self._seconds = self._waited = 0.0
        return told
