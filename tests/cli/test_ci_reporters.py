"""The formats for CI systems, held against their published schemas and against names that mean harm."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import get_args
from urllib.parse import unquote_to_bytes

import jsonschema
import pytest
from lxml import etree

from shamisa_cli.cli.console import ENCODING
from shamisa_cli.cli.reporters import REPORTERS
from shamisa_cli.cli.reporters.sarif import RULES
from shamisa_cli.core.records import ErrorRecord, FindingRule, GateFinding, ImageRecord, ModelIdentity, Run
from shamisa_cli.core.scoring.baseline import Baseline
from shamisa_cli.core.scoring.gate import Gate, Rule

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
RUN = Run(ModelIdentity("tiny", "0123456789ab", {"view_size": 512, "mean": (0.5, 0.5)}), gated=True)
NASTY = [
    "a,b:c%.jpg",
    "line\nbreak\r::error::x.jpg",
    "b\x1b[31m\x00.jpg",
    os.fsdecode(b"c\xff.jpg"),
    'q"<&>]]>\ufffe.jpg',
    "گربه \u202ex.jpg",
    "|`<img src=x>`[l](u)*_~.jpg",
]


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def judged(*pictures: ImageRecord, skip_unreadable: bool = False) -> list[ImageRecord]:
    gate = Gate(
        min_score=50,
        max_drop=2,
        rules=(Rule(("drafts/",), level="warn"),),
        baseline=Baseline(Path("b.json"), {"both.jpg": 80.0}),
        skip_unreadable=skip_unreadable,
    )
    return [gate.apply(picture) for picture in pictures]


def everything(**settings: bool) -> list[ImageRecord]:
    unread = ImageRecord("u.jpg", status="error", error=ErrorRecord("truncated", "u.jpg ends early."))
    scored = [ImageRecord(name, 10.0) for name in ("both.jpg", "drafts/w.jpg", "/elsewhere/x.jpg", *NASTY)]
    return judged(ImageRecord("fine.jpg", 90.0), unread, *scored, **settings)


def written(format: str, records: list[ImageRecord]) -> bytes:
    target = io.BytesIO()
    stream = io.TextIOWrapper(target, **ENCODING)  # type: ignore[arg-type]
    REPORTERS[format].write(iter(records), RUN, stream)
    stream.flush()
    return target.getvalue()


def test_sarif_describes_every_rule_that_can_fail() -> None:
    assert set(RULES) == set(get_args(FindingRule))


@pytest.mark.parametrize("format", ["sarif", "junit", "github"])
@pytest.mark.parametrize("rule", get_args(FindingRule))
def test_a_finding_of_every_rule_is_written(rule: FindingRule, format: str) -> None:
    record = ImageRecord("a.jpg", 10.0, status="failed", findings=(GateFinding(rule, "error", "a.jpg is bad."),))
    assert b"a.jpg" in written(format, [record])


@pytest.mark.parametrize("skip", [False, True])
def test_junit_is_valid_and_counts_what_it_holds(skip: bool) -> None:
    document = etree.fromstring(written("junit", everything(skip_unreadable=skip)))
    etree.XMLSchema(etree.parse(str(SCHEMAS / "junit-10.xsd"))).assertValid(document)
    (suite,) = document
    assert int(suite.get("tests")) == len(suite.findall("testcase")) == 4 + 1 + len(NASTY)
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == 2 + len(NASTY)
    assert int(suite.get("errors")) == len(suite.findall("testcase/error")) == (0 if skip else 1)
    assert "drafts/w.jpg scores 10.0, below the minimum of 50" in suite.findtext("system-out")
    assert ("u.jpg ends early." in suite.findtext("system-out")) is skip
    failure = suite.find("testcase[@name='both.jpg']/failure")
    assert failure.get("type") == "min-score"
    assert "70.0 below the 80.0 of the baseline" in failure.get("message")


def test_sarif_is_valid_and_points_at_the_pictures() -> None:
    document = json.loads(written("sarif", everything()))
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    levels = {(place(result), result["ruleId"]): result["level"] for result in run["results"]}
    assert levels["both.jpg", "min-score"] == levels["both.jpg", "max-drop"] == levels["u.jpg", "unreadable"] == "error"
    assert levels["drafts/w.jpg", "min-score"] == "warning"
    assert levels["file:///elsewhere/x.jpg", "min-score"] == "error"
    assert all((name, "min-score") in levels for name in NASTY)
    assert not any(path == "fine.jpg" for path, _ in levels)
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_sarif_of_a_clean_run_is_valid_and_empty() -> None:
    document = json.loads(written("sarif", judged(ImageRecord("fine.jpg", 90.0))))
    jsonschema.validate(document, json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8")))
    assert document["runs"][0]["results"] == []


def test_github_gets_ten_annotations_worst_first_and_is_told_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what an earlier step said\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    pictures = [ImageRecord(f"{score:02}.jpg", float(score)) for score in reversed(range(30))]
    *annotations, last = written("github", judged(*pictures, ImageRecord("ok.jpg", 90.0))).decode().splitlines()
    assert [line.partition(",")[0] for line in annotations] == [f"::error file={n:02}.jpg" for n in range(10)]
    assert annotations[3] == "::error file=03.jpg,title=Image quality::03.jpg scores 3.0, below the minimum of 50"
    assert last == "31 checked: 30 failed; 20 are not annotated"
    text = summary.read_text()
    assert text.startswith("what an earlier step said\n### Image quality: 31 checked: 30 failed\n")
    assert text.count("| ❌ |") == 30


def test_github_says_so_when_all_passed() -> None:
    assert written("github", judged(ImageRecord("ok.jpg", 90.0))).decode() == "1 checked, all passed\n"


def test_no_name_makes_a_workflow_command_or_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    lines = written("github", judged(*(ImageRecord(name, 10.0) for name in NASTY))).decode().split("\n")
    assert len(lines) == len(NASTY) + 2
    for line in lines[: len(NASTY)]:
        assert line.startswith("::error file=")
        place, _, _ = line.removeprefix("::error ").partition("::")
        assert place.count(":") == 0
        assert place.count(",") == 1
        assert "\x1b" not in line.partition("::")[2].partition("::")[2]
    assert any("file=line%0Abreak%0D%3A%3Aerror%3A%3Ax.jpg," in line for line in lines)
    rows = [line for line in summary.read_text(encoding="utf-8").splitlines() if line.startswith("| ❌")]
    assert len(rows) == len(NASTY)
    assert all(row.count("|") == 5 for row in rows)
    assert not any(set(row.removeprefix("| ❌")) & set('<>`*_[]()~"') for row in rows)


def test_pictures_are_named_from_the_root_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    records = judged(ImageRecord("a.jpg", 10.0))
    assert b"::error file=sub/a.jpg," in written("github", records)
    (result,) = json.loads(written("sarif", records))["runs"][0]["results"]
    assert place(result) == "sub/a.jpg"


def place(result: dict) -> str:  # type: ignore[type-arg]
    address = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert ("uriBaseId" in address) is not address["uri"].startswith("file:")
    return os.fsdecode(unquote_to_bytes(address["uri"]))
