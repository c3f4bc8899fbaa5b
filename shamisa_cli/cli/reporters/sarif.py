"""SARIF 2.1.0 (OASIS), for code scanning: one result per finding."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, TextIO
from urllib.parse import quote

import shamisa_cli
from shamisa_cli.cli.console import printable
from shamisa_cli.cli.output import write_json
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.cli.reporters.repository_paths import in_repository
from shamisa_cli.core.records import FindingRule, GateFinding, ImageRecord, Run
from shamisa_cli.core.scoring.gate import describe_findings

SCHEMA_ADDRESS = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""Conventional name of the repository's root."""
LEVELS = {"warn": "warning", "error": "error"}
RULES: dict[FindingRule, str] = {
    "min-score": "The picture scores below the minimum.",
    "max-drop": "The picture's score fell below the baseline by more than is allowed.",
    "max-focus": "The picture is softer at 100 % than is allowed.",
    "max-noise": "The picture has more noise at 100 % than is allowed.",
    "max-compression": "The picture has more compression artefacts at 100 % than are allowed.",
    "forbidden": "The picture has a remark that is forbidden.",
    "unreadable": "The picture cannot be read.",
    "excused": "The picture cannot be read or judged, and a rule of the gate excuses it.",
    "max-difference": "The picture differs from its reference by more than is allowed.",
    "framing": "The picture does not have the framing of its reference.",
    "no-partner": "The picture has no partner in the other folder.",
}


def write_sarif(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:
    """Write the document once all records have arrived."""
    records = list(records)
    results = [_result(record, finding) for record in records for finding in record.findings]
    notes = [_notification(record) for record in records if record.warnings]
    invocation = {"executionSuccessful": True} | ({"toolExecutionNotifications": notes} if notes else {})
    driver = {
        "name": "shamisa",
        "version": shamisa_cli.__version__,
        "rules": [{"id": rule, "shortDescription": {"text": text}} for rule, text in RULES.items()],
        "properties": {"model": run.model.to_json()},
    }
    document = {
        "$schema": SCHEMA_ADDRESS,
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "invocations": [invocation], "results": results},
        ],
    }
    write_json(document, stream)


def _notification(record: ImageRecord) -> dict[str, Any]:
    """Remark on the run about an odd file, which is no alert."""
    return {
        "level": "warning",
        "message": {"text": printable(record.described_warnings)},
        "locations": [{"physicalLocation": {"artifactLocation": _address(in_repository(record.path))}}],
    }


def _result(record: ImageRecord, finding: GateFinding) -> dict[str, Any]:
    place = in_repository(record.path)
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(RULES).index(finding.rule),
        "level": LEVELS[finding.level],
        "message": {"text": printable(describe_findings(record, finding))},
        # An image has no lines, but code scanning shows no result without one.
        "locations": [{"physicalLocation": {"artifactLocation": _address(place), "region": {"startLine": 1}}}],
        # The fingerprint leaves out the score, so that a finding stays the same alert from run to run.
        "partialFingerprints": {
            "primaryLocationLineHash": hashlib.sha256(os.fsencode(f"{finding.rule}\0{place}")).hexdigest()
        },
        "properties": {"score": record.score},
    }


def _address(place: str) -> dict[str, str]:
    if PurePosixPath(place).is_absolute():
        return {"uri": "file://" + quote(os.fsencode(place))}
    return {"uri": quote(os.fsencode(place)), "uriBaseId": ROOT}


SARIF = Reporter(write_sarif, is_whole=True)
