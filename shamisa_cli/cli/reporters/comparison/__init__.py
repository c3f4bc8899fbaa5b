"""Formats of comparisons and rankings. To add one, write a function and add a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from shamisa_cli.cli.reporters.base import ComparisonReporter
from shamisa_cli.cli.reporters.comparison import data
from shamisa_cli.cli.reporters.comparison.ci import as_written_by
from shamisa_cli.cli.reporters.comparison.ranking import write_ranking_text
from shamisa_cli.cli.reporters.comparison.text import write_comparison_text
from shamisa_cli.cli.reporters.github import GITHUB
from shamisa_cli.cli.reporters.html.comparison_page import write_comparison_page
from shamisa_cli.cli.reporters.junit import JUNIT
from shamisa_cli.cli.reporters.sarif import SARIF
from shamisa_cli.core.relational.ranking_records import Ranking

COMPARISON_REPORTERS: dict[str, ComparisonReporter] = {
    "text": ComparisonReporter(write_comparison_text),
    "json": ComparisonReporter(data.write_comparison_json),
    "jsonl": ComparisonReporter(data.write_comparison_jsonl, streams=True),
    "csv": ComparisonReporter(data.write_comparison_csv, streams=True),
    "junit": ComparisonReporter(as_written_by(JUNIT)),
    "github": ComparisonReporter(as_written_by(GITHUB)),
    "sarif": ComparisonReporter(as_written_by(SARIF)),
    "html": ComparisonReporter(write_comparison_page, illustrated=True),
}

RANKING_WRITERS: dict[str, Callable[[Ranking, TextIO], None]] = {
    "text": write_ranking_text,
    "json": data.write_ranking_json,
    "jsonl": data.write_ranking_jsonl,
    "csv": data.write_ranking_csv,
}
