"""Compression: JPEG through Pillow's codec on the CPU, JPEG 2000 wherever the pictures are."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, JpegImagePlugin
from torch import Tensor

from shamisa_cli.core.distortions.jpeg2000 import jpeg2000_round_trip
from shamisa_cli.core.distortions.operator import Operator, OperatorContext

Bytes = npt.NDArray[np.uint8]


def jpeg(pictures: Tensor, quality: Tensor, draw: OperatorContext) -> Tensor:
    """JPEG at `quality` 1…95, chroma at half resolution."""
    pixels = (pictures * 255).round_().clamp_(0, 255).to(torch.uint8).to("cpu").permute(0, 2, 3, 1).numpy()
    qualities = [round(value) for value in quality.tolist()]
    if draw.threads == 1:
        results = list(map(_through_jpeg, pixels, qualities))
    else:
        with ThreadPoolExecutor(draw.threads) as pool:  # Pillow releases the interpreter lock while it encodes
            results = list(pool.map(_through_jpeg, pixels, qualities))
    planes = torch.from_numpy(np.stack(results)).to(pictures.device, non_blocking=True).permute(0, 3, 1, 2)
    return planes.contiguous().to(pictures.dtype).div_(255)  # later operators are slower on interleaved channels


def jpeg2000(pictures: Tensor, ratio: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """JPEG 2000 (irreversible wavelet) at a compression `ratio` above 1."""
    return jpeg2000_round_trip((pictures * 255).round_(), ratio).round_().clamp_(0, 255).div_(255)


def _through_jpeg(picture: Bytes, quality: int) -> Bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    stream.seek(0)
    return np.asarray(JpegImagePlugin.JpegImageFile(stream))


OPERATORS = (
    Operator("JPEG 2000", "compression", (16, 32, 45, 120, 170), jpeg2000),
    Operator("JPEG", "compression", (43, 36, 24, 7, 4), jpeg, integer=True),
)
