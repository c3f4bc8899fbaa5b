"""Patterns as in a .gitignore file, matched in time that grows as pattern times path.

A regular expression for `*a*a*a*b` tries every way to divide a name among its stars, which takes hours for a long one.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from shamisa_cli.core.errors import SettingError

MAX_PATTERN = 1000
"""Longest pattern in characters."""
LONGEST_SHOWN = 40
"""Characters of a pattern that an error shows."""


@dataclass(frozen=True)
class Pattern:
    """One line of a .gitignore file (see git's documentation, gitignore, "Pattern format").

    Attributes:
        segments: one expression for each part between slashes; None stands for `**`.
        negated: the pattern begins with an exclamation mark.
        folders_only: it ends with a slash.
    """

    segments: tuple[re.Pattern[str] | None, ...]
    negated: bool
    folders_only: bool

    def ends(self, parts: Sequence[str]) -> set[int]:
        """Numbers of parts, from the first on, that the whole pattern matches."""
        reached = {0}
        for place, segment in enumerate(self.segments):
            if segment is None:
                last = place == len(self.segments) - 1
                # At the end, "**" stands for everything inside, so for one part or more.
                reached = {end for start in reached for end in range(start + last, len(parts) + 1)}
            else:
                reached = {end + 1 for end in reached if end < len(parts) and segment.match(parts[end])}
        return reached - {0}


def read_pattern(line: str) -> Pattern | None:
    """Read a line; None for an empty one and a comment.

    Raises ValueError if it is longer than `MAX_PATTERN`, or cannot be used.
    """
    if len(line) > MAX_PATTERN:
        raise ValueError(f"it has {len(line)} characters, and at most {MAX_PATTERN} are allowed")
    text = re.sub(r"(?<!\\) +$", "", composed(line.rstrip("\r\n")))
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text.removeprefix("!")
    folders_only = text.endswith("/")
    anchored = "/" in text.rstrip("/")
    segments = [part for part in text.split("/") if part not in ("", ".")]
    if not segments:
        raise ValueError("it names nothing")
    if not anchored:
        segments.insert(0, "**")
    return Pattern(tuple(None if part == "**" else _expression(part) for part in segments), negated, folders_only)


def read_patterns(lines: Sequence[str]) -> tuple[Pattern, ...]:
    """The patterns of several lines. Raises SettingError for one that cannot be used."""
    found = []
    for line in lines:
        try:
            found.append(read_pattern(line))
        except ValueError as error:
            said = repr(line if len(line) <= LONGEST_SHOWN else line[: LONGEST_SHOWN - 3] + "...")
            raise SettingError(
                f"The pattern {said} cannot be used: {error}. Write it as in a .gitignore file, such as drafts/ or "
                "*.png."
            ) from None
    return tuple(pattern for pattern in found if pattern is not None)


def composed(name: str) -> str:
    """A name with its accents in one form: macOS and some archives hold é as e and an accent."""
    return unicodedata.normalize("NFC", name)


def matches(patterns: Sequence[Pattern], *names: str) -> bool:
    """Whether patterns select a file, by one of its paths, which have forward slashes.

    The last pattern that matches the path itself decides, else the last for the folder it is in, and so on upwards.
    """
    paths = [[part for part in composed(name).split("/") if part not in ("", ".")] for name in names]
    levels = [set().union(*(_levels(pattern, parts) for parts in paths)) for pattern in patterns]
    for level in range(max(map(len, paths))):
        for pattern, matched in zip(reversed(patterns), reversed(levels), strict=True):
            if level in matched:
                return not pattern.negated
    return False


def _levels(pattern: Pattern, parts: Sequence[str]) -> set[int]:
    """Levels of a path that the pattern matches: 0 for the path itself, 1 for its folder, and so on upwards."""
    return {len(parts) - end for end in pattern.ends(parts)} - ({0} if pattern.folders_only else set())


def _expression(segment: str) -> re.Pattern[str]:
    r"""The expression of a part without slashes: `*`, `?` and `[…]` as in `fnmatch`, `[^…]`, and `\` before any letter.

    `fnmatch.translate` makes the text between two stars atomic, so that nothing is tried twice.
    """
    literal = re.sub(r"\\(.)", lambda found: f"[{found[1]}]" if found[1] in "*?[" else found[1], segment)
    return re.compile(fnmatch.translate(literal.replace("[^", "[!")))
