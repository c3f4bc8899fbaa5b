"""The gate: which images fail and why, by minimum scores, largest drops and rules for files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.full_size.record import MEASURES
from shamisa_cli.core.patterns import Pattern, matches, read_patterns
from shamisa_cli.core.records import NOT_JUDGED, ErrorRecord, FindingRule, GateFinding, ImageRecord
from shamisa_cli.core.relative_names import RelativeNames
from shamisa_cli.core.remarks.remark import require_remarks
from shamisa_cli.core.scoring.baseline import DECIMALS, Baseline

Level = Literal["off", "warn", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)

FAULT_RULES: dict[str, FindingRule] = {"focus": "max-focus", "noise": "max-noise", "compression": "max-compression"}

GateStatus = Literal["passed", "warned", "failed", "unreadable"]


@dataclass(frozen=True)
class Rule:
    """Exception from the gate for some files; a field that is None changes nothing.

    Attributes:
        files: patterns as in a .gitignore file, relative to the folder of the gate.
        level: "off": not checked; "warn": reported and passed; "error": reported and failed. Images that cannot be read
            are warned of where the level is not "error".
        min_score, max_drop, max_faults, forbid: as in `Gate`; remarks are forbidden besides those of the gate.

    Raises:
        SettingError: a pattern cannot be used.
    """

    files: tuple[str, ...]
    level: Level | None = None
    min_score: float | None = None
    max_drop: float | None = None
    max_faults: Mapping[str, float] = field(default_factory=dict)
    forbid: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._patterns  # noqa: B018  a pattern that cannot be used is found here, and not at the first picture

    def matches(self, relative: str) -> bool:
        """Whether the rule applies to the image with this path, which is relative and has forward slashes."""
        return matches(self._patterns, relative)

    @cached_property
    def _patterns(self) -> tuple[Pattern, ...]:
        return read_patterns(self.files)


@dataclass(frozen=True)
class Limits:
    """Limits that apply to one image: minimum score 0…100, largest drop in points, worst faults at 100 %, and
    forbidden remarks."""

    level: Level
    min_score: float | None
    max_drop: float | None
    max_faults: Mapping[str, float]
    forbid: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """Conditions that images must meet.

    Attributes:
        min_score: minimum score, 0…100; None: no minimum.
        max_drop: largest drop of a score below that of the baseline, in points; None: no limit.
        max_faults: worst severity 0…4 allowed at 100 %, for some of "focus", "noise" and "compression".
        forbid: remarks with which an image fails, such as "underexposed".
        rules: exceptions for some files. All that match apply; later ones take precedence.
        folder: folder that the patterns of the rules are relative to.
        baseline: earlier scores; None: drops are not checked.
        skip_unreadable: whether images that cannot be read cause only a warning.
        strict: whether images whose score cannot be relied on are not judged: they count as unreadable.

    Raises:
        SettingError: a minimum is not within 0…100, a limit is negative or not a number, or there is no such remark.
    """

    min_score: float | None = None
    max_drop: float | None = None
    max_faults: Mapping[str, float] = field(default_factory=dict)
    forbid: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    folder: Path = Path()
    baseline: Baseline | None = None
    skip_unreadable: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        for limits in self._all:
            require_remarks(limits.forbid)
            if limits.min_score is not None and not 0 <= limits.min_score <= 100:
                raise SettingError(f"The minimum score is {limits.min_score:g}; it must be from 0 to 100.")
            if limits.max_drop is not None and not limits.max_drop >= 0:
                raise SettingError(f"The limit on drops is {limits.max_drop:g}; it must be 0 or more.")
            for name, worst in limits.max_faults.items():
                if name not in MEASURES or not 0 <= worst <= 4:
                    known = ", ".join(MEASURES)
                    raise SettingError(f"A limit at 100 % is {name}={worst:g}; it can be {known}, from 0 to 4.")

    @property
    def judges(self) -> bool:
        """Whether any score could fail."""
        bars = any(limits.min_score is not None or limits.max_faults or limits.forbid for limits in self._all)
        return bars or (self.baseline is not None and self.limits_drops)

    @property
    def limits_drops(self) -> bool:
        """Whether drops are limited, for all files or for some."""
        return any(limits.max_drop is not None for limits in self._all)

    @cached_property
    def _names(self) -> RelativeNames:
        return RelativeNames(self.folder)

    def limits(self, path: str) -> Limits:
        """Limits for the image at `path`, after all rules that match it."""
        found = Limits("error", self.min_score, self.max_drop, self.max_faults, self.forbid)
        relative = self._names.of(path) if self.rules else path
        for rule in self.rules:
            if rule.matches(relative):
                found = Limits(
                    rule.level or found.level,
                    found.min_score if rule.min_score is None else rule.min_score,
                    found.max_drop if rule.max_drop is None else rule.max_drop,
                    {**found.max_faults, **rule.max_faults},
                    (*found.forbid, *rule.forbid),
                )
        return found

    def apply(self, record: ImageRecord) -> ImageRecord:
        """Check a record: return it with its findings, and with the status "failed" if one is an error."""
        limits = self.limits(record.path)
        if record.score is None:
            return replace(record, findings=(self._without_score(record, limits.level),))
        if limits.level == "off":
            return record
        messages: dict[FindingRule, str | None] = {
            "min-score": minimum_score_message(record.score, limits.min_score),
            "max-drop": self._dropped(record, limits.max_drop),
            "forbidden": remarks_message(record, limits.forbid),
        }
        for name, worst in limits.max_faults.items():
            messages[FAULT_RULES[name]] = fault_message(record, name, worst)
        findings = tuple(GateFinding(rule, limits.level, message) for rule, message in messages.items() if message)
        failed = bool(findings) and limits.level == "error"
        return replace(record, findings=findings, status="failed" if failed else record.status)

    @property
    def _all(self) -> tuple[Gate | Rule, ...]:
        return (self, *self.rules)

    def _without_score(self, record: ImageRecord, level: Level) -> GateFinding:
        message = record.error.message if record.error is not None else "It has no score."
        if level != "error":
            return GateFinding("excused", "warn", message)
        return GateFinding("unreadable", "warn" if self.skip_unreadable else "error", message)

    def _dropped(self, record: ImageRecord, max_drop: float | None) -> str | None:
        before = None if self.baseline is None else self.baseline.score_of(record.path)
        if before is None or max_drop is None or record.score is None:
            return None
        # Both are rounded, so that an unchanged image has no drop.
        drop = round(before - round(record.score, DECIMALS), DECIMALS)
        if drop <= max_drop:
            return None
        fallen = _apart(drop, max_drop)
        return (
            f"scores {record.score:.1f}, {fallen} below the {before:.1f} of the baseline; the largest allowed drop is "
            f"{max_drop:g}"
        )


def apply_gate(records: Generator[ImageRecord, None, None], gate: Gate) -> Generator[ImageRecord, None, None]:
    """Check records as they arrive; closing this closes `records`."""
    with closing(records):
        for record in records:
            is_strict = gate.strict and gate.limits(record.path).level != "off"
            yield gate.apply(not_judged(record) if is_strict else record)


def gate_status(record: ImageRecord) -> GateStatus:
    """Outcome of a checked image, in one word."""
    if record.status == "failed":
        return "failed"
    if record.score is None and record.status != "ok":
        is_excused = any(finding.rule == "excused" for finding in record.findings)
        return "warned" if is_excused else "unreadable"
    return "warned" if record.findings else "passed"


def describe_findings(record: ImageRecord, *findings: GateFinding) -> str:
    """Describe an image's error or findings in one phrase that names it: all findings, or only those given."""
    if record.error is not None:
        return record.error.message
    return f"{record.path} {'; '.join(finding.message for finding in findings or record.findings)}"


