"""Diverging bars and signed numbers."""

from __future__ import annotations

from rich.text import Text

WORSE, BETTER, NEUTRAL = "rgb(208,62,56)", "rgb(52,132,200)", "rgb(150,120,190)"
"""Readable on dark and on light terminals; red and blue as on the maps."""
FAINT = "bright_black"


def signed(value: float, decimals: int = 1) -> str:
    """Format a number with its sign, but without one if it rounds to zero: +1.7, −0.2, 0.0."""
    text = f"{abs(value):.{decimals}f}"
    return text if float(text) == 0 else ("+" if value > 0 else "−") + text


def score_style(score: float) -> str:
    """Colour of a score: blue is better, red is worse; none for a score that rounds to zero."""
    return "" if signed(score) == "0.0" else BETTER if score > 0 else WORSE


def diverging_bar(value: float, full: float, cells: int, style: str) -> Text:
    """A bar from the middle to the left or to the right, 2 × `cells` + 1 columns wide; `full` fills a half."""
    halves = min(2 * cells, round(abs(value) / full * 2 * cells))
    whole, half = divmod(halves, 2)
    rest = "─" * (cells - whole - half)
    if not halves:
        return Text.assemble((f"{rest}┼{rest}", FAINT))
    if value < 0:
        return Text.assemble((rest, FAINT), ("╺" * half + "━" * whole, style), ("┼" + "─" * cells, FAINT))
    return Text.assemble(("─" * cells + "┼", FAINT), ("━" * whole + "╸" * half, style), (rest, FAINT))
