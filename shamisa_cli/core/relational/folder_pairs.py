"""Pairing of the images of two folders by name, never by order (imports neither NumPy nor torch)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from shamisa_cli.core.errors import SettingError

NAMED = 5
"""Largest number of images without a partner that an error names; it gives the number of further ones."""


def pair_folders(
    references: Sequence[Path], reference_folder: Path, candidates: Sequence[Path], candidate_folder: Path
) -> list[tuple[Path, Path]]:
    """Pair references with candidates, in the order of the references.

    Partners have the same path below their folders. Failing that, the suffix may differ (a.png and a.jpg), if on
    neither side a second image has the same path up to its suffix.

    Args:
        references, candidates: pictures below the two folders.

    Raises:
        SettingError: an image of either folder has no partner; the text names such images.
    """
    left, right = _relative(references, reference_folder), _relative(candidates, candidate_folder)
    by_stem = {path.with_suffix(""): path for path in right}
    unsure = _ambiguous(left) | _ambiguous(right)
    pairs: dict[Path, Path] = {}
    for path in left:
        stem = path.with_suffix("")
        if path in right:
            pairs[path] = path
        elif stem in by_stem and stem not in unsure:
            pairs[path] = by_stem[stem]
    matched = set(pairs.values())
    problems = [
        _alone([path for path in left if path not in pairs], reference_folder, candidate_folder, unsure),
        _alone([path for path in right if path not in matched], candidate_folder, reference_folder, unsure),
    ]
    if any(problems):
        raise SettingError(
            f"{' '.join(filter(None, problems))} Partners have the same path below the two folders; "
            "the suffix may differ where no other picture has that name."
        )
    return [(left[path], right[partner]) for path, partner in pairs.items()]


def _relative(pictures: Sequence[Path], folder: Path) -> dict[Path, Path]:
    return {path.relative_to(folder): path for path in pictures}


def _ambiguous(pictures: Mapping[Path, Path]) -> set[Path]:
    counts = Counter(path.with_suffix("") for path in pictures)
    return {stem for stem, count in counts.items() if count > 1}


def _alone(paths: Sequence[Path], folder: Path, other: Path, unsure: set[Path]) -> str:
    """Message about the images of a folder without a partner; empty if there are none."""
    if not paths:
        return ""
    names = ", ".join(str(path) for path in paths[:NAMED])
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    count = "1 picture" if len(paths) == 1 else f"{len(paths):,} pictures"
    several = " (several pictures have this name with different suffixes)" if paths[0].with_suffix("") in unsure else ""
    return f"{count} of {folder} {'has' if len(paths) == 1 else 'have'} no partner in {other}: {names}{more}{several}."