def worst_first(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Images with findings: errors before warnings, then those without a score, then by rising score."""
    found = [record for record in records if record.findings]
    return sorted(
        found,
        key=lambda record: (
            all(finding.level == "warn" for finding in record.findings),
            -1.0 if record.score is None else record.score,
            record.path,
        ),
    )


def gate_summary(statuses: Mapping[GateStatus, int], *, gated: bool) -> str:
    """Summarise a run in a phrase, such as "4 checked, all passed"; `gated`: whether any limit was set."""
    counts = Counter(statuses)
    count = counts.total()
    if gated and not count:
        return "0 checked: there was no picture to check"
    total = f"{count:,} checked" if gated else f"{count:,} picture{'' if count == 1 else 's'}, no gate set"
    problems = {
        "failed": counts["failed"],
        "with a warning": counts["warned"],
        "not readable": counts["unreadable"],
    }
    named = [f"{count:,} {name}" for name, count in problems.items() if count]
    if named:
        return f"{total}: {', '.join(named)}"
    return f"{total}, all passed" if gated else total


def minimum_score_message(score: float, minimum: float | None) -> str | None:
    """Message about a score below the minimum, such as "scores 39.9, below the minimum of 40"; None for any other."""
    if minimum is None or score >= minimum:
        return None
    return f"scores {_apart(score, minimum)}, below the minimum of {minimum:g}"


def fault_message(record: ImageRecord, name: str, worst: float) -> str | None:
    """Message about a fault at 100 % that is worse than `worst`; None for any other, and where none was measured."""
    severity: float | None = getattr(record.at_full_size, name, None)
    if severity is None or severity <= worst:
        return None
    return f"has a {name} fault of {_apart(severity, worst)} at 100 %, above the limit of {worst:g}"


def remarks_message(record: ImageRecord, forbidden: tuple[str, ...]) -> str | None:
    """Message about the forbidden remarks of an image; None if it has none."""
    found = [remark for remark in record.remarks if remark in forbidden]
    kind = "remark" if len(found) == 1 else "remarks"
    return f"has the {kind} {' and '.join(found)}, which the gate forbids" if found else None


def _apart(value: float, limit: float) -> str:
    """Format `value` with as many decimals, at least one, as distinguish it from `limit`."""
    digits = next((digits for digits in range(1, 10) if round(value, digits) != round(limit, digits)), 10)
    return f"{value:.{digits}f}"


def not_judged(record: ImageRecord) -> ImageRecord:
    """The record without its score, and an error instead, if the score cannot be relied on; otherwise the same."""
    if record.score is None or record.reliability == "ok":
        return record
    message = f"{record.path} is not judged, since its score is unreliable: {', '.join(record.reliability_reasons)}."
    error = ErrorRecord(NOT_JUDGED, message)
    return replace(record, score=None, mos=None, interval=None, defects=None, status="error", error=error)
