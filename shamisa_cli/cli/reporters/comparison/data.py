"""Comparisons and rankings for programs: JSON, JSON Lines and CSV (RFC 4180 quoting)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from shamisa_cli.cli.output import CsvTable, write_json, write_json_line
from shamisa_cli.cli.reporters.base import ComparisonRun
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ErrorRecord
from shamisa_cli.core.relational.ranking_records import Ranking
from shamisa_cli.core.relational.records import AXES, Candidate, comparison_json
from shamisa_cli.core.scoring.score_columns import REMARK_SEPARATOR

COMPARISON_COLUMNS = (
    "path", "reference", "score", "difference", "direction", "like_jpeg_quality", "overall", *GROUPS, *AXES,
    "width", "height", "bytes", "reference_bytes", "saving", "shift_right", "shift_down", "same_framing", "resized",
    "stretched", "over_white", "status", "error_kind", "error", "warnings",
    "reference_warnings",
)  # fmt: skip
RANKING_COLUMNS = ("rank", "path", "score", "width", "height", "status", "error_kind", "error", "warnings")


def write_comparison_json(candidates: Iterable[Candidate], run: ComparisonRun, stream: TextIO) -> None:
    """Write one document: the model, all candidates, a summary, and the images without a partner."""
    document = comparison_json(candidates, run.model)
    unpaired = {"added": [str(path) for path in run.added], "removed": [str(path) for path in run.removed]}
    write_json(document | unpaired, stream)


def write_comparison_jsonl(candidates: Iterable[Candidate], run: ComparisonRun, stream: TextIO) -> None:  # noqa: ARG001
    """Write one line per candidate, as they arrive."""
    for candidate in candidates:
        write_json_line(candidate.to_json(), stream)


def write_comparison_csv(candidates: Iterable[Candidate], run: ComparisonRun, stream: TextIO) -> None:  # noqa: ARG001
    """Write one row per candidate, as they arrive; unknown values are empty fields."""
    table = CsvTable(stream)
    table.writerow(COMPARISON_COLUMNS)
    for one in candidates:
        groups, axes = one.groups or {}, one.axes or {}
        intensities = [*(groups.get(name) for name in GROUPS), *(axes.get(name) for name in AXES)]
        judged = [one.score, one.difference, one.direction, one.like_jpeg_quality]
        known = [one.path, one.reference, *judged, one.overall, *intensities, one.width, one.height]
        right, down = one.shift or (None, None)
        known += [one.file_bytes, one.reference_bytes, one.saving, right, down]
        known += [one.same_framing, one.resized, one.stretched, one.over_white]
        odd = [REMARK_SEPARATOR.join(each) for each in (one.warnings, one.reference_warnings)]
        table.writerow([*known, one.status, *_error(one.error), *odd])
        stream.flush()


def write_ranking_json(ranking: Ranking, stream: TextIO) -> None:
    """Write one document: the model, the images in the order of the ranking, the scores of all pairs, a summary."""
    write_json(ranking.to_json(), stream)


def write_ranking_jsonl(ranking: Ranking, stream: TextIO) -> None:
    """Write one line per image, in the order of the ranking."""
    for picture in ranking.pictures:
        write_json_line(picture.to_json(), stream)


def write_ranking_csv(ranking: Ranking, stream: TextIO) -> None:
    """Write one row per image, in the order of the ranking."""
    table = CsvTable(stream)
    table.writerow(RANKING_COLUMNS)
    for one in ranking.pictures:
        known = [one.rank, one.path, one.score, one.width, one.height, one.status, *_error(one.error)]
        table.writerow([*known, REMARK_SEPARATOR.join(one.warnings)])


def _error(error: ErrorRecord | None) -> tuple[str | None, str | None]:
    return (error.kind, error.message) if error is not None else (None, None)
