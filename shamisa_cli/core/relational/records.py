"""Records of comparisons (imports neither NumPy nor torch)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ErrorRecord, ModelIdentity
from shamisa_cli.core.reliability import describe_warnings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCHEMA = 1
AXES = ("saturation",)
"""Signed properties beside the groups, which change in two directions."""

FAULTS = ("colour", "compression", "noise", "spatial")
"""Groups of faults, of which more is always worse."""

ENDS: dict[str, tuple[str, str]] = {
    "blur": ("sharper", "blurrier"),
    "colour": ("less colour distortion", "more colour distortion"),
    "compression": ("less compression", "more compression"),
    "noise": ("less noise", "more noise"),
    "brightness": ("darker", "brighter"),
    "spatial": ("fewer local artefacts", "more local artefacts"),
    "contrast": ("flatter", "more contrast"),
    "saturation": ("paler", "more saturated"),
}
"""Names of the negative and the positive end of every group and axis. Outside `FAULTS` neither end is better in
itself."""

OVERALL = "overall"
DIFFERENT_SIZE = "different-size"

GRAPHS = TRUNK_GRAPH, PAIR_GRAPH, HEAD_GRAPH = "relational-trunk.onnx", "relational-pair.onnx", "relational-head.onnx"
"""Files of the networks as ONNX graphs: of one image, of a pair, and the head, which runs in both orders."""

CERTAINTY, SCORE_CERTAINTY = 4.0, 12.0
"""Slopes by which evidence is mapped to a direction in −1…1: of a position, and of a whole pair. The score says how
much changed, not how certain the direction is: a score that shrank with uncertainty would rank a large tone change
below a small blur."""

SURROUNDINGS = (5, 15)
"""Sides, in positions, of the windows that decide a position's direction: the amount of change is read at the
position itself, its direction from the surroundings too."""

POINTS = 100.0
"""Scores range from −100 to 100."""

SQUARED_FLOOR = 1e-6
"""Added under square roots, whose gradient at 0 would be infinite."""

LEVELS = 256

EMPTY = 0.2
"""A level is empty if its count is below this share of its neighbours' counts."""

SEEN_LEVEL = 1e-3
"""Least share of all pixels in the neighbours of an empty level."""

COMB_FLOOR = 0.02
"""Added to the sum of two statistics, so that values small in both images do not count as a change."""

UNSEEN = 3.0
"""Differences below this are seen by nobody, and count as "same"."""
UNSURE = 1 / 3
"""Directions up to this size do not say which image is better."""

