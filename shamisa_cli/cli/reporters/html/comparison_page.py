"""The page of comparisons: a slider over both pictures, maps of the change, and numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from string import Template
from typing import Any, TextIO

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.reporters.base import ComparisonRun
from shamisa_cli.cli.reporters.html.page import PLACE_OF_PICTURES
from shamisa_cli.cli.reporters.html.parts import as_base64, head, json_block, part
from shamisa_cli.core.relational.records import ENDS, Candidate, comparison_summary
from shamisa_cli.core.relational.wording import describe

DECIMALS = 3


def write_comparison_page(candidates: Iterable[Candidate], run: ComparisonRun, stream: TextIO) -> None:
    """Write one self-contained page, the worst candidate first; its copies of the pictures are those in `run.images`.

    As in the page of a run, untrusted text is embedded as data that is parsed neither as HTML nor as JavaScript.
    """
    listed = list(candidates)
    style, script = "\n\n".join((part("theme.css"), part("comparison.css"))), part("comparison.js")
    before, after = part("comparison.html").split(PLACE_OF_PICTURES)
    data = json_block(_document(listed, run))
    stream.write(head("Pictures compared", style, script) + Template(before).substitute(data=data))
    stream.write("[")
    for index, copy in enumerate(run.images or ()):
        stream.write(("," if index else "") + "\n" + json.dumps(as_base64(copy)))
    stream.write("\n]")
    stream.write(Template(after).substitute(script=script))


def _document(candidates: Sequence[Candidate], run: ComparisonRun) -> dict[str, Any]:
    made = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")[:16]
    return {
        "origin": f"{printable(run.model.name)} ({printable(run.model.revision)}); made {made} by shamisa.",
        "gated": run.gate.judges,
        "gate": run.gate.describe(run.gate.failures(candidates)),
        "summary": comparison_summary(candidates),
        "added": [printable(str(path)) for path in run.added],
        "removed": [printable(str(path)) for path in run.removed],
        "pairs": [_pair(candidate, run) for candidate in sorted(candidates, key=_worst_first)],
    }


def _worst_first(candidate: Candidate) -> tuple[bool, float]:
    return candidate.score is not None, candidate.score or 0.0


def _pair(candidate: Candidate, run: ComparisonRun) -> dict[str, Any]:
    means = {**(candidate.groups or {}), **(candidate.axes or {})}
    numbers = None if run.images is None else run.images.numbers(candidate)
    return {
        "path": printable(candidate.path),
        "reference": printable(candidate.reference),
        "score": _rounded(candidate.score),
        "difference": _rounded(candidate.difference),
        "words": "; ".join([describe(candidate), *map(printable, candidate.described_warnings)]),
        "verdict": candidate.verdict,
        "status": candidate.status,
        "size": [candidate.width, candidate.height],
        "bytes": [candidate.reference_bytes, candidate.file_bytes],
        "saving": _rounded(candidate.saving),
        "changes": [[*ENDS[name], _rounded(mean)] for name, mean in means.items()],
        "error": None if candidate.error is None else printable(candidate.error.message),
        "images": None if numbers is None else list(numbers),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, DECIMALS)
