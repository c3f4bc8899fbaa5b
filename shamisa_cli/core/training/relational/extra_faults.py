"""Faults outside the distortion engine, so that relational scores generalise beyond its operators.

They belong to none of the seven groups: a network learns from them how much worse an image is, but not why.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.distortions.compression import jpeg
from shamisa_cli.core.distortions.operator import OperatorContext

ExtraFault = Callable[[Tensor, float, np.random.Generator], Tensor]
"""(picture (3, H, W) in 0…1, severity 0…4, the only source of randomness) → a picture of the same shape."""

BLOCK = 8


def coloured_noise(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Gaussian noise with a power-law spectrum, in grey or colour, sometimes in textured or in smooth regions only."""
    height, width = picture.shape[1:]
    noise = _normal((1 if rng.uniform() < 0.4 else 3, height, width), rng)
    colour = _frequency(height, width) ** rng.uniform(-2, 1.5)
    noise = _inverse_transform(torch.fft.rfft2(noise) * colour, (height, width))
    noise = noise / noise.std()
    if rng.uniform() < 0.4:
        busy = _activity(picture)
        gain = busy / busy.mean() if rng.uniform() < 0.7 else 1 / (busy / busy.mean() + 0.3)
        noise = noise * gain / gain.square().mean().sqrt()
    return picture + noise * (0.015 * 2**severity)