Status = Literal["ok", "failed", "error"]
Verdict = Literal["better", "same", "unclear", "worse"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
DIFFERENCE = "difference"
"""Name of the map of the difference, which has no sign."""

TARGETS: tuple[str, ...] = (*GROUPS, *AXES)
"""Names of the signed maps that have targets."""

STRIDE = 8
"""Side in pixels of the square that one value of the target and output maps covers."""

MAPS: tuple[str, ...] = (*TARGETS, OVERALL)
"""The signed maps in order: seven groups, saturation, and the overall change. Positive: the second image is
blurrier, brighter, more contrast, more saturated; more of that fault (colour, compression, noise, spatial); worse."""


@dataclass(frozen=True)
class Candidate:
    """Result of comparing an image with its reference. Positive values mean that the candidate has more.

    Attributes:
        path: as the user named it; for an array its position, "candidates[0]".
        reference: the reference, named the same way.
        score: −100…100, direction times difference; negative: worse than the reference. None when it could not be
            compared.
        difference: 0…100, how visible the change is; 0 only for identical pixels, below 3 it is not visible.
        direction: −1…1, how sure it is that the candidate is the better (positive) or the worse one.
        like_jpeg_quality: the JPEG quality 1…100 that would change a photograph as much.
        groups: mean signed intensity of each group of distortions over the image; positive: blurrier, brighter,
            more contrast, more of a fault. The engine's strongest distortion of the whole image is 4.
        axes: the same for the axes beside the groups: saturation.
        overall: mean of the map of overall change; positive: worse. No severity: an amount x stands for 100·x / (1 + x)
            points, so it has no upper end.
        width, height: size of the original in pixels.
        file_bytes, reference_bytes: sizes of the two files; None for arrays.
        shift: (right, down), where in the reference the first pixel of a candidate lies that was moved or cropped by a
            few pixels and compared where both overlap; None for images in place.
        same_framing: whether places in both mean the same; not so if the candidate is turned, scaled, mirrored, moved
            too far or another picture, and then its direction is 0.
        resized: its size was another one, and it was resampled to the reference's.
        stretched: its aspect ratio was another one, too.
        over_white: one of them has transparent parts; they were compared over white, whatever they look like elsewhere.
            These four are None where nothing was compared.
        maps: name → (⌈H/8⌉, ⌈W/8⌉) float32 for every group, axis and "overall", with the signs of the means, and for
            "difference"; None if they were not kept.
        status: "failed" means compared but below the minimum score or above the largest difference; "error" means not
            compared.
        error: why there is no score; None otherwise.
        warnings, reference_warnings: phrases on what is odd about the file, each going on from its name; transparent
            parts are not among them.
    """

    path: str
    reference: str
    score: float | None = None
    difference: float | None = None
    direction: float | None = None
    like_jpeg_quality: int | None = None
    groups: Mapping[str, float] | None = None
    axes: Mapping[str, float] | None = None
    overall: float | None = None
    width: int | None = None
    height: int | None = None
    file_bytes: int | None = None
    reference_bytes: int | None = None
    shift: tuple[int, int] | None = None
    same_framing: bool | None = True
    resized: bool | None = False
    stretched: bool | None = False
    over_white: bool | None = False
    maps: Mapping[str, npt.NDArray[np.float32]] | None = field(default=None, compare=False)
    status: Status = "ok"
    error: ErrorRecord | None = None
    warnings: tuple[str, ...] = ()
    reference_warnings: tuple[str, ...] = ()

    @property
    def described_warnings(self) -> tuple[str, ...]:
        """The warnings as sentences, one per file that is odd."""
        both = (self.reference, self.reference_warnings), (self.path, self.warnings)
        return tuple(describe_warnings(name, warnings) for name, warnings in both if warnings)

    @property
    def verdict(self) -> Verdict | None:
        """The result in a word: "same" where no change is visible, "unclear" where it is not sure which is better."""
        if self.difference is None or self.direction is None:
            return None
        if self.difference < UNSEEN:
            return "same"
        if abs(self.direction) <= UNSURE:
            return "unclear"
        return "better" if self.direction > 0 else "worse"

    @property
    def saving(self) -> float | None:
        """Share of the reference's bytes that the candidate saves; negative if it is larger."""
        if self.file_bytes is None or not self.reference_bytes:
            return None
        return 1 - self.file_bytes / self.reference_bytes

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, without the maps."""
        return {
            "path": self.path,
            "reference": self.reference,
            "score": self.score,
            "difference": self.difference,
            "direction": self.direction,
            "like_jpeg_quality": self.like_jpeg_quality,
            "groups": None if self.groups is None else dict(self.groups),
            "axes": None if self.axes is None else dict(self.axes),
            "overall": self.overall,
            "width": self.width,
            "height": self.height,
            "bytes": self.file_bytes,
            "reference_bytes": self.reference_bytes,
            "saving": self.saving,
            "shift": None if self.shift is None else list(self.shift),
            "same_framing": self.same_framing,
            "resized": self.resized,
            "stretched": self.stretched,
            "over_white": self.over_white,
            "status": self.status,
            "error": None if self.error is None else self.error.to_json(),
            "warnings": list(self.warnings),
            "reference_warnings": list(self.reference_warnings),
        }


@dataclass(frozen=True)
class Comparison:
    """A reference and the candidates compared with it, in the order they were named."""

    reference: str
    candidates: tuple[Candidate, ...]
    model: ModelIdentity

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values, as printed by `shamisa compare --format json`."""
        return comparison_json(self.candidates, self.model)


def comparison_json(candidates: Iterable[Candidate], model: ModelIdentity) -> dict[str, Any]:
    """The JSON document of candidates, each with its own reference."""
    listed = list(candidates)
    return {
        "schema": SCHEMA,
        "model": model.to_json(),
        "comparisons": [candidate.to_json() for candidate in listed],
        "summary": comparison_summary(listed),
    }


def comparison_summary(candidates: Iterable[Candidate]) -> dict[str, Any]:
    """Counts, and mean, lowest and highest score; None without scores."""
    listed = list(candidates)
    scores = [candidate.score for candidate in listed if candidate.score is not None]
    verdicts = [candidate.verdict for candidate in listed]
    return {
        "count": len(listed),
        "errors": sum(candidate.status == "error" for candidate in listed),
        "failed": sum(candidate.status == "failed" for candidate in listed),
        **{verdict: verdicts.count(verdict) for verdict in VERDICTS},
        "mean": math.fsum(scores) / len(scores) if scores else None,
        "min": min(scores, default=None),
        "max": max(scores, default=None),
    }
