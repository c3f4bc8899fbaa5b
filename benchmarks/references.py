"""Select photographs that can stand as undistorted references for training, from any folders.

    python benchmarks/references.py FOLDER... -o OUT [--limit N] [--mos FILE --best SHARE [--subset NAME]]

OUT gets a PNG for each photograph that is kept, named after its source, and references.csv with what was measured of
every picture and why it was left out. Sources are only read.

What was JPEG-coded, or shows the blocks of an earlier JPEG, is halved with an antialiasing filter: a model for which
its artefacts count as undistorted learns not to see them. Pictures whose long side is beyond --long-side are reduced
to it, so that a crop shows more of them and they decode fast. Left out are: files that cannot be read, JPEGs of low
quality, small pictures (the trainer would enlarge them), grey ones, drawings and screenshots, blurred and noisy ones,
and all but one of those that are alike, across folders as well.

With --mos and --best, pictures that a table of human scores names (columns image and mos) are kept only if they are
among the best-marked SHARE of its rows, or of its rows of --subset. Pictures that it does not name are unaffected.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from PIL import Image
from reference_measures import TILE, Coding, Measures, Pixels, blockiness, coding, fingerprint, luminance, measure

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import ImageError, ShamisaError
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table

TABLE = "references.csv"
LOSSLESS = Coding(lossy=False, quality=None)


@dataclass(frozen=True)
class Limits:
    """What a reference must be.

    Attributes:
        least_side: of the reference, in pixels; the trainer enlarges what is smaller than its crops.
        long_side: in pixels; what is larger is reduced to it.
        quality: least quality of a JPEG that halving makes clean.
        blockiness: most of a lossless file that is not halved.
        sharpness: least.
        noise: most, in grey levels.
        flat: most, as a share of the pixels.
        colour: least, in levels.
        alike: cosine between fingerprints from which two pictures are one.
    """

    least_side: int = 224
    long_side: int = 1024
    quality: int = 75
    blockiness: float = 0.02
    sharpness: float = 0.9
    noise: float = 2.5
    flat: float = 0.55
    colour: float = 1.0
    alike: float = 0.75


@dataclass(frozen=True)
class Candidate:
    """A picture, and what was found out about it as far as it was looked at.

    Attributes:
        source: its file.
        refused: why it is not a reference, or "".
        size: width and height of the reference, in pixels.
        halved: whether it was reduced because of its compression.
        coding, blockiness: of the file; the grid of an earlier JPEG shows in the second.
        measures, fingerprint: of the reference.
    """

    source: Path
    refused: str = ""
    size: tuple[int, int] = (0, 0)
    halved: bool = False
    coding: Coding = LOSSLESS
    blockiness: float = 0.0
    measures: Measures | None = None
    fingerprint: NDArray[np.float32] | None = None

    @property
    def precedence(self) -> tuple[bool, int, float]:
        """Which of several alike is kept: one without loss, the largest, the sharpest."""
        sharpness = self.measures.sharpness if self.measures else 0.0
        return not self.halved, self.size[0] * self.size[1], sharpness


def reference_size(size: tuple[int, int], halved: bool, long_side: int) -> tuple[int, int]:
    """Width and height of the reference made of a picture of `size`."""
    divisor = max(2.0 if halved else 1.0, max(size) / long_side)
    return max(1, round(size[0] / divisor)), max(1, round(size[1] / divisor))


def reduced(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture (H, W, 3) at `size` (width, height), with an antialiasing Lanczos filter."""
    if pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def examine(path: Path, limits: Limits) -> Candidate:
    """Measure one picture; the candidate says why it cannot be a reference, if it cannot."""
    try:
        found = Candidate(path, coding=coding(path))
        pixels = decode(path).pixels
    except (ImageError, OSError, ValueError, SyntaxError):
        return Candidate(path, "unreadable")
    blocks = blockiness(luminance(pixels)) if min(pixels.shape[:2]) >= TILE else 0.0
    halved = found.coding.lossy or blocks > limits.blockiness
    size = reference_size((pixels.shape[1], pixels.shape[0]), halved, limits.long_side)
    found = replace(found, size=size, halved=halved, blockiness=blocks)
    if found.coding.quality is not None and found.coding.quality < limits.quality:
        return replace(found, refused="JPEG of low quality")
    if min(size) < limits.least_side:
        return replace(found, refused="small")
    reference = reduced(pixels, size)
    measures = measure(reference)
    return replace(found, refused=refusal(measures, limits), measures=measures, fingerprint=fingerprint(reference))


