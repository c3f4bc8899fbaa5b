"""Ladders of codecs: one image at rising qualities, and the smallest quality that is good enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, features

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.images.formats import open_image
from shamisa_cli.core.relational.comparison import require_memory
from shamisa_cli.core.relational.judgement import Comparer

CODECS = {"jpeg": ("JPEG", 95), "webp": ("WEBP", 100), "avif": ("AVIF", 100)}
"""Codec → Pillow's name of the format, and its highest quality (Pillow advises against more than 95 for JPEG)."""
LONGEST = {"jpeg": 65_500, "webp": 16_383, "avif": 65_535}
"""Codec → most pixels of a side that its encoder takes."""
_ENCODING = 20
"""Bytes of memory for each pixel that encoding and decoding a version leave to be held; measured: 10 to 17."""
RUNGS = 10
"""Qualities of a curve between 1 and the highest, before the search between two of them."""


@dataclass(frozen=True)
class LadderStep:
    """An image at one quality.

    Attributes:
        quality: of the encoder, 1…100.
        file_bytes: size of the encoded image.
        score: -100…0, the difference with a minus.
        difference: 0…100.
    """

    quality: int
    file_bytes: int
    score: float
    difference: float

    def to_json(self) -> dict[str, Any]:
        """The step as JSON values."""
        return {
            "quality": self.quality, "bytes": self.file_bytes, "score": self.score, "difference": self.difference,
        }  # fmt: skip


@dataclass(frozen=True)
class Ladder:
    """The steps of one codec, by rising quality.

    Attributes:
        codec: a name in `CODECS`.
        steps: the qualities that were tried.
        chosen: the smallest quality from which on every step reaches the target; None if even the highest does not.
    """

    codec: str
    steps: tuple[LadderStep, ...]
    chosen: LadderStep | None

    def to_json(self) -> dict[str, Any]:
        """The ladder as JSON values."""
        return {
            "codec": self.codec,
            "chosen": None if self.chosen is None else self.chosen.to_json(),
            "steps": [step.to_json() for step in self.steps],
        }


def climb(
    comparer: Comparer,
    original: Pixels,
    codec: str,
    target: float,
    *,
    curve: bool = False,
    advance: Callable[[int], None] = lambda _steps: None,
) -> Ladder:
    """Find the smallest quality of a codec whose result scores at least `target` against the original.

    Halves the range of qualities until a quality that passes follows one that fails, which takes seven steps at most.
    All that the codec changed counts as damage, also where it takes noise away: the score is −difference.

    Args:
        comparer: a relational model.
        original: (H, W, 3) uint8, sRGB.
        codec: a name in `CODECS`.
        target: -100…0.
        curve: also try qualities over the whole range, of which one that fails is below the one that is chosen.
        advance: called with the number of steps that were just compared.

    Raises:
        SettingError: the codec is unknown, not available, or too small for the picture, or the target is not within
            -100…0.
        ImageError: "too-large", if it would take more memory than there may be used.
    """
    require_codecs([codec])
    require_room([codec], original)
    if not -100 <= target <= 0:
        raise SettingError(f"The target is {target:g}; it must be from -100 to 0, such as -10.")
    steps: dict[int, LadderStep] = {}

    def passes(quality: int) -> bool:
        if quality not in steps:
            steps[quality] = _step(comparer, original, codec, quality)
            advance(1)
        return steps[quality].score >= target

    highest = CODECS[codec][1]
    rungs = sorted({max(1, round(highest * rung / RUNGS)) for rung in range(RUNGS + 1)}) if curve else []
    low = max((quality for quality in rungs if not passes(quality)), default=0)
    high = next((quality for quality in rungs if quality > low), highest + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if passes(middle):
            high = middle
        else:
            low = middle
    return Ladder(codec, tuple(steps[quality] for quality in sorted(steps)), steps.get(high))


def require_codecs(codecs: Sequence[str]) -> None:
    """Raise SettingError if a codec is unknown, or the installed Pillow cannot write it."""
    for codec in codecs:
        if codec not in CODECS:
            raise SettingError(f"{codec!r} is not a codec of a ladder. Use one of {', '.join(CODECS)}.")
        if codec != "jpeg" and not features.check(codec):
            raise SettingError(f"The installed Pillow cannot write {codec}. Run `pip install --upgrade pillow`.")


def require_room(codecs: Sequence[str], original: Pixels, name: str = "The picture") -> None:
    """Raise SettingError if a codec cannot hold a picture (H, W, 3), and ImageError if the memory cannot."""
    require_memory(name, original.shape, more=_ENCODING)
    height, width = original.shape[:2]
    for codec in codecs:
        if max(height, width) > LONGEST[codec]:
            raise SettingError(
                f"{codec} holds pictures of at most {LONGEST[codec]:,} pixels a side, and this one has {width:,} × "
                f"{height:,}. Leave {codec} out, or reduce the picture."
            )


def _step(comparer: Comparer, original: Pixels, codec: str, quality: int) -> LadderStep:
    stream = BytesIO()
    Image.fromarray(original).save(stream, CODECS[codec][0], quality=quality)
    stream.seek(0)
    with open_image(codec, stream) as encoded:  # unlike Image.open, without a limit on pixels that others set
        decoded = np.array(encoded.convert("RGB"))
    difference = comparer.judge(original, decoded).difference
    return LadderStep(quality, len(stream.getvalue()), -difference + 0.0, difference)
