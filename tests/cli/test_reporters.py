from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.cells import cell_len

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.fitted_table import shortened
from shamisa_cli.cli.options import MAX_PIXELS
from shamisa_cli.cli.reporters import REPORTERS
from shamisa_cli.cli.reporters.distribution import quality_style
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.records import ErrorRecord, GroupPlace, ImageRecord, ModelIdentity, Run
from shamisa_cli.core.scoring.gate import Gate, Rule

RUN = Run(ModelIdentity("tiny", "0123456789ab", {"view_size": 512}))
NASTY = ["[red]a.jpg", "b\x1b[31m\n.jpg", os.fsdecode(b"c\xff.jpg"), 'd,"quoted".jpg', "گربه.jpg", "=1+1.jpg"]


def records(count: int) -> list[ImageRecord]:
    return [ImageRecord(f"photos/{n:05d}.jpg", n % 1000 / 10, 3.0, width=640, height=480) for n in range(count)]


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def judged(pictures: list[ImageRecord]) -> list[ImageRecord]:
    gate = Gate(min_score=50.0, rules=(Rule(("drafts/",), level="warn"),))
    return [gate.apply(record) for record in pictures]


def written(format: str, pictures: list[ImageRecord], run: Run = RUN, *, terminal: bool = False) -> str:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Screen()
    REPORTERS[format].write(iter(pictures), run, stream)
    return stream.getvalue()


def test_json_is_the_promised_document() -> None:
    error = ImageRecord("b.jpg", status="error", error=ErrorRecord("truncated", "b.jpg ends early."))
    document = json.loads(written("json", [ImageRecord("a.jpg", 40.0, 2.5, status="failed"), error]))
    assert list(document) == ["schema", "model", "images", "summary"]
    assert document["schema"] == 1
    assert document["model"] == {"name": "tiny", "revision": "0123456789ab", "preprocessing": {"view_size": 512}}
    assert document["images"][1]["error"] == {"kind": "truncated", "message": "b.jpg ends early."}
    assert document["summary"] == {
        "count": 2, "errors": 1, "failed": 1, "mean": 40.0, "median": 40.0, "min": 40.0, "max": 40.0,
        "left_out": {},
    }  # fmt: skip


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_a_streaming_format_writes_each_picture_before_the_next_is_scored(format: str) -> None:
    stream = io.StringIO()
    seen: list[int] = []

    def scored() -> Iterator[ImageRecord]:
        for record in records(3):
            yield record
            seen.append(stream.getvalue().count(record.path))

    REPORTERS[format].write(scored(), RUN, stream)
    assert seen == [1, 1, 1]


def test_hostile_names_survive_json_and_csv() -> None:
    pictures = [ImageRecord(name, 50.0) for name in NASTY]
    lines = written("jsonl", pictures).encode("utf-8", "backslashreplace").decode().splitlines()
    assert [json.loads(line)["path"] for line in lines] == NASTY
    rows = list(csv.DictReader(io.StringIO(written("csv", pictures), newline="")))
    read = [row["path"] for row in rows]  # an apostrophe keeps a formula from being one
    assert [path[1:] if path.startswith(("'=", "'+", "'-", "'@", "'\t")) else path for path in read] == NASTY
    assert {row["score"] for row in rows} == {"50.0"}


