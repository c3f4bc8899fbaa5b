"""`shamisa evaluate --gmad`: the pairs of images on which two models disagree most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.text import Text

from shamisa_cli.cli.console import Console, printable, require_file_name
from shamisa_cli.cli.fitted_table import Column, fitted_table
from shamisa_cli.cli.output import print_block, rich_on
from shamisa_cli.core.errors import SettingError

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.gmad import Contestant
    from shamisa_cli.core.records import ImageRecord
    from shamisa_cli.core.scoring.gmad import Gmad

PANEL = "Comparison with another model"
SHORTEST_NAME = 12

Rival = Annotated[
    str | None,
    typer.Option(
        "--gmad",
        metavar="NAME|PATH|hf:ORG/NAME[@REV]",
        rich_help_panel=PANEL,
        show_default="none",
        help="Another model with a probe: find the pairs of pictures on which the two models differ most (gMAD), among "
        "those of the table or, without --mos, of INPUTS.",
    ),
]
Figure = Annotated[
    Path | None,
    typer.Option(
        "--gmad-figure",
        metavar="FILE",
        rich_help_panel=PANEL,
        show_default="none",
        help="Draw the pairs as a PNG: one row per quality level, both models' scores below the pictures.",
    ),
]
Levels = Annotated[
    int,
    typer.Option(
        "--gmad-levels",
        min=1,
        max=10,
        rich_help_panel=PANEL,
        help="Number of quality levels; each has one pair per model.",
    ),
]


def compete(
    models: tuple[Model, Model],
    records: tuple[Sequence[ImageRecord], Sequence[ImageRecord]],
    mos: Sequence[float] | None,
    levels: int,
) -> Gmad:
    """Find the pairs. Raises ModelError and SettingError as `core.scoring.gmad.gmad` does."""
    from shamisa_cli.core.scoring.gmad import gmad

    return gmad(models, records, mos, levels=levels)


def check_figure(target: Path) -> None:
    """Raise SettingError before any work if the figure could not be written under that name."""
    from shamisa_cli.core.images.drawings import require_no_other_file

    if target.suffix.lower() != ".png":
        raise SettingError(f"{target} does not end in .png; --gmad-figure must name a .png file.")
    require_file_name(target, "--gmad-figure")
    require_no_other_file(target)


def draw(target: Path, found: Gmad, console: Console) -> None:
    """Write the figure of the pairs, and report it."""
    from shamisa_cli.core.scoring.gmad_figure import draw_gmad

    draw_gmad(target, found)
    console.hint(f"Drew {len(found.duels)} pairs in {target}.")


def write_gmad(stream: TextIO, found: Gmad) -> None:
    """Write the pairs for people: defender, level, and both models' scores of both images."""
    console = rich_on(stream)
    with_mos = any(duel.better.mos is not None for duel in found.duels)
    sides: tuple[tuple[Contestant, Contestant], ...] = (("a", "b"), ("b", "a"))
    for defender, attacker in sides:
        names = [found.name(each) for each in (defender, attacker)]
        title = f"{names[0]} defends: calls both equal. {names[1]} attacks: prefers the first."
        print_block(console, Text(f"\n {printable(title)}\n", "bold"))
        duels = [duel for duel in found.duels if duel.pair.defender == defender]
        pictures = [picture for duel in duels for picture in (duel.better, duel.worse)]
        levels = [f" {level}" for duel in duels for level in (duel.level, "")]
        columns = [
            Column(" Level", levels, importance=0),
            Column("Pictures", [printable(picture.path) for picture in pictures], least=SHORTEST_NAME),
            *(
                Column(model, [f"{picture.scores[model]:.1f}" for picture in pictures], "right")
                for model in (defender, attacker)
            ),
        ]
        if with_mos:
            marks = ["" if picture.mos is None else f"{picture.mos:.4g}" for picture in pictures]
            columns.append(Column("people", marks, "right"))
        print_block(console, fitted_table(columns, console.width))
    note = f"a: {found.name('a')}, b: {found.name('b')}; {found.count:,} pictures"
    print_block(console, Text(f"\n {note}", "dim"))
