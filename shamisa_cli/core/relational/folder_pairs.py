"""Pairing of the images of two folders by name, never by order (imports neither NumPy nor torch)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shamisa_cli.core.existence import is_file
from shamisa_cli.core.patterns import composed

NAMED = 5
"""Largest number of images without a partner that a sentence names; it gives the number of further ones."""


@dataclass(frozen=True)
class FolderPairs:
    """The images of two folders, paired by name.

    Attributes:
        pairs: (reference, candidate), in the order of the references.
        added: candidates without a reference.
        removed: references without a candidate.
        ambiguous: those of them, reference first, that have the same name up to the suffix, where there are several.
    """

    pairs: tuple[tuple[Path, Path], ...] = ()
    added: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()
    ambiguous: tuple[tuple[Path, ...], ...] = ()

    def __add__(self, other: FolderPairs) -> FolderPairs:
        return FolderPairs(
            self.pairs + other.pairs,
            self.added + other.added,
            self.removed + other.removed,
            self.ambiguous + other.ambiguous,
        )


def pair_folders(
    references: Sequence[Path], reference_folder: Path, candidates: Sequence[Path], candidate_folder: Path
) -> FolderPairs:
    """Pair references with candidates.

    Partners have the same path below their folders. Failing that, the suffix may differ (a.png and a.jpg), if on
    neither side a second image has the same path up to its suffix.

    Args:
        references, candidates: pictures below the two folders.
    """
    left, right = _relative(references, reference_folder), _relative(candidates, candidate_folder)
    by_stem = {_stem(path): path for path in right}
    unsure = _ambiguous(left) | _ambiguous(right)
    pairs: dict[Path, Path] = {}
    for path in left:
        stem = _stem(path)
        if path in right:
            pairs[path] = path
        elif stem in by_stem and stem not in unsure:
            pairs[path] = by_stem[stem]
    matched = set(pairs.values())
    added = {path: file for path, file in right.items() if path not in matched}
    removed = {path: file for path, file in left.items() if path not in pairs}
    shared = sorted({_stem(path) for path in added} & {_stem(path) for path in removed} & unsure)
    return FolderPairs(
        tuple((left[path], right[partner]) for path, partner in pairs.items()),
        tuple(added.values()),
        tuple(removed.values()),
        tuple(
            tuple(file for alone in (removed, added) for path, file in alone.items() if _stem(path) == stem)
            for stem in shared
        ),
    )


def with_names_passed_over(found: FolderPairs, reference_folder: Path, candidate_folder: Path) -> FolderPairs:
    """Pair what has a partner of just its name after all: of folders with many links, some names are passed over."""
    pairs, added, removed = list(found.pairs), [], []
    for path in found.removed:
        partner = candidate_folder / path.relative_to(reference_folder)
        pairs.append((path, partner)) if is_file(partner) else removed.append(path)
    for path in found.added:
        partner = reference_folder / path.relative_to(candidate_folder)
        pairs.append((partner, path)) if is_file(partner) else added.append(path)
    alone = {*added, *removed}
    left = [tuple(path for path in group if path in alone) for group in found.ambiguous]
    unsure = tuple(filter(None, left))
    return replace(found, pairs=tuple(pairs), added=tuple(added), removed=tuple(removed), ambiguous=unsure)


def describe_unpaired(paths: Sequence[Path], word: str) -> str:
    """Phrase such as "2 pictures added: after/c.png, after/d.png"; `word` is "added" or "removed". Empty for none."""
    if not paths:
        return ""
    names = ", ".join(str(path) for path in paths[:NAMED])
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    return f"{len(paths):,} picture{'' if len(paths) == 1 else 's'} {word}: {names}{more}"


def describe_ambiguous(groups: Sequence[Sequence[Path]]) -> str:
    """Sentence that says which pictures could be partners in several ways, and what to do; empty for none."""
    if not groups:
        return ""
    named = "; ".join(", ".join(str(path) for path in group) for group in groups[:NAMED])
    more = f"; and {len(groups) - NAMED:,} more names" if len(groups) > NAMED else ""
    return f"Not paired, since more than one has the same name: {named}{more}. Keep one of each name in each folder."


def _relative(pictures: Sequence[Path], folder: Path) -> dict[Path, Path]:
    return {path.relative_to(folder): path for path in pictures}


def _ambiguous(pictures: Mapping[Path, Path]) -> set[Path]:
    counts = Counter(_stem(path) for path in pictures)
    return {stem for stem, count in counts.items() if count > 1}


def _stem(path: Path) -> Path:
    """The path up to its suffix, with accents in one form: macOS stores é as e and an accent.

    A folder that may not be listed stands for itself, at "." below itself.
    """
    return Path(composed(str(path.with_suffix("") if path.name else path)))
