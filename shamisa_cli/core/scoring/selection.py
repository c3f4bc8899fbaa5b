"""Selection of records by score: the best, the worst, those below or above a score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.records import ImageRecord


@dataclass(frozen=True)
class Selection:
    """Conditions for the records to report; those without a score are then left out.

    Attributes:
        top, bottom: numbers of the best and of the worst records to select, of those within `below` and `above`; with
            both, either end. None: no limit.
        below: scores less than it, 0…100; None: any.
        above: scores of at least it, 0…100; None: any.

    Raises:
        SettingError: a number is negative, or a score is not within 0…100.
    """

    top: int | None = None
    bottom: int | None = None
    below: float | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        for count in (self.top, self.bottom):
            if count is not None and count < 0:
                raise SettingError(f"The number of pictures to select is {count}; it must be 0 or more.")
        for score in (self.below, self.above):
            if score is not None and not 0 <= score <= 100:
                raise SettingError(f"The score to select by is {score:g}; it must be from 0 to 100.")

    @property
    def limits(self) -> bool:
        """Whether any condition is set."""
        return self != Selection()

    def select(self, records: Iterable[ImageRecord]) -> list[ImageRecord]:
        """The records that meet the conditions, in the order given; of equal scores, earlier records come first."""
        records = list(records)
        if not self.limits:
            return records
        within = {index: score for index, score in enumerate(each.score for each in records) if self._within(score)}
        if self.top is None and self.bottom is None:
            chosen = set(within)
        else:
            worst = sorted(within, key=lambda index: within[index] or 0.0)
            best = sorted(within, key=lambda index: -(within[index] or 0.0))
            chosen = set(worst[: self.bottom or 0])
            chosen.update([index for index in best if index not in chosen][: self.top or 0])
        return [record for index, record in enumerate(records) if index in chosen]

    def _within(self, score: float | None) -> bool:
        if score is None:
            return False
        return (self.below is None or score < self.below) and (self.above is None or score >= self.above)
