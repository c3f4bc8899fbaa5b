"""An upper estimate of the memory that decoding a picture takes, from its header.

Bytes for each pixel were measured as the peak of the process over what it held before, on pictures of 16 megapixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, JpegImagePlugin

from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images.bands import BAND_PIXELS
from shamisa_cli.core.images.budget import DECODING, MEGABYTE
from shamisa_cli.core.images.view import reduced_size
from shamisa_cli.core.images.webp import WebpFile

DRAFT_MARGIN = 2  # a JPEG decoded at least this many times larger than the view leaves the filter enough detail

_STRIP_NEED = 200 * MEGABYTE
_OF_BAND = 30
"""For each pixel of the band of a picture that is being converted; see `bands`."""
_PLAIN, _ODD, _DEEP = 9, 13, 30
"""Eight bits without alpha (measured: up to 7); with alpha, a palette, or one bit (9); greys of more bits (28)."""
_PLAIN_MODES = frozenset({"L", "RGB", "CMYK"})
_BY_FORMAT = {"AVIF": 20, "HEIF": 12, "JXL": 24}
"""Measured: AVIF 8 (8 bits) to 17 (12 bits with alpha), HEIC 8 to 11, JPEG XL 7 (8 bits) to 23 (floats)."""
_WEBP = 20  # measured: 14 to 18
_LOOK, _LOOK_IN_INKS = 3, 7
"""For the luma of all pixels; of a JPEG in CMYK they are decoded in colour first."""
_NATIVE = 4
"""For the pixels, where they are not scaled down."""


@contextmanager
def room(path: Path | str, size: tuple[int, int], needed: int) -> Iterator[None]:
    """Context of decoding a picture of this size, which takes `needed` bytes, once so many are left.

    Raises ImageError "too-large" if they are more than all pictures may take together.
    """
    if not DECODING.fits(needed):
        raise ImageError(
            path,
            "too-large",
            f"{path} needs some {needed / MEGABYTE:,.0f} MB to decode ({size[0]}×{size[1]}), more than the "
            f"{DECODING.limit / MEGABYTE:,.0f} MB that pictures may take together. Allow more memory, or resize it.",
        )
    with DECODING.hold(needed):
        yield


def bytes_needed(image: Image.Image, view_size: int | None, factor: int, look: bool) -> int:
    """Bytes that decoding takes at once.

    Args:
        image: opened, not loaded.
        view_size: as for `decode`.
        factor: by which a PNG is reduced while it is read in strips; 1 for other pictures.
        look: whether its luma is wanted at full size too.
    """
    pixels = image.width * image.height
    if factor > 1:
        return _STRIP_NEED + _PLAIN * pixels // factor**2
    native = _NATIVE * (reduced_size(image.size, view_size) == image.size)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return _of_jpeg(image, view_size, look) + native * pixels
    return (_of_all(image) + _LOOK * look + native) * pixels + _of_band(pixels)


def _of_all(image: Image.Image) -> int:
    """Bytes for each pixel of a picture that is decoded as a whole."""
    if isinstance(image, WebpFile):
        return _WEBP
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _DEEP
    by_mode = _PLAIN if image.mode in _PLAIN_MODES and not image.has_transparency_data else _ODD
    return max(by_mode, _BY_FORMAT.get(image.format or "", 0))


def _of_jpeg(image: Image.Image, view_size: int | None, look: bool) -> int:
    pixels = image.width * image.height
    wanted = DRAFT_MARGIN * max(reduced_size(image.size, view_size))
    scale = next((scale for scale in (8, 4, 2) if max(image.size) // scale >= wanted), 1)
    # Progressive files are held as coefficients of two bytes, whatever the scale.
    whole = 2 * len(image.getbands()) * ("progressive" in image.info)
    if look:
        whole += _LOOK_IN_INKS if image.mode == "CMYK" else _LOOK
    decoded = pixels // scale**2
    return _PLAIN * decoded + whole * pixels + _of_band(pixels if look else decoded)


def _of_band(pixels: int) -> int:
    return _OF_BAND * min(pixels, BAND_PIXELS)
