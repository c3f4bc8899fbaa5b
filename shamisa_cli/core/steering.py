"""Characters in names and in texts from files that could steer a terminal, shown as escapes."""

from __future__ import annotations

import unicodedata

CONTROL_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
BIDI_OVERRIDES = set(range(0x202A, 0x202F)) | set(range(0x2066, 0x206A))


def steers(character: str) -> bool:
    """Whether a character could steer a terminal: control characters, line separators, changes of direction."""
    return unicodedata.category(character) in CONTROL_CATEGORIES or ord(character) in BIDI_OVERRIDES


def escaped(text: str, *, keep: str = "") -> str:
    r"""`text` with each character that steers, but those to `keep`, as an escape such as \x1b."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode("ascii") if steers(each) and each not in keep else each for each in text
    )
