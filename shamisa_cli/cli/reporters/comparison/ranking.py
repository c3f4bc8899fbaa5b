"""A ranking for people: the best first, each with a bar of its score."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.output import plain_table, print_block, rich_on
from shamisa_cli.cli.reporters.comparison.bars import diverging_bar, score_style, signed
from shamisa_cli.cli.reporters.text import counted, shortened, unreadable_table
from shamisa_cli.core.relational.records import Ranking

BAR_CELLS = 10
SCORE_RANGE = 100.0
REST = 2 * BAR_CELLS + 1 + 28
"""Width of all columns but the names."""
SHORTEST_PATH = 16


def write_ranking_text(ranking: Ranking, stream: TextIO) -> None:
    """Write a table of ranked images, then those that could not be ranked; colours on a terminal only."""
    console = rich_on(stream)
    ranked = [picture for picture in ranking.pictures if picture.score is not None]
    unread = [picture for picture in ranking.pictures if picture.score is None]
    room = max(SHORTEST_PATH, console.width - REST)
    table = plain_table()
    table.add_column(" #", justify="right")
    table.add_column("Picture", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("worse    better", justify="center", no_wrap=True)
    table.add_column("Size", justify="right", style="dim", no_wrap=True)
    for picture in ranked:
        assert picture.score is not None
        style = score_style(picture.score)
        table.add_row(
            f" {picture.rank}",
            shortened(printable(picture.path), room),
            Text(signed(picture.score), f"bold {style}"),
            diverging_bar(picture.score, SCORE_RANGE, BAR_CELLS, style),
            f"{picture.width}×{picture.height}",
        )
    if ranked:
        print_block(console, table)
        console.print(Text(f"\n {_agreement(ranking)}", "bold" if ranking.contradictions else ""))
    if unread:
        console.print("")
        for block in unreadable_table(unread, console, "ranked"):
            print_block(console, block)
    console.print(Text(f"\n {printable(ranking.model.name)} ({printable(ranking.model.revision)})", "dim"))


def _agreement(ranking: Ranking) -> str:
    said = f"{counted(ranking.pairs, 'pair')} compared"
    against = ranking.contradictions
    return (
        f"{said}, {against:,} of them contradict this order" if against else f"{said}, all consistent with this order"
    )
