"""Measures of one photograph: is it sharp, clean, a photograph at all, and was it JPEG-coded?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import convolve1d

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.images.formats import open_image

Plane = NDArray[np.float64]

TILE = 32
"""Side in pixels of the squares that sharpness and noise are measured in."""
DETAILED = 0.1
"""Share of the tiles, those with most detail, that sharpness is measured in: a portrait is sharp in few places."""
SMOOTH = 0.1
"""Share of the tiles, the smoothest, that noise is measured in."""
TEXTURE = 1.5
"""Finest details against those of twice their size where a picture has no noise: rarely more."""
LOSSY_FORMATS = ("JPEG", "MPO", "AVIF", "HEIF")
"""Formats, by Pillow's names, whose pixels were compressed with loss."""

_SPLINE = np.array([1, 4, 6, 4, 1]) / 16
_NOISE_GAIN = (0.8907, 0.2007)
"""Standard deviation that white noise of unit variance has in the first two planes of the à-trous transform with
the cubic B-spline (Starck and Murtagh, Publications of the Astronomical Society of the Pacific, 1998)."""
# fmt: off
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # ITU-T T.81, table K.1: quality 50 of the Independent JPEG Group's encoder
# fmt: on


@dataclass(frozen=True)
class Coding:
    """How a file was compressed.

    Attributes:
        lossy: whether the file's own compression lost anything.
        quality: of a JPEG, 1…100; None for other formats.
    """

    lossy: bool
    quality: int | None


@dataclass(frozen=True)
class Measures:
    """What the pixels of a photograph say.

    Attributes:
        sharpness: of its most detailed tiles, noise taken off: below 0.8 when blurred, 1…2 when sharp.
        noise: standard deviation of the noise in its smoothest tiles, in grey levels.
        flat: 0…1, share of the pixels that are the same as their right and lower neighbours.
        colour: mean distance of Cb and Cr from grey, in levels.
    """

    sharpness: float
    noise: float
    flat: float
    colour: float


def measure(pixels: Pixels) -> Measures:
    """Measures of an RGB picture (H, W, 3), uint8, of at least one tile a side."""
    grey = luminance(pixels)
    noise = noise_level(grey)
    return Measures(sharpness(grey, noise), noise, flat_share(pixels), colourfulness(pixels))


def luminance(pixels: Pixels) -> Plane:
    """Y' of ITU-R BT.601, (H, W), 0…255."""
    return np.asarray(pixels @ np.array([0.299, 0.587, 0.114]))


