"""Options that choose which pictures are shown, and which belong together."""

from __future__ import annotations

from typing import Annotated

import typer

GROUPS = "Groups"
SELECTION = "Selection"

SIMILARITY, BURST_GAP = 0.85, 2.0
"""As in core/culling/groups."""

Similarity = Annotated[
    float,
    typer.Option(
        "--similarity",
        metavar="X",
        min=0,
        max=1,
        envvar="SHAMISA_SIMILARITY",
        rich_help_panel=GROUPS,
        help="Least similarity of two near-duplicates, 0 to 1 (cosine of the model's features).",
    ),
]
BurstGap = Annotated[
    float,
    typer.Option(
        "--burst-gap",
        metavar="SECONDS",
        min=0,
        envvar="SHAMISA_BURST_GAP",
        rich_help_panel=GROUPS,
        help="Longest time between two frames of a burst, by their EXIF data; 0 ignores capture times.",
    ),
]


FindGroups = Annotated[
    bool,
    typer.Option(
        "--groups",
        rich_help_panel=GROUPS,
        show_default="off",
        help="Find groups of near-duplicates and burst frames, and mark the best picture of each.",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        "--top", metavar="N", min=0, rich_help_panel=SELECTION, show_default="all", help="Show the N best pictures."
    ),
]
Bottom = Annotated[
    int | None,
    typer.Option(
        "--bottom", metavar="N", min=0, rich_help_panel=SELECTION, show_default="all", help="Show the N worst pictures."
    ),
]
Below = Annotated[
    float | None,
    typer.Option(
        "--below", metavar="X", rich_help_panel=SELECTION, show_default="all", help="Show pictures that score below X."
    ),
]
Above = Annotated[
    float | None,
    typer.Option(
        "--above",
        metavar="X",
        rich_help_panel=SELECTION,
        show_default="all",
        help="Show pictures that score X or more.",
    ),
]
