"""Comparisons in words (imports neither NumPy nor torch)."""

from __future__ import annotations

from shamisa_cli.core.relational.records import ENDS, FAULTS, Candidate

NOTABLE = 0.1
"""Least intensity of a change that is named."""
SLIGHT, STRONG = 10.0, 30.0
"""Differences up to which a change is slight, and from which it is strong."""
UNALIGNED = "turned, scaled, mirrored, moved too far, or another picture"
"""How two images can differ in their framing."""
GOOD_ENDS = frozenset({"sharper", *(ENDS[name][0] for name in FAULTS)})
BAD_ENDS = frozenset({"blurrier", *(ENDS[name][1] for name in FAULTS)})
"""Changes that are no reason for being worse, and for being better."""


def changes(candidate: Candidate) -> list[tuple[str, float]]:
    """Name the notable changes, each with its mean intensity in the named direction; the largest first."""
    means = {**(candidate.groups or {}), **(candidate.axes or {})}
    named = [(ENDS[name][mean > 0], abs(mean)) for name, mean in means.items() if abs(mean) >= NOTABLE]
    return sorted(named, key=lambda change: -change[1])


def describe(candidate: Candidate) -> str:
    """The result in words: "slightly worse: more noise, difference 8.5, like JPEG quality 92"."""
    if candidate.over_white and candidate.difference:
        return f"{_described(candidate)} (transparent parts over white)"
    return _described(candidate)


def placing(candidate: Candidate) -> str:
    """How it was laid over the reference: "aligned: moved …", "resampled from 300×200"; empty for one in place."""
    if candidate.shift is not None:
        right, down = candidate.shift
        return f"aligned: moved or cropped by {right:+d} px across, {down:+d} px down"
    if candidate.stretched:
        return f"resampled from {candidate.width}×{candidate.height}, another aspect ratio: stretched"
    return f"resampled from {candidate.width}×{candidate.height}" if candidate.resized else ""


def _described(candidate: Candidate) -> str:
    placed = placing(candidate)
    return f"{_judged(candidate)} ({placed})" if placed else _judged(candidate)


def _judged(candidate: Candidate) -> str:
    difference = candidate.difference
    if difference is None:
        return "not compared"
    if difference == 0:
        return "identical over white; their transparency may differ" if candidate.over_white else "identical"
    size = f"difference {difference:.{1 if difference < SLIGHT else 0}f}"
    if not candidate.same_framing:
        return f"cannot be aligned, so the score says little: {UNALIGNED}; {size}"
    like = f"{size}, like JPEG quality {candidate.like_jpeg_quality}"
    if candidate.verdict == "same":
        return f"no visible change: {like}"
    if candidate.verdict == "unclear":
        return f"different, unclear which is better: {like}"
    much = "slightly " if difference <= SLIGHT else "much " if difference >= STRONG else ""
    return f"{much}{candidate.verdict}: {', '.join([*_reason(candidate), like])}"


def _reason(candidate: Candidate) -> list[str]:
    """The largest change that can be the reason of the verdict, if there is one."""
    excluded = BAD_ENDS if candidate.verdict == "better" else GOOD_ENDS
    named = [name for name, _ in changes(candidate) if name not in excluded][:1]
    artefacts = {
        ENDS["compression"][0]: "fewer compression artefacts",
        ENDS["compression"][1]: "more compression artefacts",
    }
    return [artefacts.get(name, name) for name in named]
