"""Records of rankings (imports neither NumPy nor torch)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from shamisa_cli.core.records import ErrorRecord, ModelIdentity
from shamisa_cli.core.relational.records import SCHEMA, Status
from shamisa_cli.core.reliability import describe_warnings


@dataclass(frozen=True)
class Ranked:
    """An image in a ranking.

    Attributes:
        path: as the user named it; for an array its position, "pictures[0]".
        rank: 1 is the best; images with equal scores share a rank. None when it could not be ranked.
        score: the mean of its scores against all the others, −100…100.
        width, height: size of the original in pixels.
        error: why it has no rank; None otherwise.
        warnings: phrases on what is odd about the file, each going on from its name.
    """

    path: str
    rank: int | None = None
    score: float | None = None
    width: int | None = None
    height: int | None = None
    error: ErrorRecord | None = None
    warnings: tuple[str, ...] = ()

    @property
    def described_warnings(self) -> str:
        """The warnings as a sentence that begins with the path; empty if there are none."""
        return describe_warnings(self.path, self.warnings)

    @property
    def status(self) -> Status:
        """Status: "ok" if it could be ranked, otherwise "error"."""
        return "ok" if self.error is None else "error"

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "path": self.path,
            "rank": self.rank,
            "score": self.score,
            "width": self.width,
            "height": self.height,
            "status": self.status,
            "error": None if self.error is None else self.error.to_json(),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Ranking:
    """Ranking of versions of one image.

    Attributes:
        pictures: the best first, and at the end those that could not be ranked.
        scores: scores[i][j], −100…100, of picture j against picture i, for the n that were ranked; scores[j][i]
            is its negative.
        model: which model compared.
        aligned: number of pairs of which one is moved or cropped by a few pixels, and that were compared where both
            overlap.
        unaligned: number of pairs that do not have the same framing, so that neither is better.
    """

    pictures: tuple[Ranked, ...]
    scores: tuple[tuple[float, ...], ...]
    model: ModelIdentity
    aligned: int = 0
    unaligned: int = 0

    @property
    def contradictions(self) -> int:
        """Number of pairs whose direct comparison contradicts the ranking."""
        count = len(self.scores)
        return sum(self.scores[i][j] > 0 for i in range(count) for j in range(i + 1, count))

    @property
    def pairs(self) -> int:
        """Number of pairs that were compared."""
        return math.comb(len(self.scores), 2)

    def to_json(self) -> dict[str, Any]:
        """The ranking as JSON values, as printed by `shamisa rank --format json`."""
        return {
            "schema": SCHEMA,
            "model": self.model.to_json(),
            "pictures": [picture.to_json() for picture in self.pictures],
            "scores": [list(row) for row in self.scores],
            "summary": {
                "count": len(self.pictures),
                "errors": sum(picture.error is not None for picture in self.pictures),
                "pairs": self.pairs,
                "contradictions": self.contradictions,
                "aligned": self.aligned,
                "unaligned": self.unaligned,
            },
        }
