"""`shamisa compare --ladder`: the smallest quality of each codec that is good enough."""

from __future__ import annotations

import time
from pathlib import Path

from shamisa_cli.cli import inputs
from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.cli.reporters.comparison.ladder import LADDER_WRITERS
from shamisa_cli.cli.run_tally import closing_line
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.reliability import describe_warnings

STEPS, CURVE_STEPS = 7, 15
"""About so many comparisons per codec, without a curve and with one."""
CURVE = "svg"
"""The format that draws the whole range of qualities."""


def run_ladder(
    reference: Path,
    codecs: str,
    target: float,
    format: str | None,
    output: Path | None,
    max_pixels: int,
    console: Console,
    **model: str | bool,
) -> None:
    """Climb the ladder of each codec for one picture and write the result; `model` goes to `load_relational_model`.

    Raises:
        ImageError: the picture cannot be read.
        SettingError: a codec, the target or the format cannot be used.
    """
    from shamisa_cli.core.images.decoding import decode
    from shamisa_cli.core.models.loading import load_relational_model
    from shamisa_cli.core.relational.ladder import CODECS, climb, require_codecs, require_room

    started = time.monotonic()
    chosen = format or inputs.format_of(output, LADDER_WRITERS)
    if chosen not in LADDER_WRITERS:
        raise SettingError(f"A ladder has no format {chosen}. Use one of {', '.join(LADDER_WRITERS)}.")
    if output is not None:
        check_output(output)
    names = list(dict.fromkeys(name.strip() for name in codecs.split(",") if name.strip()))
    if not names:
        raise SettingError(f"--ladder names no codec. Use one or several of {', '.join(CODECS)}.")
    require_codecs(names)
    picture = decode(reference, max_pixels=max_pixels)
    original = picture.pixels
    require_room(names, original, str(reference))
    console.warn_of_odd([describe_warnings(str(reference), picture.warnings)])
    comparer = load_relational_model(**model)  # type: ignore[arg-type]
    drawn = chosen == CURVE
    with console.progress("Encoding", (CURVE_STEPS if drawn else STEPS) * len(names)) as advance:
        ladders = []
        for name in names:
            console.hint(f"Trying qualities of {name}.")
            ladders.append(climb(comparer, original, name, target, curve=drawn, advance=advance))
    with console.results(output) as stream:
        LADDER_WRITERS[chosen](ladders, str(reference), target, stream)
    tried = sum(len(each.steps) for each in ladders)
    console.hint(closing_line("compared", tried, tried, {}, since=started, places={"results": output}, noun="version"))
