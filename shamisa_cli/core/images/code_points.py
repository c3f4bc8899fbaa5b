"""Colours that are said by code points (CICP, ITU-T H.273), as PNG and video formats do, turned into sRGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.images.bands import bands

CODE_POINTS = "cicp"
"""Key of an image's `info`: code points of its primaries and transfer; its reader applies none."""
SRGB_PRIMARIES, BT2020, DISPLAY_P3 = 1, 9, 12
LINEAR, SRGB_TRANSFER, PQ, HLG = 8, 13, 16, 18
HDR = {PQ: "PQ", HLG: "HLG"}

SDR_WHITE = 203.0
"""cd/m² of white in graphics and diffuse white in HDR pictures (ITU-R BT.2408, section 2)."""

_TO_SRGB = {
    # Rows give linear sRGB from linear values with these primaries, both with white D65.
    BT2020: ((1.660491, -0.587641, -0.072850), (-0.124550, 1.132900, -0.008349), (-0.018151, -0.100579, 1.118730)),
    DISPLAY_P3: ((1.224940, -0.224940, 0.0), (-0.042057, 1.042057, 0.0), (-0.019638, -0.078636, 1.098274)),
}


def from_code_points(image: Image.Image, cicp: tuple[int, int]) -> Image.Image | None:
    """An 8-bit picture with these primaries and transfer as RGB in sRGB; None where they are sRGB's, or not known.

    HDR pictures keep what is as bright as diffuse white or darker; what is brighter becomes white.
    """
    primaries, transfer = cicp
    same = primaries == SRGB_PRIMARIES and transfer not in (LINEAR, PQ, HLG)
    if same or primaries not in (SRGB_PRIMARIES, *_TO_SRGB):
        return None
    levels = _linear_levels(transfer)
    converted = Image.new("RGB", image.size)
    for rows, band in bands(image):
        linear = levels[np.asarray(band.convert("RGB"))]
        if transfer == HLG:
            linear = _displayed(linear)
        if primaries in _TO_SRGB:
            linear = linear @ np.array(_TO_SRGB[primaries], np.float32).T
        converted.paste(Image.fromarray(_encoded(linear)), (0, rows.start))
    return converted


def _linear_levels(transfer: int) -> np.ndarray:
    """(256,) float32: linear light of each level, 1 at white (HLG: of the scene)."""
    level = np.arange(256) / 255
    if transfer == LINEAR:
        light = level
    elif transfer == PQ:
        # SMPTE ST 2084, equation 4.1
        root = level ** (1 / (2523 / 32))
        ratio = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
        light = 10000 / SDR_WHITE * ratio ** (16384 / 2610)
    elif transfer == HLG:
        # ITU-R BT.2100, table 5, inverse OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    else:
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _displayed(scene: np.ndarray) -> np.ndarray:
    """Light (H, W, 3) of a display of 1000 cd/m² (BT.2100, table 5, OOTF with gamma 1.2), 1 at diffuse white."""
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    return np.asarray(1000 / SDR_WHITE * scene * (luminance**0.2)[..., None], np.float32)


def _encoded(linear: np.ndarray) -> Pixels:
    light = linear.clip(0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * encoded), np.uint8)