@pytest.mark.parametrize("terminal", [True, False])
def test_hostile_names_are_shown_and_steer_nothing(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    shown = written("text", [ImageRecord(name, 50.0) for name in NASTY], terminal=terminal)
    assert "[red]a.jpg" in shown
    assert r"b\x1b[31m\n.jpg" in shown
    assert "\x1b[31m" not in shown
    assert r"c\udcff.jpg" in shown
    shown.encode("utf-8")


def test_text_for_a_pipe_is_plain_and_complete() -> None:
    pictures = [*records(500), ImageRecord("photos/" + "x" * 300 + ".jpg", 10.0)]
    shown = written("text", pictures)
    assert "\x1b" not in shown
    assert all(record.path in shown for record in pictures)
    assert "501 pictures" in shown


def test_a_long_table_on_a_terminal_fits_its_screen_and_says_how_to_get_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "80", "LINES": "30", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    shown = plain(written("text", records(500), terminal=True))
    assert len(shown.splitlines()) <= 30
    assert "photos/00000.jpg" in shown
    assert "photos/00499.jpg" in shown
    assert "479 are not shown. All: pipe into less, or -o scores.csv" in shown
    assert re.search(
        r"500 pictures  0 [▁-█ ]{10} 100  ·  mean 24.9", shown
    )  # the distribution is in the summary's line


@pytest.mark.parametrize("columns", [120, 80, 60, 40])
def test_at_every_width_numbers_are_whole_and_lines_fit(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": str(columns), "LINES": "100", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    defects = {"blur": 2.25, "noise": 1.25}
    pictures = [
        replace(record, width=6000, height=4000, defects=defects, group=GroupPlace(index // 2 + 1, 2, index % 2 == 0))
        for index, record in enumerate(records(30))
    ]
    error = ErrorRecord("truncated", f"photos/{'x' * 30}.jpg is damaged or cut short. Copy it again.")
    shown = plain(written("text", judged([*pictures, ImageRecord("torn.jpg", status="error", error=error)]),
                          replace(RUN, gated=True, grouped=True), terminal=True))  # fmt: skip
    assert max(cell_len(line.rstrip()) for line in shown.splitlines()) <= columns
    words = set(shown.split())
    assert {f"{record.score:.1f}" for record in pictures} <= words
    assert {"1.4", "2.9"} <= words  # mean and highest
    if columns >= 80:
        assert shown.count("6000×4000") == 30
    assert shown.count("★") == 15


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    long = [ImageRecord(f"folder/{'名' * 90}/{n}.jpg", 50.0, width=9000, height=6000) for n in range(3)]
    shown = re.sub(r"\x1b\[[0-9;]*m", "", written("text", long, Run(RUN.model, gated=True), terminal=True))
    table = shown.splitlines()[:5]
    assert max(cell_len(line.rstrip()) for line in table) <= columns
    assert "…" in shown


def test_the_gate_and_what_could_not_be_read_are_reported() -> None:
    gated = Run(RUN.model, gated=True)
    unread = ImageRecord("b.jpg", status="error", error=ErrorRecord("truncated", "b.jpg ends early."))
    shown = written("text", judged([ImageRecord("a.jpg", 40.0), unread]), gated)
    assert "✗ a.jpg" in shown
    assert "2 checked: 1 failed, 1 not readable" in shown
    assert "a.jpg scores 40.0, below the minimum of 50" in shown
    assert "1 picture could not be scored" in shown
    assert shown.count("b.jpg ends early.") == 1
    assert "✓ 1 checked, all passed" in written("text", judged([ImageRecord("a.jpg", 90.0)]), gated)


def test_the_histogram_counts_every_scored_picture() -> None:
    pictures = [ImageRecord(f"{score}.jpg", score) for score in (0.0, 9.9, 10.0, 55.0, 99.0, 100.0)]
    counts = next(line for line in written("text", pictures).splitlines() if line.split() == ["2", "1", "1", "2"])
    assert [counts[1 + 6 * n : 7 + 6 * n].strip() for n in range(10)] == ["2", "1", "", "", "", "1", "", "", "", "2"]


def test_a_run_in_which_nothing_was_read_still_reports() -> None:
    shown = written("text", [ImageRecord("b.jpg", status="error", error=ErrorRecord("empty", "b.jpg is empty."))])
    assert "b.jpg is empty." in shown
    assert "mean" not in shown


def test_names_are_shortened_in_the_middle_to_the_width() -> None:
    assert shortened("photos/holiday/IMG_0001.jpg", 16) == "photo…G_0001.jpg"
    assert shortened("short.jpg", 16) == "short.jpg"
    assert cell_len(shortened("名" * 40, 16)) <= 16


def test_colours_run_from_red_over_yellow_to_green() -> None:
    assert quality_style(0) == "rgb(208,62,56)"
    assert quality_style(50) == "rgb(214,158,28)"
    assert quality_style(100) == "rgb(52,160,84)"


def test_text_that_turns_the_reading_direction_is_escaped_and_joiners_are_kept() -> None:
    assert printable("a\u202egpj.exe") == r"a\u202egpj.exe"
    assert printable("گربه\u200cها") == "گربه\u200cها"


def test_the_help_states_the_decoders_own_limit() -> None:
    assert MAX_PIXELS == DEFAULT_MAX_PIXELS


def test_the_strongest_defects_worth_naming_stand_in_the_table() -> None:
    severities = {"blur": 2.14, "noise": 0.8, "colour": 0.6, "contrast": 0.2}
    pictures = [
        ImageRecord("a.jpg", 40.0, 2.5, defects=severities),
        ImageRecord("b.jpg", 90.0, 4.5, defects={"blur": 0.4}),
    ]
    lines = written("text", pictures).splitlines()
    assert "blur 2.1, noise 0.8" in lines[2]
    assert "colour" not in lines[2]
    assert "blur" not in lines[3]


def test_remarks_stand_in_the_table_and_replace_the_groups_they_speak_of() -> None:
    severities = {"blur": 2.14, "colour": 3.0, "brightness": 3.0}
    remarks = ("black and white", "low key", "compression artefacts")
    looked = AtFullSize(0.0, 0.0, 2.2, None)
    lines = written("text", [ImageRecord("a.jpg", 40.0, 2.5, defects=severities, at_full_size=looked, remarks=remarks)])
    assert "black and white, low key, blur 2.1, artefacts at 100 % 2.2" in lines
    row = written("csv", [ImageRecord("a.jpg", 40.0, remarks=remarks)]).splitlines()[1]
    assert "black and white; low key; compression artefacts" in row


def test_names_can_be_told_apart_before_there_is_room_for_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    names = [f"photos/hopper_{noise}-noise.jpg" for noise in ("multiplicative", "impulse")]
    pictures = [ImageRecord(name, 40.0, width=640, height=480, defects={"compression": 2.0}) for name in names]
    shown = written("text", pictures, terminal=True)
    assert "licative-noise.jpg" in shown
    assert "impulse-noise.jpg" in shown


def test_a_narrow_terminal_keeps_the_reasons_and_leaves_bars_and_sizes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    pictures = [ImageRecord("photos/holiday.jpg", 40.0, 2.5, width=640, height=480, defects={"compression": 2.0})]
    shown = written("text", pictures, terminal=True)
    assert "holiday.jpg" in shown
    assert "compression 2.0" in shown
    assert "640" not in shown
    assert "━" not in shown
