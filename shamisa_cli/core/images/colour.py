"""Conversion of decoded pixels of any mode to sRGB with 8 bits per channel."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from shamisa_cli.core.images.bands import bands
from shamisa_cli.core.images.code_points import from_code_points

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_SAMPLE_FORMAT = 339
_WHITE_IS_ZERO = 0
_SIGNED = 2

_EXACT = ImageCms.Flags.NOOPTIMIZE
"""Else LittleCMS interpolates between few points, which is eight levels off in the darks."""
_GREYS = ("L", "LA", "La")

_FLOAT_RANGES = (1.0, 255.0, 65535.0)
_MODE_OF_COLOUR_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}

_same = np.linspace(0, 255, 6).round().astype(np.uint8)
_COLOUR_GRID = np.stack(np.meshgrid(_same, _same, _same), axis=-1).reshape(-1, 6, 3)
_SAME_WITHIN = 2  # levels of 255: profiles that call themselves sRGB differ by their rounding


def to_8_bit(image: Image.Image) -> Image.Image:
    """Convert an image to 8 bits per channel without palette or alpha, still in its own colour space.

    Returns mode "L", "RGB" or "CMYK". Transparent parts are laid over white. 16 and 32-bit greys use the
    full range of their type; float greys are 0…1 if no value is above 1, else 0…255 if none is above
    255, else 0…65535, and values outside are clipped to it and NaN is black. (Deep colour
    pictures come from Pillow with 8 bits per channel already.)

    Raises:
        ValueError: Pillow cannot convert this mode to RGB.
    """
    if image.mode == "F":
        return _float_grey(image)
    if image.mode == "I" or image.mode.startswith("I;"):
        return _integer_grey(image)
    if image.has_transparency_data:
        return _over_white(image)
    if image.mode == "LAB":
        return _lab(image)
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def odd_samples(image: Image.Image) -> tuple[str, ...]:
    """A phrase on samples of a loaded image that are no finite numbers. Raises ValueError if no other samples are."""
    if image.mode != "F":
        return ()
    values = np.asarray(image)
    odd = values.size - int(np.isfinite(values).sum())
    if odd == values.size:
        raise ValueError("none of its samples is a finite number")
    return (f"has {odd} of {values.size} samples that are not finite numbers",) if odd else ()


def to_srgb(
    image: Image.Image, profile: bytes | None, code_points: tuple[int, int] | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert an "L", "RGB" or "CMYK" image to "RGB" in sRGB; with a phrase where its profile is damaged.

    Code points of primaries and transfer (CICP) take precedence over a profile, as PNG wants.

    A profile that is damaged, or is for another kind of pixels, is ignored, as in common viewers. An sRGB profile
    changes no pixel.
    """
    said: tuple[str, ...] = ()
    converted = None if code_points is None else from_code_points(image, code_points)
    if converted is None and profile:
        try:
            converted = _by_profile(image, profile)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            said = ("has a colour profile that is damaged, and was not used",)
    found = image if converted is None else converted
    return found if found.mode == "RGB" else found.convert("RGB"), said


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The image in sRGB; None where its profile changes nothing, or is for another kind of pixels."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    mode = _MODE_OF_COLOUR_SPACE.get(source.profile.xcolor_space.strip())
    if image.mode == "L" and mode == "RGB":
        image = image.convert("RGB")
    if image.mode != mode:
        return None
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode == "RGB" and _changes_nothing(transform):
        return None
    return ImageCms.applyTransform(image, transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    changed = np.asarray(ImageCms.applyTransform(Image.fromarray(_COLOUR_GRID), transform))
    return bool(np.abs(changed.astype(int) - _COLOUR_GRID).max() <= _SAME_WITHIN)


def _lab(image: Image.Image) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None  # it is None only when converting in place
    return converted


def _over_white(image: Image.Image) -> Image.Image:
    flat = Image.new("RGB", image.size)
    for rows, part in bands(image):
        band = part.convert("RGBA")
        flat.paste(Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert("RGB"), (0, rows.start))
    return flat.getchannel(0) if image.mode in _GREYS else flat  # a profile of greys needs greys


def _integer_grey(image: Image.Image) -> Image.Image:
    """Greys of 16 or 32 bits as "L", or by their profile as "RGB", since in 8 bits linear light loses its darks."""
    values = np.asarray(image)
    bits, signed = _depth(image)
    if image.mode == "I" and bits == 32 and not signed:
        values = values.view(np.uint32)
    white = 2 ** (bits - signed) - 1
    shares = values.clip(0, white) * np.float64(1 / white)
    profile = image.info.get("icc_profile")
    converted = None if not profile else _deep_grey_by_profile(_upright_grey(image, shares), profile)
    return _grey(image, 255 * shares.astype(np.float32)) if converted is None else converted


def _deep_grey_by_profile(shares: np.ndarray, profile: bytes) -> Image.Image | None:
    """Greys 0…1 as "RGB" in sRGB; None where the profile is not one of greys."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space.strip() != "GRAY":
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "I;16", "RGB", flags=_EXACT)
        return ImageCms.applyTransform(Image.fromarray(np.rint(65535 * shares).astype(np.uint16)), transform)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _depth(image: Image.Image) -> tuple[int, bool]:
    """Bits per sample, and whether samples are signed; mode "I" outside TIFF carries 16 bits (PNG)."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 16, False
    return image.tag_v2[_BITS_PER_SAMPLE][0], image.tag_v2.get(_SAMPLE_FORMAT, (1,))[0] == _SIGNED


def _float_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    highest = values[np.isfinite(values)].max(initial=0)
    white = next((limit for limit in _FLOAT_RANGES if highest <= limit), _FLOAT_RANGES[-1])
    return _grey(image, np.nan_to_num(values.clip(0, white)) * np.float32(255 / white))


def _grey(image: Image.Image, levels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(255 * _upright_grey(image, levels / 255)).astype(np.uint8))


def _upright_grey(image: Image.Image, shares: np.ndarray) -> np.ndarray:
    """Greys 0…1 with white at 1, whichever way the file counts."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return 1 - shares
    return shares
