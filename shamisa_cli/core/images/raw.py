"""Camera RAW files through LibRaw (the optional package rawpy): their full-size preview, else developed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image, TiffImagePlugin

from shamisa_cli.core.errors import ImageError, reason_of
from shamisa_cli.core.images.jpeg import JpegFile
from shamisa_cli.core.images.memory import room
from shamisa_cli.core.images.tiff_directories import SUB_IFDS, Directories

SENSOR_SIZE = "sensor_size"
"""Key of an image's `info`: width and height of the full picture, before it is turned upright."""
SUBFILE_TYPE = 254
REDUCED_COPY = 1
"""TIFF 6.0, NewSubfileType: bit 0 says that the frame is a smaller copy of another one in the file."""

_PHOTOMETRIC, _SAMPLES = 262, 277
_DNG_VERSION = 50706
_MOSAIC, _LINEAR = 32803, 34892
"""Photometric interpretations of raw data: colour filter array, and linear raw (DNG 1.4)."""
_FOVEON = b"FOVb"
_SIGNATURES = (
    b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", _FOVEON, b"\0MRM", b"II\x1a\0\0\0HEAPCCDR",
)  # fmt: skip
"""First bytes of ORF (three), RW2, RAF, X3F, MRW and CRW files."""
_DEVELOPING, _DEVELOPING_WHOLE = 8, 32
"""Bytes for each pixel of the sensor that LibRaw takes to develop at half size; measured: 5.4. Where pixels are no
mosaic, it halves nothing; measured: 13 to 30."""
_FULL_SIZE = 0.9
"""Least long side of a preview, as a share of the picture's: cameras crop some pixels from the sensor's."""
_ORIENTATION_OF_FLIP = {3: 3, 5: 8, 6: 6}
"""LibRaw's flip (180°, 90° to the left, 90° to the right) → EXIF orientation."""


def is_raw(head: bytes) -> bool:
    """Whether a file with these first bytes is a RAW file with a signature of its own, or a CR2."""
    return head.startswith(_SIGNATURES) or (head[:4] == b"II*\0" and head[8:10] == b"CR")


def is_raw_tiff(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether a TIFF is a RAW file: a DNG, sensor data, or a small copy before pictures that lie in sub-IFDs."""
    tags = image.tag_v2
    hidden = bool(tags.get(SUBFILE_TYPE, 0) & REDUCED_COPY) and SUB_IFDS in tags
    return _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in (_MOSAIC, _LINEAR) or hidden


def open_raw(path: Path | str, stream: BinaryIO, max_pixels: int | None) -> Image.Image:
    """Open a RAW file's full-size JPEG preview; without one, develop it with the camera's white balance.

    A mosaic is developed at half size. A preview much smaller than the picture is never taken.

    Raises:
        ImageError: "unsupported" without rawpy, or if LibRaw does not know the file; "too-large"; "truncated".
    """
    try:
        import rawpy
    except ImportError as error:
        message = f"{path} is a camera RAW file, and its reader is not installed. Run `pip install 'shamisa[raw]'`."
        raise ImageError(path, "unsupported", message) from error
    try:
        with rawpy.imread(stream) as raw:
            size = (raw.sizes.width, raw.sizes.height)
            if max_pixels is not None and size[0] * size[1] > max_pixels:
                message = (
                    f"{path} has {size[0] * size[1]} pixels ({size[0]}×{size[1]}), more than the limit of "
                    f"{max_pixels}. Raise the limit on pixels if the file is to be trusted."
                )
                raise ImageError(path, "too-large", message)
            if (preview := _preview(rawpy, raw, size)) is not None:
                return preview
            with room(path, size, _bytes_per_pixel(stream) * size[0] * size[1]):
                return _developed(raw, size)
    except rawpy.LibRawFileUnsupportedError as error:
        message = f"{path} is a camera RAW file of a kind that LibRaw does not read. Convert it to DNG or JPEG."
        raise ImageError(path, "unsupported", message) from error
    except rawpy.LibRawError as error:
        message = f"{path} is damaged or cut short ({reason_of(error)}). Copy or download it again."
        raise ImageError(path, "truncated", message) from error


def _bytes_per_pixel(stream: BinaryIO) -> int:
    """Bytes for each pixel that LibRaw takes to develop a file; it does not say before it has unpacked them."""
    stream.seek(0)
    if stream.read(len(_FOVEON)) == _FOVEON:
        return _DEVELOPING_WHOLE
    is_dng = has_mosaic = has_colours = False
    try:
        for tags in Directories(stream).all():
            kind, samples = tags.get(_PHOTOMETRIC), tags.get(_SAMPLES, 1)
            has_mosaic |= kind == _MOSAIC and samples == 1
            has_colours |= kind == _LINEAR or (kind == _MOSAIC and samples != 1)
            is_dng |= _DNG_VERSION in tags
    except Exception:  # damaged directories make Pillow raise many types
        pass
    return _DEVELOPING_WHOLE if has_colours or (is_dng and not has_mosaic) else _DEVELOPING


def preview_of(stream: BinaryIO) -> Image.Image | None:
    """The JPEG embedded in a RAW file, of whatever size; None without one, without rawpy and for a damaged file."""
    try:
        import rawpy
    except ImportError:
        return None
    try:
        with rawpy.imread(stream) as raw:
            return _embedded(rawpy, raw)
    except rawpy.LibRawError:
        return None


def _embedded(rawpy: Any, raw: Any) -> JpegFile | None:
    try:
        thumbnail = raw.extract_thumb()
        return JpegFile(BytesIO(thumbnail.data)) if thumbnail.format == rawpy.ThumbFormat.JPEG else None
    except (rawpy.LibRawError, OSError, SyntaxError):
        return None


def _preview(rawpy: Any, raw: Any, size: tuple[int, int]) -> Image.Image | None:
    """The embedded JPEG, if it is as large as the picture; None otherwise."""
    image = _embedded(rawpy, raw)
    if image is None or max(image.size) < _FULL_SIZE * max(size):
        return None
    exif = image.getexif()
    orientation = exif.setdefault(ExifTags.Base.Orientation, _ORIENTATION_OF_FLIP.get(raw.sizes.flip, 1))
    exif[ExifTags.Base.Orientation] = orientation
    return image


def _developed(raw: Any, size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8))  # upright already
    turned = (image.width > image.height) != (size[0] > size[1]) and size[0] != size[1]
    image.info[SENSOR_SIZE] = size[::-1] if turned else size
    return image
