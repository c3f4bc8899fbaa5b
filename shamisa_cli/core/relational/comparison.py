"""Comparison of candidates with references; images that cannot be compared have records with an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from shamisa_cli.core.argument_words import MASKED, is_masked
from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import SettingError, item_error
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.images.budget import DECODING
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS, TRANSPARENT, decode
from shamisa_cli.core.images.in_memory import PictureInMemory
from shamisa_cli.core.records import NOT_A_NUMBER, ErrorRecord
from shamisa_cli.core.relational.alignment import Shift, find_shift, overlap
from shamisa_cli.core.relational.framing import same_framing
from shamisa_cli.core.relational.judgement import Comparer
from shamisa_cli.core.relational.records import AXES, DIFFERENCE, DIFFERENT_SIZE, MAPS, OVERALL, Candidate
from shamisa_cli.core.relational.tiling import WINDOW_PIXELS

DECIMALS = 4
_BYTES_PER_PIXEL, _BYTES_PER_PIXEL_OF_MAPS = 28, 700
"""Memory for both images and the measures between them (measured: 17 to 26), and for maps of one window."""

Watch = Callable[[Candidate, npt.NDArray[np.uint8], npt.NDArray[np.uint8]], None]
"""Called with each compared candidate and its maps, and the pixels of the reference and of the candidate."""


ImageSource = Path | PictureInMemory | Pixels


def compare_with(
    comparer: Comparer,
    reference: ComparedImage,
    candidates: Iterable[tuple[str, ImageSource]],
    *,
    resize: bool = False,
    original: bool = False,
    maps: bool = True,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    watch: Watch | None = None,
) -> Iterator[Candidate]:
    """Compare each candidate with one reference, in the order given; two images are in memory at a time.

    A candidate that is certainly the reference moved or cropped by a few pixels is compared where both overlap; of one
    that is turned, scaled, mirrored or another picture no direction is given.

    Args:
        comparer: the model.
        reference: the reference, already read.
        candidates: name and file or array of each.
        resize: resample candidates of a different size to the reference's; otherwise their record has an error.
        original: the reference is the original, so in doubt a change is damage; see `Judgement.against_original`.
        maps: whether records have maps; without them a large image takes a fraction of the time, and its intensities
            are found from the part of 448 × 448 pixels that differs most.
        max_pixels: larger files are refused.
        watch: see `Watch`; called before the record is yielded, with maps if they are made.

    Raises:
        SettingError: an array has the wrong shape or type. Files never raise: see `item_error`.
    """
    for name, source in candidates:
        try:
            require_memory(name, reference.pixels.shape, maps=maps)
            found = read_image(source, name, max_pixels=max_pixels)
            placed = place_over(reference, found, resize=resize)
            record = _compared(comparer, reference, found, placed, original, maps)
            if watch is not None and record.score is not None:
                watch(record, placed.reference, placed.candidate)
        except Exception as error:
            record = _uncompared(name, reference.name, error_of(name, error))
        yield record


def compare_pairs(
    comparer: Comparer,
    pairs: Iterable[tuple[Path, Path]],
    *,
    resize: bool = False,
    original: bool = False,
    maps: bool = True,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    watch: Watch | None = None,
) -> Iterator[Candidate]:
    """Compare pairs of files (reference, candidate); otherwise as `compare_with`.

    If a reference cannot be read, its candidate's record has the error.
    """
    for first, version in pairs:
        try:
            reference = read_image(first, str(first), max_pixels=max_pixels)
        except Exception as error:
            yield _uncompared(str(version), str(first), error_of(first, error))
            continue
        yield from compare_with(
            comparer,
            reference,
            [(str(version), version)],
            resize=resize,
            original=original,
            maps=maps,
            max_pixels=max_pixels,
            watch=watch,
        )


def _compared(
    comparer: Comparer, reference: ComparedImage, candidate: ComparedImage, placed: Placed, original: bool, maps: bool
) -> Candidate:
    relation = comparer.relate(placed.reference, placed.candidate, maps=maps)
    judgement = relation.judgement if placed.same_framing else replace(relation.judgement, direction=0.0)
    judgement = judgement.against_original() if original else judgement
    if not (math.isfinite(judgement.score) and np.isfinite(relation.means).all()):
        return _uncompared(candidate.name, reference.name, not_finite_error(candidate.name))
    # Rounded, and without the sign of a zero: swapping the pictures flips it exactly.
    means = {name: round(float(mean), DECIMALS) + 0.0 for name, mean in zip(MAPS, relation.means, strict=True)}
    drawn = None if relation.maps is None else dict(zip(MAPS, relation.maps, strict=True))
    return Candidate(
        candidate.name,
        reference.name,
        score=judgement.score,
        difference=judgement.difference,
        direction=judgement.direction + 0.0,
        like_jpeg_quality=judgement.like_jpeg_quality,
        groups={name: means[name] for name in GROUPS},
        axes={name: means[name] for name in AXES},
        overall=means[OVERALL],
        width=candidate.width,
        height=candidate.height,
        file_bytes=candidate.file_bytes,
        reference_bytes=reference.file_bytes,
        shift=None if placed.shift is None else (placed.shift.right, placed.shift.down),
        same_framing=placed.same_framing,
        resized=placed.resized,
        stretched=placed.stretched,
        over_white=TRANSPARENT in (*reference.warnings, *candidate.warnings),
        warnings=_beside_transparency(candidate),
        reference_warnings=_beside_transparency(reference),
        maps=None if drawn is None else drawn | {DIFFERENCE: judgement.local},
    )


def _beside_transparency(image: ComparedImage) -> tuple[str, ...]:
    """The warnings, but that of transparent parts, which is `over_white`."""
    return tuple(phrase for phrase in image.warnings if phrase != TRANSPARENT)


def not_finite_error(name: str) -> ErrorRecord:
    """Error record of an image for which the networks return NaN or infinity."""
    return ErrorRecord(
        NOT_A_NUMBER, f"{name}: the model's result is not a finite number; the model's files may be damaged."
    )


def error_of(name: str | Path, error: Exception) -> ErrorRecord:
    """Why one image cannot be compared. Raises the errors that are about the whole run, as `item_error` does."""
    if isinstance(error, DifferentSizeError):
        return ErrorRecord(DIFFERENT_SIZE, str(error), error.remedy)
    return ErrorRecord.of(item_error(name, error))


def _uncompared(name: str, reference: str, error: ErrorRecord) -> Candidate:
    unknown: dict[str, Any] = {"same_framing": None, "resized": None, "stretched": None, "over_white": None}
    return Candidate(name, reference, **unknown, status="error", error=error)


@dataclass(frozen=True)
class ComparedImage:
    """An image to compare.

    Attributes:
        name: name in records.
        pixels: (H, W, 3) uint8, sRGB.
        width, height: of the original, in pixels.
        file_bytes: size of the file; None for an array.
        warnings: phrases on what is odd about the file, as in `ImageRecord`.
    """

    name: str
    pixels: Pixels
    width: int
    height: int
    file_bytes: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placed:
    """Two images laid over each other.

    Attributes:
        reference, candidate: pixels of what both show, of one size.
        shift: by which the candidate was moved or cropped; None for one in place.
        resized: it was resampled to the reference's size.
        stretched: its aspect ratio was another one.
        same_framing: places in both mean the same.
    """

    reference: Pixels
    candidate: Pixels
    shift: Shift | None
    resized: bool
    stretched: bool
    same_framing: bool


class DifferentSizeError(SettingError):
    """Two images to compare differ in size."""


def read_image(source: ImageSource, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ComparedImage:
    """Decode a file, or a picture in memory, at its own size, upright and in sRGB, or take an array as it is.

    Raises:
        ImageError: the file cannot be read.
        SettingError: the array is not (H, W, 3) uint8, or masked.
    """
    if not isinstance(source, np.ndarray):
        held, file = (None, source) if isinstance(source, Path) else (source.content, source.name)
        picture = decode(file, content=held, max_pixels=max_pixels)
        size = source.stat().st_size if isinstance(source, Path) else None
        return ComparedImage(name, picture.pixels, picture.width, picture.height, size, picture.warnings)
    if is_masked(source):
        raise SettingError(f"{name} is {MASKED}.")
    source = np.asarray(source)
    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or source.size == 0:
        raise SettingError(
            f"{name} is an array of {source.dtype} {source.shape}; sRGB pixels (H, W, 3) of uint8 are needed."
        )
    return ComparedImage(name, source, source.shape[1], source.shape[0])


def require_memory(name: str, shape: tuple[int, ...], *, maps: bool = False, more: int = 0) -> None:
    """Raise ImageError where comparing with an image of this shape (H, W, …) takes more memory than there may be used.

    Only a part of it is held by decoding, which has a budget of its own; `more` are bytes a pixel of what else is held.
    """
    pixels = shape[0] * shape[1]
    if pixels <= WINDOW_PIXELS:
        return
    needed = (_BYTES_PER_PIXEL + more) * pixels + _BYTES_PER_PIXEL_OF_MAPS * WINDOW_PIXELS * maps
    remedy = "Reduce both pictures, or allow more memory."
    DECODING.require_alone(name, needed, shape, doing="compare", remedy=remedy)


def place_over(reference: ComparedImage, candidate: ComparedImage, *, resize: bool) -> Placed:
    """Lay a candidate over its reference: moved, resampled, or as it is.

    Raises:
        DifferentSizeError: the sizes differ, it is not a crop by a few pixels, and `resize` is False.
    """
    shift = find_shift(reference.pixels, candidate.pixels)
    if shift is not None:
        a, b = overlap(reference.pixels, candidate.pixels, shift)
        if same_framing(a, b):
            return Placed(a, b, shift, resized=False, stretched=False, same_framing=True)
    sized = at_size_of(candidate, reference, resize=resize)
    a, b = reference.pixels, sized.pixels
    resized = sized is not candidate
    # Sides rounded to whole pixels do not make another aspect ratio.
    (height, width), (own_height, own_width) = a.shape[:2], candidate.pixels.shape[:2]
    stretched = resized and abs(own_width * height - own_height * width) > max(width, height)
    return Placed(a, b, None, resized=resized, stretched=stretched, same_framing=same_framing(a, b))


def at_size_of(side: ComparedImage, reference: ComparedImage, *, resize: bool) -> ComparedImage:
    """Bring an image to the reference's size.

    Args:
        resize: whether an image of a different size is resampled (Lanczos) rather than refused.

    Raises:
        DifferentSizeError: the sizes differ and `resize` is False.
    """
    height, width = reference.pixels.shape[:2]
    if side.pixels.shape[:2] == (height, width):
        return side
    if not resize:
        raise DifferentSizeError(
            f"{side.name} is {side.width}×{side.height}, and {reference.name} is {reference.width}×{reference.height}. "
            "Only pictures of the same size can be compared.",
            remedy="resize",
        )
    resampled = Image.fromarray(side.pixels).resize((width, height), Image.Resampling.LANCZOS)
    return replace(side, pixels=np.asarray(resampled))
