"""JUnit XML, which most CI systems display: an image is a test case, its folder the class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TextIO
from xml.etree import ElementTree as ET

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.core.records import ImageRecord, Run
from shamisa_cli.core.scoring.gate import describe_findings, gate_status

SUITE = "shamisa"
NOT_IN_XML = {ord(character): "\N{REPLACEMENT CHARACTER}" for character in "\ufffe\uffff"}


def write_junit(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:
    """Write the document once all records have arrived; warnings and odd files go into the suite's output."""
    records = list(records)
    counts = Counter(gate_status(record) for record in records)
    errors = sum(_is_error(record) for record in records)
    root = ET.Element("testsuites")
    # All attributes that some schema requires; images are scored in parallel, so none has a time of its own.
    suite = ET.SubElement(
        root,
        "testsuite",
        name=SUITE,
        package=SUITE,
        id="0",
        hostname="localhost",
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        tests=str(len(records)),
        failures=str(counts["failed"]),
        errors=str(errors),
        time="0",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in {"model": run.model.name, "revision": run.model.revision}.items():
        ET.SubElement(properties, "property", name=name, value=_text(value))
    suite.extend(_case(record) for record in records)
    ET.SubElement(suite, "system-out").text = "".join(
        f"warning: {_text(describe_findings(record))}\n"
        for record in records
        if record.findings and record.status != "failed" and not _is_error(record)
    ) + "".join(f"warning: {_text(record.described_warnings)}\n" for record in records if record.warnings)
    ET.SubElement(suite, "system-err")
    ET.indent(root)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def _case(record: ImageRecord) -> ET.Element:
    path = PurePath(record.path)
    folder = path.parent.as_posix()
    case = ET.Element("testcase", name=_text(path.name), classname=_text(folder), time="0")
    if record.status == "failed":
        ET.SubElement(case, "failure", type=record.findings[0].rule, message=_text(describe_findings(record)))
    elif _is_error(record):
        ET.SubElement(
            case, "error", type=record.error.kind if record.error else "", message=_text(describe_findings(record))
        )
    return case


def _is_error(record: ImageRecord) -> bool:
    return any(finding.rule == "unreadable" and finding.level == "error" for finding in record.findings)


def _text(text: str) -> str:
    return printable(text).translate(NOT_IN_XML)


JUNIT = Reporter(write_junit, is_whole=True)
