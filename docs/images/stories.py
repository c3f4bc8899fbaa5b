"""Make the pictures of three stories in docs/compare.md, and print what `compare` says of them.

    python docs/images/stories.py [--model FOLDER]

The photographs are those of examples/photos. A codec: the smallest file of each that scores at least −10, and what
that quality does to its middle (`story-codec.jpg`). A filter: noise taken away mildly and strongly
(`story-filter.jpg`). A retouch: a dark picture with a cast, corrected and overdone (`story-retouch.jpg`).
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import shamisa_cli
from shamisa_cli.core.models.loading import load_relational_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.relational.judgement import Comparer
from shamisa_cli.core.relational.ladder import CODECS, climb
from shamisa_cli.core.relational.wording import describe

HERE = Path(__file__).resolve().parent
PHOTOS = HERE.parent.parent / "examples" / "photos"
CAPTION, PANEL = 46, 320
TARGET, ENLARGED = -10.0, 3

Pixels = NDArray[np.uint8]


def photo(name: str) -> Pixels:
    return np.asarray(Image.open(PHOTOS / f"{name}.jpg").convert("RGB"))


def levels(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def filtering() -> list[tuple[str, Pixels]]:
    """Noise of σ 14, and two medians of it."""
    clean = photo("coffee")
    noisy = levels(clean + np.random.default_rng(0).normal(0, 14, clean.shape))
    picture = Image.fromarray(noisy)
    versions = [(f"median {size}", np.asarray(picture.filter(ImageFilter.MedianFilter(size)))) for size in (3, 9)]
    return [("noisy", noisy), *versions]


def retouching() -> list[tuple[str, Pixels]]:
    """A stop and a half too dark and too blue; corrected; and corrected twice as far."""
    clean = photo("flower")
    gains = 2.0 ** np.array([-1.8, -1.5, -1.2])
    made = {name: _in_linear_light(clean, gains**power) for name, power in (("dark", 1.0), ("over", -1.0))}
    corrected = _in_linear_light(made["dark"], gains**-0.9)
    return [("too dark, too blue", made["dark"]), ("corrected", corrected), ("overdone", made["over"])]


def _in_linear_light(pixels: Pixels, gains: NDArray[np.floating]) -> Pixels:
    return levels(np.clip((pixels / 255) ** 2.2 * gains, 0, 1) ** (1 / 2.2) * 255)


def coded(comparer: Comparer) -> tuple[list[tuple[str, Pixels]], list[str]]:
    """A photograph reduced by half, so that it is clean, and its smallest file of each codec that is good enough."""
    picture = Image.fromarray(photo("flower"))
    picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    original = np.asarray(picture)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    versions, lines = [("original", original)], [f"PNG, {len(stream.getvalue()) / 1000:.0f} kB"]
    for codec, (kind, _) in CODECS.items():
        step = climb(comparer, original, codec, TARGET).chosen
        if step is not None:
            stream = io.BytesIO()
            picture.save(stream, kind, quality=step.quality)
            versions.append((f"{kind} of quality {step.quality}", np.asarray(Image.open(stream).convert("RGB"))))
            lines.append(f"{step.file_bytes / 1000:.0f} kB, {step.score:+.1f}")
            print(f"codec: {versions[-1][0]}: {lines[-1]}")
    return [(name, pixels.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)) for name, pixels in versions], lines


def drawn(versions: list[tuple[str, Pixels]], lines: list[str]) -> Image.Image:
    """The middle of each version beside each other, with its name and what was said of it below."""
    sheet = Image.new("RGB", ((PANEL + 8) * len(versions) - 8, PANEL + CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, ((name, pixels), line) in enumerate(zip(versions, lines, strict=True)):
        height, width = pixels.shape[:2]
        top, left = (height - PANEL) // 2, (width - PANEL) // 2
        x = place * (PANEL + 8)
        sheet.paste(Image.fromarray(pixels[top : top + PANEL, left : left + PANEL]), (x, 0))
        draw.text((x, PANEL + 4), name, "black", font)
        draw.text((x, PANEL + 22), line, "#444444", font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="whose direction is asked")
    options = parser.parse_args()
    comparer = load_relational_model(scorer=options.model)
    drawn(*coded(comparer)).save(HERE / "story-codec.jpg", quality=90)
    for name, versions in (("filter", filtering()), ("retouch", retouching())):
        (_, first), *others = versions
        found = shamisa_cli.compare(first, [pixels for _, pixels in others], comparer, maps=False)
        said = [f"{one.score:+.1f}  {describe(one).split(',')[0]}" for one in found.candidates]
        for (title, _), one in zip(others, found.candidates, strict=True):
            print(f"{name}: {title}: {one.score:+.1f}, direction {one.direction:+.2f}; {describe(one)}")
        drawn(versions, ["", *said]).save(HERE / f"story-{name}.jpg", quality=85)


if __name__ == "__main__":
    main()
