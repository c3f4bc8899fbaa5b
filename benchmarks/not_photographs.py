"""Draw pictures that are not photographs, of nine kinds: what a competence check must recognise.

    python benchmarks/not_photographs.py OUT --seed 1 --count 20

writes OUT/KIND/NN.png: pages of text, charts, screenshots, line art, flat colours, gradients, noise, patterns, strips.
Different seeds draw different pictures; those with an odd seed also use other fonts, charts and patterns than the rest.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Draw = Callable[[np.random.Generator, int], Image.Image]

SIZES = ((1200, 900), (800, 1100), (1920, 1080), (640, 480), (1000, 1000))
WORDS = [
    "the", "of", "and", "to", "in", "is", "that", "for", "was", "on", "are", "with", "as", "be", "at", "by",
    "this", "had", "not", "but", "from", "or", "have", "an", "they", "which", "one", "you", "were", "her", "all",
    "she", "there", "would", "their", "we", "him", "been", "has", "when", "who", "will", "more", "no", "if",
    "out", "so", "said", "what", "up", "its", "about", "into", "than", "them", "can", "only", "other", "new",
    "some", "could", "time", "these", "two", "may", "then", "do", "first", "any", "my", "now", "such", "like",
    "our", "over", "man", "me", "even", "most", "made",
]  # fmt: skip


def size_of(generator: np.random.Generator) -> tuple[int, int]:
    return SIZES[generator.integers(len(SIZES))]


def colour(generator: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in generator.integers(low, high, 3))
    return red, green, blue


def sentence(generator: np.random.Generator, words: int) -> str:
    return " ".join(generator.choice(WORDS, words)).capitalize() + "."


def text_page(generator: np.random.Generator, variant: int) -> Image.Image:
    """A page in one or two columns; with the odd variant, dark or tinted paper and larger headings."""
    width, height = size_of(generator)
    paper = colour(generator, 225) if variant % 2 == 0 else colour(generator, 0, 60)
    ink = colour(generator, 0, 70) if variant % 2 == 0 else colour(generator, 190)
    image = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(image)
    size = int(generator.integers(11, 26))
    font, heading = ImageFont.load_default(size), ImageFont.load_default(size * 2)
    columns, margin = int(generator.integers(1, 3)), width // 12
    draw.text((margin, margin // 2), sentence(generator, 4), ink, heading)
    for column in range(columns):
        left = margin + column * (width - margin) // columns
        for y in range(margin * 2, height - margin, int(size * 1.5)):
            if generator.random() > 0.08:
                per_line = (width - 2 * margin) // columns // (size // 2 + 1) // 6
                draw.text((left, y), sentence(generator, max(2, per_line)), ink, font)
    return image


def chart(generator: np.random.Generator, variant: int) -> Image.Image:
    """A line, bar, scatter, pie or area chart."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.style.use(("default", "ggplot", "dark_background", "bmh")[generator.integers(2) * 2 + variant % 2])
    width, height = size_of(generator)
    figure, axes = plt.subplots(figsize=(width / 100, height / 100), dpi=100)
    x = np.arange(int(generator.integers(5, 40)))
    series = [np.cumsum(generator.normal(size=len(x))) for _ in range(generator.integers(1, 5))]
    form = int(generator.integers(0, 3)) if variant % 2 == 0 else int(generator.integers(2, 6))
    for number, values in enumerate(series):
        if form == 0:
            axes.plot(x, values, label=f"series {number}")
        elif form == 1:
            axes.bar(x + number * 0.2, np.abs(values), 0.2, label=f"series {number}")
        elif form == 2:
            axes.scatter(values, generator.normal(size=len(x)), label=f"series {number}")
        elif form == 3:
            axes.fill_between(x, values, alpha=0.5)
        elif form == 4:
            axes.step(x, values)
    if form == 5:
        axes.pie(np.abs(series[0][:6]) + 0.1, labels=list(WORDS[: len(series[0][:6])]))
    else:
        if form < 3:
            axes.legend()
        axes.set_title(sentence(generator, 4))
        axes.grid(bool(generator.integers(2)))
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    plt.close(figure)
    return Image.open(stream).convert("RGB")


def screenshot(generator: np.random.Generator, variant: int) -> Image.Image:
    """Windows with bars, buttons, tables and text; dark with the odd variant."""
    width, height = size_of(generator)
    dark = variant % 2
    ground = colour(generator, 20, 60) if dark else colour(generator, 200)
    image = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(int(generator.integers(12, 18)))
    ink, accent = ((230, 230, 230) if dark else (30, 30, 30)), colour(generator, 60, 220)
    draw.rectangle((0, 0, width, 40), fill=accent)
    draw.text((15, 12), sentence(generator, 5), "white", font)
    side = width // 5
    draw.rectangle((0, 40, side, height), fill=colour(generator, 40, 70) if dark else colour(generator, 225))
    for y in range(60, height - 30, 34):
        draw.ellipse((12, y, 28, y + 16), fill=colour(generator))
        draw.text((36, y), " ".join(generator.choice(WORDS, 2)), ink, font)
    cells = int(generator.integers(3, 6))
    if generator.integers(2):
        step = (width - side - 40) // cells
        for row, y in enumerate(range(90, height - 40, 28)):
            for column in range(cells):
                x = side + 20 + column * step
                draw.rectangle((x, y, x + step, y + 28), outline=(128, 128, 128))
                draw.text((x + 5, y + 6), str(generator.integers(10_000)) if row else WORDS[column], ink, font)
    else:
        for y in range(70, height - 120, 130):
            card = colour(generator, 50, 80) if dark else (255, 255, 255)
            draw.rounded_rectangle((side + 20, y, width - 20, y + 110), 10, fill=card, outline=(150, 150, 150))
            for line in range(3):
                draw.text((side + 40, y + 15 + 22 * line), sentence(generator, 8), ink, font)
            draw.rounded_rectangle((width - 140, y + 70, width - 40, y + 98), 6, fill=accent)
    return image


