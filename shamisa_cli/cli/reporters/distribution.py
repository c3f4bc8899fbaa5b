"""The colour of a score, and the distribution of scores as a histogram or in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

BINS = 10
BIN_CELLS, NARROW_BIN_CELLS = 6, 3
HISTOGRAM_HEIGHT = 3
EIGHTHS = " ▁▂▃▄▅▆▇█"


RED, YELLOW, GREEN = (208, 62, 56), (214, 158, 28), (52, 160, 84)
"""Ends and middle of the scale of quality; readable on dark and on light terminals."""


def quality_style(score: float) -> str:
    """The colour of a score 0…100, from red over yellow to green."""
    low, high, share = (RED, YELLOW, score / 50) if score < 50 else (YELLOW, GREEN, score / 50 - 1)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return f"rgb({red},{green},{blue})"


def histogram(scores: Sequence[float], width: int) -> Iterator[Text]:
    """Lines of a histogram of scores 0…100 that fits `width` columns."""
    cells = BIN_CELLS if width > BIN_CELLS * (BINS + 1) else NARROW_BIN_CELLS
    counts = _counts(scores)
    styles = [quality_style((index + 0.5) * 100 / BINS) for index in range(BINS)]
    levels = [-(-count * 8 * HISTOGRAM_HEIGHT // max(counts)) for count in counts]

    if cells == BIN_CELLS:
        yield Text.assemble(" ", *((f"{count or '':^{cells}}", "dim") for count in counts))
    for floor in reversed(range(0, 8 * HISTOGRAM_HEIGHT, 8)):
        blocks = [EIGHTHS[min(max(level - floor, 0), 8)] * (cells - 1) for level in levels]
        yield Text.assemble(" ", *((block + " ", style) for block, style in zip(blocks, styles, strict=True)))
    marks = "".join(f"{edge:<{cells}}" for edge in range(0, 100, 100 // BINS)) + "100"
    yield Text(f" {marks}", "dim")


def sparkline(scores: Sequence[float]) -> Text:
    """The distribution of the scores in one line: a block for each tenth of the scale, with its colour."""
    counts = _counts(scores)
    line = Text("0 ", "dim")
    for index, count in enumerate(counts):
        line.append(EIGHTHS[-(-count * 8 // max(counts))], quality_style((index + 0.5) * 100 / BINS))
    return line.append(" 100", "dim")


def _counts(scores: Sequence[float]) -> list[int]:
    counts = [0] * BINS
    for score in scores:
        counts[min(int(score * BINS / 100), BINS - 1)] += 1
    return counts
