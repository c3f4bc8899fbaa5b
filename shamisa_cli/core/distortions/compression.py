"""Compression: real JPEG and JPEG 2000, through Pillow's codecs on the CPU."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from shamisa_cli.core.distortions.operator import Draw, Operator

Bytes = npt.NDArray[np.uint8]


def jpeg(pictures: Tensor, quality: Tensor, draw: Draw) -> Tensor:  # noqa: ARG001
    """JPEG at `quality` 1…95, chroma at half resolution."""
    return _through_codec(pictures, quality, _jpeg_bytes)


def jpeg2000(pictures: Tensor, ratio: Tensor, draw: Draw) -> Tensor:  # noqa: ARG001
    """JPEG 2000 (irreversible wavelet) at a compression `ratio` above 1."""
    return _through_codec(pictures, ratio, _jpeg2000_bytes)


def _through_codec(pictures: Tensor, values: Tensor, encode: Callable[[Image.Image, float], io.BytesIO]) -> Tensor:
    pixels = (pictures.detach().clamp(0, 1) * 255).round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
    decoded = [
        np.asarray(Image.open(encode(Image.fromarray(picture), value)).convert("RGB"))
        for picture, value in zip(pixels, values.tolist(), strict=True)
    ]
    return torch.from_numpy(np.stack(decoded)).to(pictures.device).permute(0, 3, 1, 2).to(pictures.dtype) / 255


def _jpeg_bytes(picture: Image.Image, quality: float) -> io.BytesIO:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=round(quality))
    return stream


def _jpeg2000_bytes(picture: Image.Image, ratio: float) -> io.BytesIO:
    stream = io.BytesIO()
    picture.save(stream, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=1)
    return stream


OPERATORS = (
    Operator("JPEG 2000", "compression", (16, 32, 45, 120, 170), jpeg2000),
    Operator("JPEG", "compression", (43, 36, 24, 7, 4), jpeg, integer=True),
)
