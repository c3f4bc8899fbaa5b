"""Decisions as ratings and labels in XMP sidecar files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shamisa_cli.core.culling.decisions import Decision
from shamisa_cli.core.culling.xmp import (
    KEEP_LABEL,
    REJECT_LABEL,
    REJECTED,
    Mark,
    Naming,
    Outcome,
    rating_in,
    sidecar_of,
    write_mark,
)
from shamisa_cli.core.errors import ShamisaError, item_error
from shamisa_cli.core.existence import is_gone
from shamisa_cli.core.images.formats import open_image

EXIF_RATING = 0x4746
"""Tag that Windows and some cameras write: 0…5 stars."""


@dataclass(frozen=True)
class SidecarResult:
    """Outcome for one image: as `write_mark` returns it; None with a `problem` if the sidecar cannot be used."""

    picture: Path
    sidecar: Path
    outcome: Outcome | None
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

    Args:
        decisions: from `decide`.
        stars, verdicts: see `mark_of`.
        naming: see `sidecar_of`.
        overwrite: replace ratings and labels that a person gave, in the sidecar or in the image itself.
        dry: only find out what would happen.
    """
    for decision in decisions:
        if decision.verdict == "unreadable":
            continue
        picture = Path(decision.record.path)
        sidecar = sidecar_of(picture, naming)
        mark = mark_of(decision, stars=stars, verdicts=verdicts)
        try:
            personal = not overwrite and is_gone(sidecar) and bool(embedded_rating(picture))
            outcome = "kept" if personal else write_mark(sidecar, mark, overwrite=overwrite, dry=dry)
            yield SidecarResult(picture, sidecar, outcome)
        except ShamisaError as error:
            yield SidecarResult(picture, sidecar, None, str(error))
        except OSError as error:
            yield SidecarResult(picture, sidecar, None, f"{sidecar} cannot be written: {error.strerror or error}.")
        except Exception as error:
            yield SidecarResult(picture, sidecar, None, str(item_error(sidecar, error)))


def embedded_rating(picture: Path) -> int | None:
    """The rating that an image itself holds, in its XMP packet or its EXIF data; None if there is none or it is 0.

    Raises nothing: damaged metadata counts as none.
    """
    try:
        with picture.open("rb") as stream, open_image(picture, stream) as image:
            packet, rating = image.info.get("xmp"), image.getexif().get(EXIF_RATING)
    except Exception:  # damaged files make Pillow raise many types
        return None
    found = rating_in(packet) if isinstance(packet, bytes) else None
    return found or (rating if isinstance(rating, int) else None) or None
