"""Versions of a photograph, and which of two is certainly the better one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.distortions.composition import draw_step
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.groups import MAX_SEVERITY
from shamisa_cli.core.training.direction.damages import DAMAGES
from shamisa_cli.core.training.direction.repairs import REPAIRS

MILD = 0.45
"""Strength up to which damages are drawn half of the time: what people meet first."""
FAINT = 0.25
"""Strength up to which each file format and sharpening are drawn once: where a loss is easily taken for a gain."""
OPERATED, DAMAGED, REPAIRED, AGAIN = 10, 5, 2, 2
"""How many of the engine's operators, of the damages that are no files and of the repairs beside `DENOISING` are drawn
for a photograph, and how many versions are degraded once more: photographs teach more than versions do."""
JPEG, SHARPENED = "JPEG file", "over-sharpened"
FILES = (JPEG, "WebP", "AVIF")
SOFTENED = (0.0, 0.1, 0.2)
"""Strengths of a blur that is hardly seen, against those of hardly any sharpening."""
SOURCE = (0.05, 0.6)
"""Strengths of the JPEG that copies are made of: qualities from 96 to 50."""
DENOISING = "denoising"
"""The repair that every photograph has: it is the one that most looks like damage."""


@dataclass(frozen=True)
class Version:
    """One version of a photograph.

    Attributes:
        pixels: (H, W, 3), sRGB.
        kind: what was done last, such as "JPEG", "WebP" or "denoising".
        role: "original", "damaged", "repaired", "overdone", "again", "copied" or "softened".
        strength: severity or strength, comparable within a kind.
        parent: place of the version that it was made from; −1 for the original.
    """

    pixels: Pixels = field(repr=False)
    kind: str
    role: str
    strength: float = 0.0
    parent: int = 0


def versions(pixels: Pixels, rng: np.random.Generator) -> list[Version]:
    """The photograph itself, then files of every format, and some operators, damages and repairs."""
    made = [Version(pixels, "original", "original", parent=-1)]
    made += _by_operators(pixels, rng)
    made += _by_damages(pixels, rng)
    made += _copies(pixels, len(made), rng)
    others = [kind for kind in REPAIRS if kind != DENOISING]
    for kind in (DENOISING, *rng.choice(others, REPAIRED, replace=False)):
        found = REPAIRS[kind](pixels, rng)
        place = len(made)
        made.append(Version(found.damaged, f"for {kind}", "damaged"))
        made.append(Version(found.repaired, str(kind), "repaired", parent=place))
        made.append(Version(found.overdone, str(kind), "overdone", parent=place))
    candidates = [place for place, version in enumerate(made) if version.role in ("damaged", "repaired")]
    for place in rng.choice(candidates, AGAIN, replace=False):
        made.append(_again(made[place], int(place), rng))
    made += (Version(DAMAGES["soft"](pixels, strength, rng), "soft", "softened", strength) for strength in SOFTENED)
    return made


def _by_operators(pixels: Pixels, rng: np.random.Generator) -> Iterator[Version]:
    for name in rng.choice(list(OPERATORS), OPERATED, replace=False):
        severity = float(rng.uniform(0.5, MAX_SEVERITY))
        yield Version(operated(pixels, str(name), severity, rng), str(name), "damaged", severity)


def _by_damages(pixels: Pixels, rng: np.random.Generator) -> Iterator[Version]:
    others = rng.choice([kind for kind in DAMAGES if kind not in FILES], DAMAGED, replace=False)
    faint = [(kind, FAINT) for kind in (*FILES, SHARPENED)]
    for kind, most in [*faint, *((str(kind), 1.0) for kind in (*FILES, *others))]:
        strength = float(rng.uniform(0, min(most, MILD) if rng.random() < 0.5 else most))
        yield Version(DAMAGES[kind](pixels, strength, rng), kind, "damaged", strength)


def _copies(pixels: Pixels, place: int, rng: np.random.Generator) -> Iterator[Version]:
    """The photograph as a JPEG, which gets this place, and two files made of that: one more JPEG, and any."""
    strength = float(rng.uniform(*SOURCE))
    source = DAMAGES[JPEG](pixels, strength, rng)
    yield Version(source, JPEG, "damaged", strength)
    for kind in (JPEG, str(rng.choice(FILES))):
        strength = float(rng.uniform(0, MILD))
        yield Version(DAMAGES[kind](source, strength, rng), kind, "copied", strength, place)


def _again(version: Version, place: int, rng: np.random.Generator) -> Version:
    """A version degraded once more, by an operator or a damage."""
    kinds = [*OPERATORS, *DAMAGES, *FILES]
    kind = str(rng.choice(kinds))
    if kind in DAMAGES:
        strength = float(rng.uniform(0.1, 1))
        return Version(DAMAGES[kind](version.pixels, strength, rng), kind, "again", strength, place)
    severity = float(rng.uniform(0.5, MAX_SEVERITY))
    return Version(operated(version.pixels, kind, severity, rng), kind, "again", severity, place)


def operated(pixels: Pixels, name: str, severity: float, rng: np.random.Generator) -> Pixels:
    """One operator of the engine, with what it draws from `rng`."""
    image = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
    step = draw_step(name, 1, "uniform", rng)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    result = apply_operator(image, name, severity, generator, angle=step.angle, channel=step.channel)
    levels: Pixels = (result[0] * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return levels
