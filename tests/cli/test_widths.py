"""Output on terminals of 120, 80, 60 and 40 columns: nothing is too wide, and no number is cut or wrapped."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console as RichConsole

from shamisa_cli.cli import mos_options
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.fitted_table import Column, fitted_table
from shamisa_cli.cli.reporters import REPORTERS
from shamisa_cli.cli.reporters.agreement.checkpoints import write_table as write_steps
from shamisa_cli.cli.reporters.agreement.cross import write_cross
from shamisa_cli.cli.reporters.agreement.gmad import write_gmad
from shamisa_cli.cli.reporters.base import ComparisonRun
from shamisa_cli.cli.reporters.comparison import COMPARISON_REPORTERS, RANKING_WRITERS
from shamisa_cli.cli.reporters.comparison.ladder import write_ladder_text
from shamisa_cli.cli.reporters.culling import write_decisions_text
from shamisa_cli.cli.reporters.model_facts import write_models
from shamisa_cli.core.culling.decisions import CullRule, Decision
from shamisa_cli.core.fitting.protocols import CrossEvaluation
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.models.card import Metric
from shamisa_cli.core.models.catalogue import ModelEntry
from shamisa_cli.core.probe.cross_dataset import CrossResult, CrossTable
from shamisa_cli.core.probe.gmad import GmadPair
from shamisa_cli.core.probe.metrics import Agreement
from shamisa_cli.core.probe.mos_table import MosTable
from shamisa_cli.core.probe.step_agreement import StepAgreement
from shamisa_cli.core.records import ErrorRecord, ImageRecord, ModelIdentity, Run
from shamisa_cli.core.relational.ladder import Ladder, LadderStep
from shamisa_cli.core.relational.ranking_records import Ranked, Ranking
from shamisa_cli.core.relational.records import AXES, Candidate
from shamisa_cli.core.scoring.gmad import CONTESTANTS, Gmad, GmadDuel, GmadPicture

Write = Callable[[TextIO], None]

NAMES = (
    "cat.jpg",
    "holiday/a long name of a photograph by the sea.jpg",
    "fotoğraflar/گربه/猫の写真ながい名前.jpg",
)
MODEL = ModelIdentity("tiny", "abcdef", {"view_size": 512})
ERROR = ErrorRecord("truncated", "holiday/torn.jpg ends early: some of its lines are missing.")
SCORES = (18.4, 52.9, 97.3)


def scored() -> list[ImageRecord]:
    defects = {"blur": 2.1, "noise": 1.6}
    pairs = zip(NAMES, SCORES, strict=True)
    found = [ImageRecord(name, score, 3.0, width=6000, height=4000, defects=defects) for name, score in pairs]
    return [*found, ImageRecord("holiday/torn.jpg", status="error", error=ERROR)]


def test_the_reasons_of_a_score_are_shown_at_every_width(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [replace(record, remarks=("underexposed",)) for record in scored()[:2]]
    for width, reason in ((120, "underexposed, blur 2.1, …"), (60, "underexposed, blur 2.1, …"), (40, "underexposed")):
        monkeypatch.setenv("COLUMNS", str(width))
        screen = Screen()
        REPORTERS["text"].write(records, Run(MODEL), screen)
        assert plain(screen.getvalue()).count(reason) == 2, screen.getvalue()


def candidates(count: int) -> list[Candidate]:
    groups = {name: number - 2.55 for number, name in enumerate(GROUPS)}
    axes = dict.fromkeys(AXES, 0.37)
    return [
        Candidate(
            NAMES[number % 3], f"originals/{NAMES[number % 3]}", -SCORES[number % 3], 75.4, -0.9, 17, groups, axes, 1.5,
            width=640, height=480, status="failed",
        )
        for number in range(count)
    ]  # fmt: skip


def decisions(stream: TextIO) -> None:
    verdicts = ("keep", "reject", "reject", "unreadable")
    reasons = ("", "group 12 has a better picture", "below 30", ERROR.message)
    rows = zip(scored(), verdicts, reasons, (5, 3, 1, None), strict=True)
    write_decisions_text([Decision(record, *rest) for record, *rest in rows], CullRule(below=30), stream)


def ranking(stream: TextIO) -> None:
    ranked = [Ranked(name, 1 + at, 60.5 - 40 * at, 640, 480) for at, name in enumerate(NAMES)]
    scores = ((0.0, -9.0, -9.0), (9.0, 0.0, -9.0), (9.0, 9.0, 0.0))
    RANKING_WRITERS["text"](Ranking((*ranked, Ranked("holiday/torn.jpg", error=ERROR)), scores, MODEL), stream)


def models(stream: TextIO) -> None:
    metrics = tuple(Metric(name, 0.8659, "BIQ") for name in mos_options.FIGURE_NAMES)
    entry = ModelEntry("shamisa-lite2", "bundled", "0123456789abcdef", True, True, False, 29_100_000, metrics, Path())
    write_models([entry], stream)


def agreement(stream: TextIO) -> None:
    figures = [
        mos_options.figure_with_interval(value, (value - 0.05, value + 0.05)) for value in (0.81, 0.82, 0.83, 0.84)
    ]
    rows = [["all", "10,000", *figures], ["a long name of a subset", "5,000", *figures]]
    mos_options.write_figures(stream, rows, "tiny (abcdef); PLCC and RMSE after a logistic mapping")


def run_steps(stream: TextIO) -> None:
    subsets = {"everyday": (0.41, 0.42), "professional": (0.61, 0.63), "degraded": (0.91, 0.93)}
    steps = [StepAgreement(step, "key", "mos.csv", 1200, (0.78, 0.80), (0.7, 0.7), subsets) for step in (0, 12000)]
    write_steps(stream, steps)


def across(stream: TextIO, count: int = 3) -> None:
    names = ("everyday", "professional photographs", "degraded", "drawings", "at night")[:count]
    results = [CrossResult(a, b, Agreement(0.81, 0.82, 0.6, 0.1, 1234)) for a in names for b in names]
    tables = {name: MosTable(tuple(Path(f"{row}.jpg") for row in range(1234)), np.arange(1234.0)) for name in names}
    write_cross(
        stream, CrossEvaluation(tables, CrossTable(names, (1.0,) * count, tuple(results), ()), ()), "tiny (abcdef)"
    )


def rivals(stream: TextIO) -> None:
    pictures = [
        GmadPicture(name, {"a": score, "b": 99.9 - score}, {"a": 0.2, "b": 0.8}, 0.4321)
        for name, score in zip(NAMES, SCORES, strict=True)
    ]
    duels = [GmadDuel(GmadPair(defender, 1, 0, 1, 0.9), "middle", *pictures[:2]) for defender in CONTESTANTS]
    write_gmad(stream, Gmad((MODEL, replace(MODEL, name="shamisa-lite0")), 1200, tuple(duels)))


def ladder(stream: TextIO) -> None:
    steps = tuple(LadderStep(quality, quality * 1234, quality - 95.5, 95.5 - quality) for quality in (1, 50, 95))
    write_ladder_text([Ladder("jpeg", steps, steps[2])], NAMES[1], -10, stream)


OUTPUTS: dict[str, Write] = {
    "score": partial(REPORTERS["text"].write, scored(), Run(MODEL)),
    "cull": decisions,
    "compare": partial(COMPARISON_REPORTERS["text"].write, candidates(2), ComparisonRun(MODEL)),
    "compare many": partial(COMPARISON_REPORTERS["text"].write, candidates(6), ComparisonRun(MODEL)),
    "ladder": ladder,
    "rank": ranking,
    "models list": models,
    "evaluate": agreement,
    "evaluate --run": run_steps,
    "evaluate --cross": across,
    "evaluate --cross of many": partial(across, count=5),
    "evaluate --gmad": rivals,
}
ESSENTIAL = {
    "score": [f"{score}" for score in SCORES],
    "cull": [f"{score}" for score in SCORES],
    "compare": [f"−{SCORES[0]}", f"−{SCORES[1]}", "+2.45", "−2.55"],
    "compare many": [f"−{score}" for score in SCORES],
    "ladder": ["−94.5", "1", "50", "95"],
    "rank": ["+60.5", "+20.5", "−19.5"],
    "models list": ["29.1"],
    "evaluate --run": ["0", "12,000", "0.790", "0.415", "0.620", "0.920"],
    "evaluate --cross": ["0.810", "0.820"],
    "evaluate --cross of many": ["0.810", "0.820"],
    "evaluate --gmad": ["18.4", "81.5", "52.9", "0.4321"],
    "evaluate": ["10,000", "0.810", "0.760", "0.860", "0.840"],
}
"""Numbers that every width shows."""


class Screen(io.StringIO):
    """A terminal, or a pipe."""

    def __init__(self, terminal: bool = True) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def numbers(text: str) -> set[str]:
    """Numbers in a text, signs and separators included."""
    return set(re.findall(r"[+−-]?\d+(?:[.,]\d+)*", text))


@pytest.mark.parametrize("width", [120, 80, 60, 40])
@pytest.mark.parametrize("name", OUTPUTS)
def test_it_fits_and_every_number_is_whole(monkeypatch: pytest.MonkeyPatch, name: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    screen, pipe = Screen(), Screen(terminal=False)
    OUTPUTS[name](screen)
    OUTPUTS[name](pipe)
    lines = plain(screen.getvalue()).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert numbers("\n".join(lines)) <= numbers(pipe.getvalue())
    assert set(ESSENTIAL[name]) <= {number.replace("-", "−") for number in numbers("\n".join(lines))}


def test_a_cull_of_many_pictures_is_a_screenful_on_a_terminal_and_whole_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    many = [
        Decision(ImageRecord(f"{number:03}.jpg", number / 10), "keep" if number > 300 else "reject", "", 3)
        for number in range(500)
    ]
    screen, pipe = Screen(), Screen(terminal=False)
    for each in (screen, pipe):
        write_decisions_text(many, CullRule(below=30), each)
    assert len(plain(screen.getvalue()).splitlines()) <= 24 - 2
    assert "485 are not shown" in plain(screen.getvalue())
    assert plain(screen.getvalue()).count(".jpg") == 15
    assert plain(pipe.getvalue()).count(".jpg") == 500
    rejected = [line for line in plain(pipe.getvalue()).splitlines() if "reject " in line]
    assert rejected
    assert not any("★" in line for line in rejected)


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_messages_are_wrapped_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    said = "1,234 of 10,000 pictures scored (8,766 unreadable, 1,200 from the cache) in 12 min 30 s; report in a.html."
    console = Console()
    for print_it in (console.hint, console.warn, console.error):
        print_it(said)
        lines = plain(capsys.readouterr().err).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert " ".join(line.strip() for line in lines).endswith(said)


@given(
    st.lists(st.tuples(st.text("aあ1", max_size=30), st.booleans()), min_size=1, max_size=4),
    st.integers(24, 200),
)
def test_a_table_is_never_wider_than_asked_where_its_names_can_be_shortened(
    texts: list[tuple[str, bool]], width: int
) -> None:
    columns = [
        Column("x", [text], least=3, importance=at if droppable else None) for at, (text, droppable) in enumerate(texts)
    ]
    stream = io.StringIO()
    RichConsole(file=stream, width=250).print(fitted_table(columns, width))
    assert max(cell_len(line.rstrip()) for line in stream.getvalue().splitlines()) <= width