def refusal(measures: Measures, limits: Limits) -> str:
    """Why a picture with these measures is not a reference, or ""."""
    wrong = {
        "grey": measures.colour < limits.colour,
        "flat": measures.flat > limits.flat,
        "noisy": measures.noise > limits.noise,
        "blurred": measures.sharpness < limits.sharpness,
    }
    return next((reason for reason, holds in wrong.items() if holds), "")


def without_duplicates(candidates: Sequence[Candidate], alike: float) -> list[Candidate]:
    """The same candidates, with all but one of those that are alike refused."""
    result = list(candidates)
    rows = [row for row, candidate in enumerate(candidates) if not candidate.refused]
    rows.sort(key=lambda row: candidates[row].precedence, reverse=True)
    kept: list[int] = []
    fingerprints = np.array([candidates[row].fingerprint for row in rows])  # (n, d), of which the kept come first
    for row, own in zip(rows, fingerprints.copy(), strict=True):
        cosines = fingerprints[: len(kept)] @ own
        if kept and cosines.max() >= alike:
            twin = candidates[kept[int(cosines.argmax())]].source
            result[row] = replace(candidates[row], refused=f"duplicate of {twin}")
        else:
            fingerprints[len(kept)] = own
            kept.append(row)
    return result


def within_limit(candidates: Sequence[Candidate], limit: int | None) -> list[Candidate]:
    """The same candidates, with all but the `limit` sharpest refused."""
    left = sorted(
        (candidate for candidate in candidates if not candidate.refused),
        key=lambda candidate: candidate.measures.sharpness if candidate.measures else 0.0,
        reverse=True,
    )
    over = {candidate.source for candidate in left[limit:]} if limit is not None else set()
    return [replace(one, refused="beyond the limit") if one.source in over else one for one in candidates]


def marked_low(table: MosTable, best: float, subset: str | None) -> set[Path]:
    """Pictures of the table that are not among the best-marked share of it, or of one subset."""
    wanted = np.array([subset is None or name == subset for name in table.subsets or [""] * len(table)])
    if not wanted.any():
        raise SystemExit(f"No row of the table of human scores belongs to the subset {subset!r}.")
    least = np.quantile(table.mos[wanted], 1 - best)
    low = ~wanted | (table.mos < least)
    return {path.resolve() for path, refused in zip(table.paths, low, strict=True) if refused}


def reference_names(sources: Sequence[Path], folders: Sequence[str]) -> list[str]:
    """Names of the PNG files: folder, subfolders and stem, joined by "_"; a number where two would be the same."""
    roots = [Path(folder) for folder in folders if Path(folder).is_dir()]
    names: dict[str, None] = {}
    for source in sources:
        root = next((root for root in roots if source.is_relative_to(root)), source.parent)
        stem = "_".join([root.resolve().name, *source.relative_to(root).with_suffix("").parts])
        numbered = (f"{stem}.png" if number == 1 else f"{stem}-{number}.png" for number in count(1))
        names[next(name for name in numbered if name not in names)] = None
    return list(names)


def write_reference(candidate: Candidate, target: Path) -> None:
    """Write the PNG of a kept candidate."""
    with replacing(target) as temporary:
        Image.fromarray(reduced(decode(candidate.source).pixels, candidate.size)).save(temporary, format="PNG")