def line_art(generator: np.random.Generator, variant: int) -> Image.Image:
    """Curves, polygons or a plan, in lines of one width on a plain ground."""
    width, height = size_of(generator)
    image = Image.new("RGB", (width, height), "white" if variant % 2 == 0 else colour(generator, 230))
    draw = ImageDraw.Draw(image)
    ink, thick = colour(generator, 0, 90), int(generator.integers(1, 6))
    for _ in range(int(generator.integers(8, 60))):
        x, y = generator.integers(0, width), generator.integers(0, height)
        if variant % 2 == 0:
            walk = np.cumsum(generator.normal(0, 25, (40, 2)), axis=0) + np.array((x, y))
            draw.line([(float(a), float(b)) for a, b in walk], fill=ink, width=thick, joint="curve")
        else:
            reach = int(generator.integers(20, 200))
            shape = (draw.ellipse, draw.rectangle, draw.arc)[generator.integers(3)]
            box = (x, y, x + reach, y + int(generator.integers(20, 200)))
            shape(box, 0, 200, fill=ink, width=thick) if shape == draw.arc else shape(box, outline=ink, width=thick)
    return image


def flat(generator: np.random.Generator, variant: int) -> Image.Image:
    """One colour, or with the odd variant a few areas of one colour each."""
    width, height = size_of(generator)
    image = Image.new("RGB", (width, height), colour(generator))
    if variant % 2:
        draw = ImageDraw.Draw(image)
        for _ in range(int(generator.integers(1, 5))):
            x, y = generator.integers(0, width), generator.integers(0, height)
            draw.rectangle((x, y, x + width // 3, y + height // 3), fill=colour(generator))
    return image


def gradient(generator: np.random.Generator, variant: int) -> Image.Image:
    """A straight or, with the odd variant, a round gradient between two colours."""
    width, height = size_of(generator)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    t = x * generator.random() + y * generator.random() if variant % 2 == 0 else np.hypot(x - 0.5, y - 0.5)
    t = (t / t.max())[..., None]
    return Image.fromarray((np.array(colour(generator)) * t + np.array(colour(generator)) * (1 - t)).astype(np.uint8))


def noise(generator: np.random.Generator, variant: int) -> Image.Image:
    """White noise in grey or colour; with the odd variant blurred."""
    width, height = size_of(generator)
    channels = 1 if generator.integers(2) else 3
    values = generator.integers(0, 256, (height, width, channels), dtype=np.uint8)
    image = Image.fromarray(np.repeat(values, 3 // channels, axis=2))
    return image.filter(ImageFilter.GaussianBlur(float(generator.uniform(1, 12)))) if variant % 2 else image


def pattern(generator: np.random.Generator, variant: int) -> Image.Image:
    """Stripes and checks, or with the odd variant a test card of rings."""
    width, height = size_of(generator)
    y, x = np.mgrid[:height, :width]
    period = int(generator.integers(6, 90))
    if variant % 2:
        on = np.sin(np.hypot(x - width / 2, y - height / 2) / period * 3) > 0
    else:
        on = ((x // period) + (y // period if generator.integers(2) else 0)) % 2 == 0
    first, second = np.array(colour(generator)), np.array(colour(generator))
    return Image.fromarray(np.where(on[..., None], first, second).astype(np.uint8))


def strip(generator: np.random.Generator, variant: int) -> Image.Image:
    """A strip of one of the other kinds, at least ten times as long as wide."""
    kinds = (text_page, chart, screenshot, gradient, pattern)
    image = kinds[int(generator.integers(len(kinds)))](generator, variant)
    long, short = 1200, int(generator.integers(20, 110))
    return image.resize((long, short) if generator.integers(2) else (short, long))


KINDS: dict[str, Draw] = {
    "text": text_page, "chart": chart, "screenshot": screenshot, "line_art": line_art, "flat": flat,
    "gradient": gradient, "noise": noise, "pattern": pattern, "strip": strip,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="odd and even seeds draw different variants")
    parser.add_argument("--count", type=int, default=20, help="pictures of each kind")
    options = parser.parse_args()
    for kind, draw in KINDS.items():
        folder = options.output / kind
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(options.count):
            generator = np.random.default_rng([options.seed, number, list(KINDS).index(kind)])
            draw(generator, options.seed).save(folder / f"{number:02}.png")


if __name__ == "__main__":
    main()