def tiles(plane: Plane, side: int = TILE) -> Plane:
    """Whole squares of a plane (H, W) as rows: (n, side²)."""
    rows, columns = (length // side for length in plane.shape)
    squares = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return squares.swapaxes(1, 2).reshape(rows * columns, side * side)


def details(grey: Plane) -> tuple[Plane, Plane]:
    """Mean square of the finest details, and of those of twice their size, in each tile: two arrays (n,)."""
    once = _smoothed(grey, 1)
    twice = _smoothed(once, 2)
    return np.mean(tiles(grey - once) ** 2, axis=1), np.mean(tiles(once - twice) ** 2, axis=1)


def _smoothed(plane: Plane, step: int) -> Plane:
    kernel = np.zeros(4 * step + 1)
    kernel[::step] = _SPLINE
    return np.asarray(convolve1d(convolve1d(plane, kernel, axis=0), kernel, axis=1))


def noise_level(grey: Plane) -> float:
    """Standard deviation of white noise, in grey levels, in the smoothest tiles.

    Noise is what finest details have beyond `TEXTURE` times the coarser ones: foliage or brick from edge to edge
    is not noise. Tiles that are nearly black or white say nothing, for clipping hides their noise; with no others
    left it is 0.
    """
    inside = np.abs(tiles(grey).mean(axis=1) - 127.5) < 122
    fine, coarse = (plane[inside] for plane in details(grey))
    if not len(fine):
        return 0.0
    smooth = np.argsort(fine)[: max(1, round(SMOOTH * len(fine)))]
    variance = (fine - TEXTURE**2 * coarse)[smooth] / (_NOISE_GAIN[0] ** 2 - (TEXTURE * _NOISE_GAIN[1]) ** 2)
    return float(np.sqrt(max(0.0, float(np.median(variance)))))


def sharpness(grey: Plane, noise: float) -> float:
    """Finest details against those of twice their size, in the most detailed tiles and less the noise in both.

    Photographs have about as much contrast at one scale as at the next (Field, Journal of the Optical Society of
    America A, 1987), so the ratio hardly depends on what they show; blur takes the finest details first.
    """
    fine, coarse = (plane - (gain * noise) ** 2 for plane, gain in zip(details(grey), _NOISE_GAIN, strict=True))
    most = np.argsort(fine)[-max(1, round(DETAILED * len(fine))) :]
    contrast = float(coarse[most].sum())
    return float(np.sqrt(max(0.0, float(fine[most].sum())) / contrast)) if contrast > 0 else 0.0


def flat_share(pixels: Pixels) -> float:
    """Share of pixels that are the same as their right and lower neighbours: high in drawings and screenshots."""
    here = pixels[:-1, :-1]
    same = (here == pixels[:-1, 1:]).all(axis=2) & (here == pixels[1:, :-1]).all(axis=2)
    return float(same.mean())


def colourfulness(pixels: Pixels) -> float:
    """Mean distance of Cb and Cr from grey, in levels; 0 for a grey picture."""
    chroma = np.asarray(Image.fromarray(pixels).convert("YCbCr"))[..., 1:]
    return float(np.abs(chroma - 128.0).mean())


def blockiness(grey: Plane) -> float:
    """How far steps between pixels stand out every eighth row and column, relative to other steps.

    JPEG's blocks make them do so; without, it is about 0. The grid may begin anywhere, so that a picture that was
    cropped after it was decoded is found as well.
    """
    return min(_grid(grey), _grid(grey.T))


def _grid(grey: Plane) -> float:
    across = np.abs(np.diff(grey, axis=1))
    bumps = np.clip(across[:, 1:-1] - (across[:, :-2] + across[:, 2:]) / 2, -8, 8).mean(axis=0)
    second, first = np.sort([np.median(bumps[phase::8]) for phase in range(8)])[-2:]
    return float((first - second) / max(0.5, float(np.median(across.mean(axis=0)))))


def coding(path: Path) -> Coding:
    """How the pixels of a file were compressed. Raises ImageError, OSError or ValueError if it cannot be read."""
    with path.open("rb") as stream:
        image = open_image(path, stream)
        table = getattr(image, "quantization", {}).get(0)
        lossy = image.format in LOSSY_FORMATS or image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp")
        if image.format == "WEBP":
            lossy = not _lossless_webp(stream)
    return Coding(lossy, None if table is None else jpeg_quality(table))


def jpeg_quality(table: Sequence[int]) -> int:
    """Quality 1…100 on the scale of the Independent JPEG Group, from a luminance table (64 values, row by row)."""
    scale = 100 * float(np.mean(np.asarray(table) / np.asarray(_LUMINANCE)))
    return round(min(100.0, max(1.0, 100 - scale / 2 if scale <= 100 else 5000 / scale)))


def _lossless_webp(stream: BinaryIO) -> bool:
    stream.seek(12)
    while len(header := stream.read(8)) == 8:
        if header[:4] in (b"VP8 ", b"VP8L", b"ANMF"):
            return header[:4] == b"VP8L"
        length = int.from_bytes(header[4:], "little")
        stream.seek(length + length % 2, 1)
    return False


def fingerprint(pixels: Pixels) -> NDArray[np.float32]:
    """(d,) unit vector of the central square: low frequencies at 32×32, the very lowest left out, whitened.

    The cosine between copies of one photograph is near 1, whatever their size, compression or brightness.
    """
    side, (height, width) = min(pixels.shape[:2]), pixels.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side]).convert("L")
    small = np.asarray(square.resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    spectrum = dctn(small, norm="ortho")[:12, :12]
    order = np.add.outer(np.arange(12), np.arange(12))
    kept = (spectrum * (1 + order))[order >= 3]
    return np.asarray(kept / max(1e-9, float(np.linalg.norm(kept))), dtype=np.float32)