def write_table(candidates: Sequence[Candidate], names: Sequence[str], target: Path) -> None:
    """Write one row per picture: what was measured, the file it became, or why it was left out."""
    columns = "source width height halved jpeg_quality blockiness sharpness noise flat colour kept reason"
    with replacing(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split())
        for candidate, name in zip(candidates, names, strict=True):
            one = candidate.measures
            measured = (
                [f"{value:.3f}" for value in (one.sharpness, one.noise, one.flat, one.colour)] if one else [""] * 4
            )
            quality = "" if candidate.coding.quality is None else candidate.coding.quality
            file_facts = [*candidate.size, int(candidate.halved), quality, f"{candidate.blockiness:.3f}"]
            kept = "" if candidate.refused else name
            writer.writerow([candidate.source, *file_facts, *measured, kept, candidate.refused])


def summary(candidates: Iterable[Candidate]) -> str:
    """How many were kept and halved, and how many left out for which reason."""
    candidates = list(candidates)
    reasons = Counter(one.refused.split(" of ")[0] if "duplicate" in one.refused else one.refused for one in candidates)
    kept = reasons.pop("", 0)
    halved = sum(one.halved for one in candidates if not one.refused)
    lines = [f"{kept} of {len(candidates)} pictures kept, {halved} of them halved"]
    return "\n".join(lines + [f"{number:6}  {reason}" for reason, number in reasons.most_common()])


def select(paths: Sequence[Path], limits: Limits, low: set[Path], limit: int | None, jobs: int) -> list[Candidate]:
    """Every picture as a candidate, in the order given; those without a reason are references."""
    examined = Parallel(n_jobs=jobs)(delayed(examine)(path, limits) for path in paths if path.resolve() not in low)
    found = {candidate.source: candidate for candidate in examined}
    candidates = [found.get(path, Candidate(path, "marked too low")) for path in paths]
    return within_limit(without_duplicates(candidates, limits.alike), limit)


def main() -> None:
    """Select, write and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True, help="new or empty folder")
    parser.add_argument("--limit", type=int, help="keep at most so many, the sharpest")
    parser.add_argument("--least-side", type=int, default=Limits.least_side, help="in pixels, of the reference")
    parser.add_argument(
        "--long-side", type=int, default=Limits.long_side, help="in pixels; larger ones are reduced to it"
    )
    parser.add_argument("--sharpness", type=float, default=Limits.sharpness, help="least")
    parser.add_argument("--noise", type=float, default=Limits.noise, help="most, in grey levels")
    parser.add_argument("--mos", type=Path, help="table of human scores")
    parser.add_argument("--best", type=float, metavar="SHARE", help="0…1 of its rows, those with the best marks")
    parser.add_argument("--subset", help="only rows of this subset of the table")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    if (given.mos is None) != (given.best is None):
        parser.error("--mos and --best belong together.")
    if given.best is not None and not 0 < given.best <= 1:
        parser.error(f"--best is {given.best:g}; a share above 0 and up to 1 was expected.")
    if given.least_side < TILE:
        parser.error(f"--least-side is {given.least_side}; {TILE} is the least that can be measured.")
    given.output.mkdir(parents=True, exist_ok=True)
    if any(given.output.iterdir()):
        parser.error(f"{given.output} is not empty; name a new folder, so that no older references mix in.")
    limits = Limits(given.least_side, given.long_side, sharpness=given.sharpness, noise=given.noise)
    try:
        low = set()
        if given.mos is not None:
            table = read_mos_table(given.mos, subset_column="subset" if given.subset else None)
            low = marked_low(table, given.best, given.subset)
        paths = discover(given.folders)
    except ShamisaError as error:
        parser.error(str(error))
    candidates = select(paths, limits, low, given.limit, given.jobs)
    names = reference_names(paths, given.folders)
    kept = [(one, given.output / name) for one, name in zip(candidates, names, strict=True) if not one.refused]
    Parallel(n_jobs=given.jobs)(delayed(write_reference)(one, target) for one, target in kept)
    write_table(candidates, names, given.output / TABLE)
    print(summary(candidates))


if __name__ == "__main__":
    main()