def multiplied_noise(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Noise proportional to the light, independent in each pixel and channel."""
    return picture * (1 + 0.03 * 2**severity * _normal(picture.shape, rng))


def lost_blocks(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Squares that are flat, slightly too bright or dark, or copied from nearby."""
    height, width = picture.shape[1:]
    side, kind = int(rng.choice([16, 24, 32])), int(rng.integers(3))
    result = picture.clone()
    for _ in range(1 + int(2**severity)):
        y, x = int(rng.integers(height - side)), int(rng.integers(width - side))
        place = result[:, y : y + side, x : x + side]
        if kind == 0:
            place.copy_(torch.from_numpy(rng.uniform(size=(3, 1, 1))))
        elif kind == 1:
            place.add_(float(rng.choice([-1, 1])) * 0.06 * (severity + 1))
        else:
            other_y = int(np.clip(y + rng.integers(-20, 21), 0, height - side))
            other_x = int(np.clip(x + rng.integers(-20, 21), 0, width - side))
            place.copy_(picture[:, other_y : other_y + side, other_x : other_x + side])
    return result


def transmission_errors(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Errors in a JPEG stream: runs of blocks that are flat, displaced, or of different brightness."""
    result = _compressed(picture, float(rng.uniform(40, 80)))
    rows, columns = picture.shape[1] // BLOCK, picture.shape[2] // BLOCK
    for _ in range(int(1 + 1.5 * severity)):
        y, x = BLOCK * int(rng.integers(rows)), BLOCK * int(rng.integers(columns))
        run = result[:, y : y + BLOCK, x : x + BLOCK * int(rng.integers(2, columns))]
        kind = int(rng.integers(3))
        if kind == 0:
            run.copy_(run.mean(dim=(1, 2), keepdim=True))
        elif kind == 1:
            run.copy_(run.clone().roll(BLOCK * int(rng.integers(1, 4)), dims=2))
        else:
            run.add_(float(rng.uniform(-0.25, 0.25)))
    return result


def noise_processed(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Noise that was then compressed, or removed by a median filter or a threshold on frequencies."""
    amount = 0.02 * 2**severity
    noisy = (picture + amount * _normal(picture.shape, rng)).clamp(0, 1)
    kind = int(rng.integers(4))
    if kind < 2:
        return _compressed(noisy, float(rng.uniform(15, 70)))
    if kind == 2:
        side = int(rng.choice([3, 5]))
        padded = F.pad(noisy[None], [side // 2] * 4, mode="reflect")
        return padded.unfold(2, side, 1).unfold(3, side, 1).flatten(4).median(dim=4).values[0]
    spectrum = torch.fft.rfft2(noisy)
    kept = spectrum.abs() > 1.5 * amount * math.sqrt(noisy.shape[1] * noisy.shape[2])
    return _inverse_transform(spectrum * kept, (noisy.shape[1], noisy.shape[2]))


def sparse_samples(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Reconstruction from a random subset of frequencies, in which high ones are rarer."""
    height, width = picture.shape[1:]
    frequency = _frequency(height, width)
    chance = torch.exp(-frequency * (1 + 2.2 * severity)) + 0.02
    kept = (torch.from_numpy(rng.uniform(size=tuple(frequency.shape))) < chance) | (frequency < 0.04)
    return _inverse_transform(torch.fft.rfft2(picture) * kept, (height, width))


def resampled(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Reduced and enlarged again, each by a random method."""
    height, width = picture.shape[1:]
    share = 1 / (1.15 + 0.45 * severity)
    down, up = str(rng.choice(["nearest", "bilinear", "bicubic"])), str(rng.choice(["nearest", "bilinear", "bicubic"]))
    smooth = down != "nearest" and bool(rng.uniform() < 0.7)
    small = F.interpolate(picture[None], (round(height * share), round(width * share)), mode=down, antialias=smooth)
    return F.interpolate(small, (height, width), mode=up)[0]


def few_colours(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Few levels of each channel, with a random strength of dither."""
    steps = max(2, round(24 / (1 + 1.6 * severity))) - 1
    dither = rng.uniform() * (torch.from_numpy(rng.uniform(size=tuple(picture.shape))).float() - 0.5)
    return (picture * steps + dither).round() / steps


def aberration(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """Red and blue displaced in random directions, by less than five pixels."""
    moved = [picture[1]]
    for channel in (0, 2):
        angle = rng.uniform(0, 2 * math.pi)
        reach = 0.4 + 0.9 * severity
        shift = torch.tensor([math.cos(angle), math.sin(angle)])[:, None, None] * reach
        moved.append(_displaced(picture[channel : channel + 1], shift.expand(2, *picture.shape[1:]))[0])
    return torch.stack([moved[1], moved[0], moved[2]])


def warped(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """A smooth warp by a few pixels."""
    bends = F.interpolate(_normal((1, 2, 5, 5), rng), picture.shape[1:], mode="bicubic", align_corners=True)[0]
    return _displaced(picture, bends * (0.4 + 1.2 * severity))


def gamma(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """A power law of brightness, lighter or darker."""
    exponent = math.exp(float(rng.choice([-1, 1])) * (0.08 + 0.17 * severity))
    return picture.clamp(1e-4, 1) ** exponent


def colour_cast(picture: Tensor, severity: float, rng: np.random.Generator) -> Tensor:
    """More or less colour, with a slight cast."""
    grey = picture.mean(dim=0, keepdim=True)
    gain = 1 - 0.2 * (severity + 0.3) if rng.uniform() < 0.5 else 1 + 0.35 * (severity + 0.3)
    return grey + (picture - grey) * gain + 0.01 * severity * _normal((3, 1, 1), rng)


EXTRA_FAULTS: dict[str, ExtraFault] = {
    disturbance.__name__.replace("_", " "): disturbance
    for disturbance in (
        coloured_noise,
        multiplied_noise,
        lost_blocks,
        transmission_errors,
        noise_processed,
        sparse_samples,
        resampled,
        few_colours,
        aberration,
        warped,
        gamma,
        colour_cast,
    )
}


def add_fault(
    picture: Tensor, rng: np.random.Generator, *, name: str | None = None, severity: float | None = None
) -> Tensor:
    """Apply one fault, of random kind and strength unless given.

    Args:
        picture: (3, H, W), sRGB 0…1, sides at least 48.
        rng: the only source of randomness.
        name: one of `EXTRA_FAULTS`; None draws one.
        severity: 0…4; None draws one.

    Returns:
        A picture of the same shape in 0…1.
    """
    chosen = name or str(rng.choice(list(EXTRA_FAULTS)))
    strength = float(rng.uniform(0, 4)) if severity is None else severity
    return EXTRA_FAULTS[chosen](picture, strength, rng).clamp(0, 1)


def _normal(shape: tuple[int, ...] | torch.Size, rng: np.random.Generator) -> Tensor:
    result: Tensor = torch.from_numpy(rng.normal(size=tuple(shape))).float()
    return result


def _frequency(height: int, width: int) -> Tensor:
    """Cycles per pixel of each coefficient of `rfft2`, (H, W // 2 + 1); above 0."""
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)
    result: Tensor = (down.square() + across.square()).sqrt() + 1 / height
    return result


def _inverse_transform(spectrum: Tensor, size: tuple[int, int]) -> Tensor:
    result: Tensor = torch.fft.irfft2(spectrum, s=size)
    return result


def _activity(picture: Tensor) -> Tensor:
    """Local standard deviation of brightness, (H, W), above 0."""
    grey = picture.mean(dim=0)[None, None]
    mean = F.avg_pool2d(grey, 9, 1, 4)
    return ((F.avg_pool2d(grey * grey, 9, 1, 4) - mean * mean).clamp_min(0).sqrt() + 1e-4)[0, 0]


def _compressed(picture: Tensor, quality: float) -> Tensor:
    return jpeg(picture[None].clamp(0, 1), torch.tensor([quality]), OperatorContext(torch.Generator()))[0]


def _displaced(picture: Tensor, shift: Tensor) -> Tensor:
    """Sample (C, H, W) at positions displaced by `shift` (2, H, W) pixels, across and down."""
    height, width = picture.shape[1:]
    places = F.affine_grid(torch.eye(2, 3)[None], [1, 1, height, width], align_corners=False)
    moved = places + torch.stack([shift[0] * 2 / width, shift[1] * 2 / height], dim=-1)[None]
    result: Tensor = F.grid_sample(picture[None], moved, padding_mode="reflection", align_corners=False)[0]
    return result
