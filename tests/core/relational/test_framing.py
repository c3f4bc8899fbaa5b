"""A picture that is turned, scaled, mirrored or another one is recognised; a damaged picture is never taken for one."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.images import decode
from shamisa_cli.core.relational.framing import same_framing

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "photos"
NAMES = ("astronaut", "cat", "coffee", "temple", "hopper")
BICUBIC = Image.Resampling.BICUBIC


def photo(name: str) -> Image.Image:
    return Image.fromarray(decode(EXAMPLES / f"{name}.jpg").pixels)


def scaled(image: Image.Image) -> Image.Image:
    larger = image.resize((round(image.width * 1.02), round(image.height * 1.02)), BICUBIC)
    return larger.crop((0, 0, *image.size))


MOVED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "turned by 1 degree": lambda image: image.rotate(1, BICUBIC),
    "turned back by 3 degrees": lambda image: image.rotate(-3, BICUBIC),
    "turned by 180 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "scaled by 2 %": scaled,
    "sheared": lambda image: image.transform(image.size, Image.Transform.AFFINE, (1, 0.02, 0, 0, 1, 0), BICUBIC),
    "mirrored": ImageOps.mirror,
    "moved by 7 pixels": lambda image: Image.fromarray(np.roll(np.asarray(image), (7, 5), (0, 1))),
}
"""What a user may do to a picture so that places no longer mean the same."""


def coded(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=4)
    return Image.open(stream).convert("RGB")


def noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 50, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


DAMAGED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(6)),
    "noisy": noisy,
    "a JPEG of quality 4": coded,
    "in large squares": lambda image: image.reduce(16).resize(image.size, Image.Resampling.NEAREST),
    "posterised": lambda image: ImageOps.posterize(image, 1),
    "dark": lambda image: image.point(lambda level: level // 8),
    "over-sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(3, 500, 0)),
    "black": lambda image: Image.new("RGB", image.size),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", MOVED)
def test_a_picture_that_was_moved_is_recognised_in_both_orders(name: str, change: str) -> None:
    original = photo(name)
    a, b = np.asarray(original), np.asarray(MOVED[change](original))
    assert not same_framing(a, b)
    assert not same_framing(b, a)


@pytest.mark.parametrize("name", NAMES)
def test_another_picture_is_recognised(name: str) -> None:
    size = (384, 320)
    others = [other for other in NAMES if other != name]
    a, *rest = (np.asarray(ImageOps.fit(photo(each), size)) for each in (name, *others))
    assert not any(same_framing(a, other) for other in rest)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_picture_keeps_its_framing(name: str, damage: str) -> None:
    original = photo(name)
    assert same_framing(np.asarray(original), np.asarray(DAMAGED[damage](original)))


def test_of_a_tiny_or_an_empty_picture_nothing_is_claimed() -> None:
    small = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    flat: Pixels = np.full((300, 300, 3), 90, dtype=np.uint8)
    assert same_framing(small, small[::-1])
    assert same_framing(flat, flat + np.uint8(9))
