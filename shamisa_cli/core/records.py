"""Records of scored images and of a whole run (imports neither NumPy nor torch)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shamisa_cli.core.errors import ImageError

SCHEMA = 1
NOT_A_NUMBER = "not-a-number"
BAD_REQUEST = "bad-request"

Status = Literal["ok", "failed", "error"]
FindingRule = Literal["min-score", "max-drop", "unreadable"]


@dataclass(frozen=True)
class ErrorRecord:
    """Why a picture has no score.

    Attributes:
        kind: one of `ImageErrorKind`, "not-a-number" when the model gave no finite score, or "bad-request"
            when a server was asked for none.
        message: a sentence for a person.
    """

    kind: str
    message: str

    @classmethod
    def of(cls, error: ImageError) -> ErrorRecord:
        """The record of a picture that could not be read."""
        return cls(error.kind, str(error))

    def to_json(self) -> dict[str, str]:
        """The record as JSON values."""
        return {"kind": self.kind, "message": self.message}


@dataclass(frozen=True)
class GateFinding:
    """Something the gate has against a picture.

    Attributes:
        rule: which condition the picture does not hold to.
        level: whether the picture fails by it or is warned of.
        message: for a person; what follows on the picture's name, or the whole sentence of an unreadable one.
    """

    rule: FindingRule
    level: Literal["warn", "error"]
    message: str

    def to_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return {"rule": self.rule, "level": self.level, "message": self.message}


@dataclass(frozen=True)
class ImageRecord:
    """One picture and what was found out about it.

    Attributes:
        path: as the user named it.
        score: 0…100, higher is better; None when the picture could not be scored.
        mos: the regressor's prediction on the scale of the human scores it was fitted on.
        interval: the range of scores 0…100 that people's marks should lie in; None where the probe has none.
        width, height: of the upright original, in pixels.
        defects: severity 0…4 of each group of distortions; None where the model has none.
        status: "failed" means scored but refused by the gate; "error" means not scored.
        error: why there is no score; None otherwise.
        findings: what the gate has against it.
    """

    path: str
    score: float | None = None
    mos: float | None = None
    interval: tuple[float, float] | None = None
    width: int | None = None
    height: int | None = None
    defects: Mapping[str, float] | None = None
    status: Status = "ok"
    error: ErrorRecord | None = None
    findings: tuple[GateFinding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, in the order readers are promised."""
        return {
            "path": self.path,
            "score": self.score,
            "interval": None if self.interval is None else list(self.interval),
            "mos": self.mos,
            "width": self.width,
            "height": self.height,
            "defects": None if self.defects is None else dict(self.defects),
            "status": self.status,
            "error": None if self.error is None else self.error.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True)
class ModelIdentity:
    """Which model scored, as far as a reader of the results must know.

    Attributes:
        name, revision: of the model.
        preprocessing: JSON values of the preprocessing that was used, `view_size` included; None for a model that
            compares.
    """

    name: str
    revision: str
    preprocessing: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        said = {} if self.preprocessing is None else {"preprocessing": dict(self.preprocessing)}
        return {"name": self.name, "revision": self.revision, **said}


@dataclass(frozen=True)
class Run:
    """Properties shared by all records of one run.

    Attributes:
        model: the model that scored.
        gated: whether a minimum score or a largest drop was set, so that an image could fail.
    """

    model: ModelIdentity
    gated: bool = False


@dataclass(frozen=True)
class Summary:
    """A run in a few numbers; the four statistics are over scored pictures and None when there is none.

    Attributes:
        count: pictures asked for.
        errors: pictures without a score.
        failed: scored pictures that the gate refused.
        mean, median, lowest, highest: of the scores, 0…100.
    """

    count: int
    errors: int
    failed: int
    mean: float | None
    median: float | None
    lowest: float | None
    highest: float | None

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON values."""
        return {
            "count": self.count,
            "errors": self.errors,
            "failed": self.failed,
            "mean": self.mean,
            "median": self.median,
            "min": self.lowest,
            "max": self.highest,
        }


def summarise(records: Iterable[ImageRecord]) -> Summary:
    """Count records and describe their scores."""
    records = list(records)
    scores = sorted(record.score for record in records if record.score is not None)
    return Summary(
        count=len(records),
        errors=sum(record.status == "error" for record in records),
        failed=sum(record.status == "failed" for record in records),
        mean=math.fsum(scores) / len(scores) if scores else None,
        median=_median(scores),
        lowest=scores[0] if scores else None,
        highest=scores[-1] if scores else None,
    )


def _median(ordered: list[float]) -> float | None:
    if not ordered:
        return None
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
