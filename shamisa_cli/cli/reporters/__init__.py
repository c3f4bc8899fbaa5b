"""Formats of results. To add one, write a module with a `Reporter` and add a line here."""

from __future__ import annotations

from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.cli.reporters.csv import CSV
from shamisa_cli.cli.reporters.github import GITHUB
from shamisa_cli.cli.reporters.json import JSON
from shamisa_cli.cli.reporters.jsonl import JSONL
from shamisa_cli.cli.reporters.junit import JUNIT
from shamisa_cli.cli.reporters.sarif import SARIF
from shamisa_cli.cli.reporters.text import TEXT

REPORTERS: dict[str, Reporter] = {
    "text": TEXT,
    "json": JSON,
    "jsonl": JSONL,
    "csv": CSV,
    "junit": JUNIT,
    "github": GITHUB,
    "sarif": SARIF,
}
