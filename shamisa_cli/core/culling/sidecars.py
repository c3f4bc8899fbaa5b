"""Decisions as ratings and labels in XMP sidecar files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shamisa_cli.core.culling.decisions import Decision
from shamisa_cli.core.culling.sidecar_names import Naming, is_of_version, own_sidecars, sidecar_of
from shamisa_cli.core.culling.xmp import (
    KEEP_LABEL,
    REJECT_LABEL,
    REJECTED,
    Mark,
    Outcome,
    mark_in,
    personal_mark,
    write_mark,
)
from shamisa_cli.core.errors import SettingError, ShamisaError, item_error
from shamisa_cli.core.existence import is_gone
from shamisa_cli.core.images.metadata import read_metadata


@dataclass(frozen=True)
class SidecarResult:
    """Outcome for one image.

    Attributes:
        picture, sidecar: their files.
        outcome: as `write_mark` returns it; "shared" if the sidecar is also that of another image, whose decision it
            got; None with a `problem`.
        problem: why the sidecar cannot be used.
    """

    picture: Path
    sidecar: Path
    outcome: Outcome | Literal["shared"] | None
    problem: str = ""


def mark_of(decision: Decision, *, stars: bool, verdicts: bool = True) -> Mark:
    """The rating and label of a decision.

    Rejected images are rated -1 and labelled red, kept ones labelled green; with `stars`, kept ones get their stars.
    Without `verdicts`, when nothing can be rejected, there are stars and no labels.
    """
    if not verdicts:
        return Mark(decision.stars if stars else None, None)
    if decision.verdict == "reject":
        return Mark(REJECTED, REJECT_LABEL)
    return Mark(decision.stars if stars else None, KEEP_LABEL)


def write_sidecars(
    decisions: Iterable[Decision],
    *,
    stars: bool = False,
    verdicts: bool = True,
    naming: Naming = "appended",
    overwrite: bool = False,
    dry: bool = False,
) -> Iterator[SidecarResult]:
    """Write the mark of each decision beside its image; unreadable images are left out.

    Images that share a sidecar (photo.xmp, of photo.jpg and photo.png) get the best of their decisions: kept before
    rejected, then the higher score.

    Args:
        decisions: from `decide`.
        stars, verdicts: see `mark_of`.
        naming: see `sidecar_of`.
        overwrite: replace ratings and labels that a person gave, in a sidecar or in the image itself.
        dry: only find out what would happen.
    """
    known = [decision for decision in decisions if decision.verdict != "unreadable"]
    sharing: dict[Path, list[Decision]] = {}
    for decision in known:
        sharing.setdefault(sidecar_of(_picture(decision), naming), []).append(decision)
    own = own_sidecars(map(_picture, known))
    for sidecar, alike in sharing.items():
        best, *others = sorted(alike, key=_preference)
        mark = mark_of(best, stars=stars, verdicts=verdicts)
        try:
            _require_there(map(_picture, alike))
            marks = [] if overwrite else _marks_beside(sidecar, {each: own[each] for each in map(_picture, alike)})
            yield SidecarResult(
                _picture(best), sidecar, write_mark(sidecar, mark, others=marks, overwrite=overwrite, dry=dry)
            )
        except ShamisaError as error:
            yield SidecarResult(_picture(best), sidecar, None, str(error))
        except OSError as error:
            problem = f"{sidecar} cannot be written: {error.strerror or error}."
            yield SidecarResult(_picture(best), sidecar, None, problem)
        except Exception as error:
            yield SidecarResult(_picture(best), sidecar, None, str(item_error(sidecar, error)))
        yield from (SidecarResult(_picture(other), sidecar, "shared") for other in others)


def _picture(decision: Decision) -> Path:
    return Path(decision.record.path)


def _require_there(pictures: Iterable[Path]) -> None:
    """Raise SettingError for a picture that has gone since it was scored, as when its disk was taken out."""
    for picture in pictures:
        if is_gone(picture):
            raise SettingError(f"{picture} is not there any more; nothing was written beside it.")


def _preference(decision: Decision) -> tuple[bool, float]:
    """Sorts the best decision first."""
    return decision.verdict == "reject", -(decision.record.score or 0.0)


def _marks_beside(sidecar: Path, own: Mapping[Path, Sequence[Path]]) -> list[Mark]:
    """The marks in images, and those that a person gave in their other sidecars. Raises as `personal_mark` does."""
    others = [
        file for picture, files in own.items() for file in files if file != sidecar and not is_of_version(file, picture)
    ]
    return [*map(embedded_mark, own), *map(personal_mark, others)]


def embedded_mark(picture: Path) -> Mark:
    """The rating and label that an image itself holds, in its XMP packet or its EXIF data.

    Raises nothing: damaged metadata counts as none.
    """
    metadata = read_metadata(picture)
    found = mark_in(metadata.xmp)
    return Mark(found.rating or metadata.rating, found.label)
