"""GitHub Actions: annotations as workflow commands, and a summary of the step in Markdown."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from shamisa_cli.cli.console import ENCODING, Console, inert, printable
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.cli.reporters.repository_paths import in_repository
from shamisa_cli.core.errors import reason_of
from shamisa_cli.core.records import ImageRecord, Run, summarise
from shamisa_cli.core.scoring.gate import describe_findings, gate_status, gate_summary, worst_first

MAX_ANNOTATIONS = 10
"""Number of annotations of one level that GitHub shows per step; it drops further ones silently."""
MAX_SUMMARY_ROWS = 100
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"

TITLES = {"failed": "Image quality", "warned": "Image quality", "unreadable": "Unreadable picture"}
ODD = "Odd file"
MARKS = {"failed": "❌", "warned": "⚠️", "unreadable": "🚫"}


def write_github(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:
    """Annotate the worst images and odd files, print a one-line result, and append to the step's summary if any."""
    records = list(records)
    found = worst_first(records)
    result = gate_summary(Counter(gate_status(record) for record in records), gated=run.gated)
    for record in found[:MAX_ANNOTATIONS]:
        stream.write(_annotation(record) + "\n")
    odd = [record for record in records if record.warnings]
    for record in odd[:MAX_ANNOTATIONS]:
        stream.write(_command("notice", record, ODD, record.described_warnings) + "\n")
    left_out = sum(max(0, len(each) - MAX_ANNOTATIONS) for each in (found, odd))
    stream.write(result + (f"; {left_out:,} are not annotated" if left_out > 0 else "") + "\n")
    summary = os.environ.get(SUMMARY_VARIABLE)
    if summary:
        _append(Path(summary), _summary(records, found, result, run))


def _append(summary: Path, text: str) -> None:
    """Append to the step's summary; what goes wrong there is a warning, since the gate's result is said already."""
    try:
        with summary.open("a", **ENCODING) as file:  # type: ignore[call-overload]
            file.write(text)
    except OSError as error:
        reason = error.strerror or reason_of(error)
        Console().warn(f"{summary}, the summary of the step ({SUMMARY_VARIABLE}), could not be written: {reason}.")


def _annotation(record: ImageRecord) -> str:
    command = "error" if any(finding.level == "error" for finding in record.findings) else "warning"
    return _command(command, record, TITLES[gate_status(record)], describe_findings(record))


def _command(level: str, record: ImageRecord, title: str, said: str) -> str:
    place = f"file={_property(in_repository(record.path))},title={_property(title)}"
    return f"::{level} {place}::{_data(printable(said))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property of a command, in which percent signs, line breaks, colons and commas are encoded.

    The runner decodes these five alone, so what steers is shown as an escape, as everywhere else.
    """
    return _data(inert(text, keep="\r\n")).replace(":", "%3A").replace(",", "%2C")


def _summary(records: Sequence[ImageRecord], found: Sequence[ImageRecord], result: str, run: Run) -> str:
    numbers = summarise(records)
    lines = [f"### Image quality: {result}", ""]
    if numbers.mean is not None:
        figures = {"mean": numbers.mean, "median": numbers.median, "lowest": numbers.lowest, "highest": numbers.highest}
        lines += [", ".join(f"{name} {value:.1f}" for name, value in figures.items() if value is not None) + ".", ""]
    if found:
        lines += ["| | Picture | Score | Why |", "|---|---|--:|---|", *map(_row, found[:MAX_SUMMARY_ROWS]), ""]
    if len(found) > MAX_SUMMARY_ROWS:
        lines += [f"And {len(found) - MAX_SUMMARY_ROWS:,} more.", ""]
    odd = [record.described_warnings for record in records if record.warnings]
    lines += [f"- {_markdown(said)}" for said in odd[:MAX_SUMMARY_ROWS]] + ([""] if odd else [])
    if len(odd) > MAX_SUMMARY_ROWS:
        lines += [f"And {len(odd) - MAX_SUMMARY_ROWS:,} more odd files.", ""]
    lines += [f"<sub>{_markdown(run.model.name)} ({_markdown(run.model.revision)})</sub>", ""]
    return "\n".join(lines)


def _row(record: ImageRecord) -> str:
    score = "" if record.score is None else f"{record.score:.1f}"
    reasons = "; ".join(finding.message for finding in record.findings)
    return f"| {MARKS[gate_status(record)]} | {_markdown(record.path)} | {score} | {_markdown(reasons)} |"


def _markdown(text: str) -> str:
    """Escape `text` for Markdown and HTML: special characters become entities."""
    return "".join(
        character if character.isalnum() or character in " ./;" else f"&#{ord(character)};"
        for character in printable(text)
    )


GITHUB = Reporter(write_github, concludes=True, is_whole=True)
