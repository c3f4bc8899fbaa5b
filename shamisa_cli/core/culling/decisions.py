"""Decisions of a cull: which images to keep, which to reject, and how many stars each gets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.records import ImageRecord

Verdict = Literal["keep", "reject", "unreadable"]
MOST_STARS = 5


@dataclass(frozen=True)
class CullRule:
    """Conditions for keeping an image; an image is kept if it meets all that are set.

    Attributes:
        keep_best: share of images to keep, in per cent, of those that the other conditions leave; None: all.
        below: images with a score below it are rejected, 0…100; None: none are.
        best_of_groups: whether only the best image of each group is kept.

    Raises:
        SettingError: a value is out of its range.
    """

    keep_best: float | None = None
    below: float | None = None
    best_of_groups: bool = False

    def __post_init__(self) -> None:
        if self.keep_best is not None and not 0 <= self.keep_best <= 100:
            raise SettingError(f"The share to keep is {self.keep_best:g} %; it must be from 0 to 100.")
        if self.below is not None and not 0 <= self.below <= 100:
            raise SettingError(f"The lowest score to keep is {self.below:g}; it must be from 0 to 100.")


@dataclass(frozen=True)
class Decision:
    """The decision on one image.

    Attributes:
        record: the image.
        verdict: "unreadable" images have no score and are left alone.
        reason: why it is not kept, in a phrase; empty for one that is.
        stars: 1…5 by score; None for an image without a score.
    """

    record: ImageRecord
    verdict: Verdict
    reason: str = ""
    stars: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The decision as JSON values, followed by those of the record."""
        return {"verdict": self.verdict, "reason": self.reason, "stars": self.stars} | self.record.to_json()


def stars_of(score: float) -> int:
    """Stars of a score 0…100: a fifth of the scale each, so 1 below 20 and 5 from 80."""
    return min(MOST_STARS, int(score / (100 / MOST_STARS)) + 1)


def decide(records: Iterable[ImageRecord], rule: CullRule) -> list[Decision]:
    """Decide on each image, in the order of `records`; of equal scores, earlier images are kept first.

    With `best_of_groups`, records must have groups (`group_records`); an image without one counts as alone.
    """
    records = list(records)
    reasons = [_reason(record, rule) for record in records]
    left = [index for index, record in enumerate(records) if record.score is not None and not reasons[index]]
    for index in _beyond_share(records, left, rule.keep_best):
        reasons[index] = f"not among the best {rule.keep_best:g} %"
    return [_decision(record, reason) for record, reason in zip(records, reasons, strict=True)]


def _reason(record: ImageRecord, rule: CullRule) -> str:
    if record.score is None:
        return record.error.message if record.error is not None else "it has no score"
    if rule.best_of_groups and record.group is not None and not record.group.best:
        return f"group {record.group.number} has a better picture"
    if rule.below is not None and record.score < rule.below:
        return f"scores below {rule.below:g}"
    return ""


def _beyond_share(records: Sequence[ImageRecord], left: list[int], share: float | None) -> list[int]:
    """Indices of `left` that are not among the best share, which is rounded up."""
    if share is None:
        return []
    best_first = sorted(left, key=lambda index: -(records[index].score or 0.0))
    return best_first[math.ceil(round(len(left) * share / 100, 9)) :]


def _decision(record: ImageRecord, reason: str) -> Decision:
    if record.score is None:
        return Decision(record, "unreadable", reason)
    return Decision(record, "reject" if reason else "keep", reason, stars_of(record.score))
