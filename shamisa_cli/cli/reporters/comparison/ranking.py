"""A ranking for people: the best first, each with a bar of its score."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.fitted_table import Column, fitted_table
from shamisa_cli.cli.output import counted, print_block, rich_on
from shamisa_cli.cli.reporters.comparison.bars import diverging_bar, score_style, signed
from shamisa_cli.cli.reporters.text import unreadable_table, warning_lines
from shamisa_cli.core.relational.ranking_records import Ranking
from shamisa_cli.core.relational.wording import UNALIGNED

BAR_CELLS = 10
SCORE_RANGE = 100.0
SHORTEST_PATH = 16


def write_ranking_text(ranking: Ranking, stream: TextIO) -> None:
    """Write a table of ranked images, then those that could not be ranked; colours on a terminal only."""
    console = rich_on(stream)
    ranked = [picture for picture in ranking.pictures if picture.score is not None]
    unread = [picture for picture in ranking.pictures if picture.score is None]
    scores = [(picture.score or 0.0, score_style(picture.score or 0.0)) for picture in ranked]
    columns = (
        Column(" #", [f" {picture.rank}" for picture in ranked], justify="right"),
        Column("Picture", [printable(picture.path) for picture in ranked], least=SHORTEST_PATH),
        Column("Score", [Text(signed(score), f"bold {style}") for score, style in scores], justify="right"),
        Column("worse    better", [_bar(score, style) for score, style in scores], justify="center", importance=2),
        Column("Size", [f"{picture.width}×{picture.height}" for picture in ranked], "right", "dim", importance=1),
    )
    if ranked:
        print_block(console, fitted_table(columns, console.width))
        console.print(Text(f"\n {_agreement(ranking)}", "bold" if ranking.contradictions else ""))
        if ranking.unaligned:
            console.print(Text(f" {_unaligned(ranking)}", "bold"))
    for line in warning_lines((picture.described_warnings for picture in ranked), console):
        print_block(console, line)
    if unread:
        console.print("")
        for block in unreadable_table(unread, console, "ranked"):
            print_block(console, block)
    console.print(Text(f"\n {printable(ranking.model.name)} ({printable(ranking.model.revision)})", "dim"))


def _bar(score: float, style: str) -> Text:
    return diverging_bar(score, SCORE_RANGE, BAR_CELLS, style)


def _agreement(ranking: Ranking) -> str:
    said = f"{counted(ranking.pairs, 'pair')} compared"
    if not ranking.pairs:
        return "no pair could be compared, so nothing is ranked"
    against = ranking.contradictions
    if ranking.aligned:
        said += f" ({ranking.aligned:,} aligned: moved or cropped by a few pixels)"
    return (
        f"{said}, {against:,} of them contradict this order" if against else f"{said}, all consistent with this order"
    )


def _unaligned(ranking: Ranking) -> str:
    return (
        f"{counted(ranking.unaligned, 'pair')} cannot be aligned, so neither counts as better: {UNALIGNED}. "
        "To order other pictures by quality, use shamisa score"
    )
