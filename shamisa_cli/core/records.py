"""Records of scored images and of a whole run (imports neither NumPy nor torch)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shamisa_cli.core.errors import ImageError, Remedy
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.reliability import describe_warnings, reliability_reasons

SCHEMA = 1
NOT_A_NUMBER = "not-a-number"
BAD_REQUEST = "bad-request"
NOT_JUDGED = "not-judged"

Status = Literal["ok", "failed", "error"]
FindingRule = Literal[
    "min-score", "max-drop", "max-difference", "framing", "no-partner", "max-focus", "max-noise", "max-compression",
    "forbidden", "unreadable", "excused",
]  # fmt: skip


@dataclass(frozen=True)
class ErrorRecord:
    """Why an image has no score.

    Attributes:
        kind: one of `ImageErrorKind`, "not-a-number" if the model gave no finite score, or "bad-request"
            if a request to a server was invalid.
        message: a sentence for people.
        remedy: as in `ShamisaError`; not part of the JSON.
    """

    kind: str
    message: str
    remedy: Remedy | None = field(default=None, repr=False)

    @classmethod
    def of(cls, error: ImageError) -> ErrorRecord:
        """The record of an image that could not be read."""
        return cls(error.kind, str(error), error.remedy)

    def to_json(self) -> dict[str, str]:
        """The record as JSON values."""
        return {"kind": self.kind, "message": self.message}


@dataclass(frozen=True)
class GateFinding:
    """A condition of the gate that an image does not meet.

    Attributes:
        rule: the condition.
        level: whether the image fails, or only causes a warning.
        message: for people; continues a sentence that begins with the image's name, or for an unreadable image a
            whole sentence.
    """

    rule: FindingRule
    level: Literal["warn", "error"]
    message: str

    def to_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return {"rule": self.rule, "level": self.level, "message": self.message}


@dataclass(frozen=True)
class GroupPlace:
    """The place of an image in its group of near-duplicates or burst frames; an image alone is a group of one.

    Attributes:
        number: of the group, from 1, in the order of their first images.
        size: number of images in it.
        best: whether it is the best of its group; see `shamisa_cli.core.culling.groups.best_of`.
    """

    number: int
    size: int
    best: bool

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {"number": self.number, "size": self.size, "best": self.best}


@dataclass(frozen=True)
class ImageRecord:
    """Result of scoring one image.

    Attributes:
        path: as the user named it.
        score: 0…100, higher is better; None when the image could not be scored.
        mos: the prediction on the human scale that the probe was fitted on, within its ends.
        interval: prediction interval of people's scores, 0…100; None if the probe has none.
        width, height: of the upright original, in pixels.
        defects: severity 0…4 of each group of distortions; None if the model has no defect probe.
        status: "failed" means scored but refused by the gate; "error" means not scored.
        error: why there is no score; None otherwise.
        findings: conditions of the gate that it does not meet.
        warnings: phrases on what is odd about the file, each going on from its name.
        familiar: whether the picture is like those the probe was fitted on, as far as the model can tell.
        at_full_size: faults at 100 %; None where there was no look at them.
        remarks: in a photographer's words, each one of `REMARKS` (`core/remarks/remark.py`).
        group: its place in its group; None if groups were not requested.
        sketch: short form of its features, by which groups are found (`core/scoring/sketches.py`); None if it was not
            requested. Not part of the JSON.
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
    warnings: tuple[str, ...] = ()
    familiar: bool = True
    at_full_size: AtFullSize | None = None
    remarks: tuple[str, ...] = ()
    group: GroupPlace | None = None
    sketch: bytes | None = field(default=None, repr=False)

    @property
    def described_warnings(self) -> str:
        """The warnings as a sentence that begins with the path; empty if there are none."""
        return describe_warnings(self.path, self.warnings)

    @property
    def reliability_reasons(self) -> tuple[str, ...]:
        """Reasons why the score cannot be relied on, such as "low resolution"; none for most."""
        return () if self._lacks_prediction else reliability_reasons(self.width, self.height, familiar=self.familiar)

    @property
    def reliability(self) -> Literal["ok", "low"] | None:
        """Whether the score can be relied on; None where none could be computed."""
        if self._lacks_prediction:
            return None
        return "low" if self.reliability_reasons else "ok"

    @property
    def _lacks_prediction(self) -> bool:
        return self.error is not None and self.error.kind != NOT_JUDGED

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, in the documented order."""
        return {
            "path": self.path,
            "score": self.score,
            "interval": None if self.interval is None else list(self.interval),
            "mos": self.mos,
            "width": self.width,
            "height": self.height,
            "defects": None if self.defects is None else dict(self.defects),
            "reliability": self.reliability,
            "reliability_reasons": list(self.reliability_reasons),
            "at_100_percent": None if self.at_full_size is None else self.at_full_size.to_json(),
            "remarks": list(self.remarks),
            "status": self.status,
            "error": None if self.error is None else self.error.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
            "warnings": list(self.warnings),
            **({} if self.group is None else {"group": self.group.to_json()}),
        }


@dataclass(frozen=True)
class ModelIdentity:
    """The model that scored, as reported with results.

    Attributes:
        name, revision: of the model.
        preprocessing: JSON values of the preprocessing that was used, `view_size` included; None for a model that
            compares.
        interval_level: share of people's scores, 0…1, that the intervals should hold; None for a model without them.
    """

    name: str
    revision: str
    preprocessing: Mapping[str, Any] | None = None
    interval_level: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        said = {} if self.preprocessing is None else {"preprocessing": dict(self.preprocessing)}
        level = {} if self.interval_level is None else {"interval_level": self.interval_level}
        return {"name": self.name, "revision": self.revision, **said, **level}


@dataclass(frozen=True)
class JobResult:
    """Result of a job whose rows went into files.

    Attributes:
        rows: number of rows in the files.
        reused: how many of these were kept from an earlier run.
        unreadable: number of images that could not be read; those in tars kept from an earlier run count again.
        errors, warnings: sentences about some of those, and about odd files among the images that were read now.
        parts: number of files that hold the result.
        others: names of further files beside them, of an earlier job, which hold nothing that this one was given.
        dropped: number of images that an earlier run's file held and that were not named now.
    """

    rows: int
    reused: int
    unreadable: int = 0
    errors: tuple[str, ...] = ()
    parts: int = 1
    others: tuple[str, ...] = ()
    dropped: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Properties shared by all records of one run.

    Attributes:
        model: the model that scored.
        gated: whether a minimum score or a largest drop was set, so that an image could fail.
        grouped: whether records have a group.
        left_out: suffix → number of files in folders of a kind that this installation cannot read.
        summary: of all images, where only some are reported; None: of those that are reported.
    """

    model: ModelIdentity
    gated: bool = False
    grouped: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    summary: Summary | None = None


@dataclass(frozen=True)
class Summary:
    """Summary of a run; the four statistics are over scored images, and None if there are none.

    Attributes:
        count: number of images requested.
        errors: number of images without a score.
        failed: number of scored images that the gate refused.
        mean, median, lowest, highest: of the scores, 0…100.
        warned: number of scored images that the gate let pass with a warning.
        excused: number of images without a score that a rule of the gate excuses; these are among the errors.
    """

    count: int
    errors: int
    failed: int
    mean: float | None
    median: float | None
    lowest: float | None
    highest: float | None
    warned: int = 0
    excused: int = 0

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
        warned=sum(bool(record.findings) for record in records if record.status not in ("error", "failed")),
        excused=sum(any(finding.rule == "excused" for finding in record.findings) for record in records),
    )


def _median(ordered: list[float]) -> float | None:
    if not ordered:
        return None
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
