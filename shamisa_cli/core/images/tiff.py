"""TIFF files under this program's own limit of pixels, in place of Pillow's process-wide one."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    ROWSPERSTRIP,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPOFFSETS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    YCBCRSUBSAMPLING,
)

_TOGETHER, _SEPARATE_PLANES, _SIGNED, _YCBCR = 1, 2, 2, 6
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
_IN_PLANES = frozenset({"RGB", "RGBA", "CMYK"})
"""Modes whose planes Pillow reads."""
_NATIVE = {
    "I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS", "I;32BS": "I;32NS", "F;32F": "F;32NF", "F;32BF": "F;32NF",
}  # fmt: skip
"""Raw modes in either byte order → in that of the machine, in which libtiff gives samples whatever the file's is."""


class TiffFile(TiffImagePlugin.TiffImageFile):
    """Pillow's reader; the size was checked against the limit when the header had been read."""

    def _open(self) -> None:
        assert self.fp is not None
        if self.fp.read(len(_BIG_ENDIAN_BIGTIFF)) == _BIG_ENDIAN_BIGTIFF:
            raise SyntaxError("BigTIFF in big-endian order is not supported")
        self.fp.seek(0)
        super()._open()

    def _setup(self) -> None:
        if self.tag_v2.get(SAMPLESPERPIXEL, 1) == 1:  # where a plane is the whole, which Pillow takes for a part
            self.tag_v2[PLANAR_CONFIGURATION] = _TOGETHER
        try:
            super()._setup()
        except IndexError:
            raise SyntaxError("unknown pixel mode: more planes than colours") from None
        bits = set(self.tag_v2.get(BITSPERSAMPLE, (1,)))
        self._refuse_what_is_read_wrongly(bits)
        if self.use_load_libtiff:
            self._change_raw_modes(lambda mode: _NATIVE.get(mode, mode))
        elif bits == {16} and self._planes() > 1:
            self._read_wide_planes()

    def _refuse_what_is_read_wrongly(self, bits: set[int]) -> None:
        """Raise SyntaxError for kinds of samples that Pillow takes for others."""
        tags = self.tag_v2
        if bits == {8} and _SIGNED in tags.get(SAMPLEFORMAT, ()):
            raise SyntaxError("unknown pixel mode: signed numbers of 8 bits")
        if self._planes() > 1 and self.mode not in _IN_PLANES:
            raise SyntaxError(f"unknown pixel mode: {self.mode} in planes")
        is_reduced = tags.get(YCBCRSUBSAMPLING, (1, 1)) != (1, 1)
        if tags.get(PHOTOMETRIC_INTERPRETATION) == _YCBCR and is_reduced and not self.use_load_libtiff:
            raise SyntaxError("unknown pixel mode: colours of fewer pixels, uncompressed")

    def _read_wide_planes(self) -> None:
        """Read planes of 16 bits as such. Pillow reads only those that are compressed; of others each byte as a sample.

        Raises SyntaxError for those that it cannot unpack.
        """
        if self.mode not in ("RGB", "RGBA"):
            raise SyntaxError(f"unknown pixel mode: {self.mode} in planes of 16 bits")
        order = "B" if self.tag_v2.prefix == b"MM" else "L"
        self._change_raw_modes(lambda band: f"{band};16{order}")

    def _change_raw_modes(self, change: Callable[[str], str]) -> None:
        for place, tile in enumerate(self.tile):
            assert isinstance(tile.args, tuple)
            raw_mode, *rest = tile.args
            self.tile[place] = tile._replace(args=(change(raw_mode), *rest))

    def _planes(self) -> int:
        return self.tag_v2.get(SAMPLESPERPIXEL, 1) if self.tag_v2.get(PLANAR_CONFIGURATION) == _SEPARATE_PLANES else 1

    def load_prepare(self) -> None:
        """Make room for the pixels. Pillow refuses more than 179 megapixels here, whatever the caller allows."""
        self._require_all_pieces()
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size).im
        super().load_prepare()

    def _require_all_pieces(self) -> None:
        """Raise OSError if fewer strips or tiles are listed than the picture has; Pillow leaves the rest black."""
        width, height = self._tile_size
        tags = self.tag_v2
        planes = self._planes()
        if TILEOFFSETS in tags:
            listed = len(tags[TILEOFFSETS])
            needed = ceil(width / tags[TILEWIDTH]) * ceil(height / tags[TILELENGTH]) * planes
        else:
            listed = len(tags.get(STRIPOFFSETS, ()))
            needed = ceil(height / (tags.get(ROWSPERSTRIP) or height)) * planes
        if listed < needed:
            raise OSError(f"{listed} of its {needed} strips or tiles are listed")
