"""TIFF files under this program's own limit of pixels, in place of Pillow's process-wide one."""

from __future__ import annotations

from math import ceil

from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PLANAR_CONFIGURATION,
    ROWSPERSTRIP,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPOFFSETS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
)

_SEPARATE_PLANES, _SIGNED = 2, 2


class TiffFile(TiffImagePlugin.TiffImageFile):
    """Pillow's reader; the size was checked against the limit when the header had been read."""

    def _setup(self) -> None:
        super()._setup()
        bits = set(self.tag_v2.get(BITSPERSAMPLE, (1,)))
        if bits == {8} and _SIGNED in self.tag_v2.get(SAMPLEFORMAT, ()):
            raise SyntaxError("unknown pixel mode: signed numbers of 8 bits")  # which Pillow takes for unsigned ones
        if bits == {16} and self._planes() > 1 and not self.use_load_libtiff:
            self._read_wide_planes()

    def _read_wide_planes(self) -> None:
        """Read planes of 16 bits as such. Pillow reads only those that are compressed; of others each byte as a sample.

        Raises SyntaxError for those that it cannot unpack.
        """
        if self.mode not in ("RGB", "RGBA"):
            raise SyntaxError(f"unknown pixel mode: {self.mode} in planes of 16 bits")
        order = "B" if self.tag_v2.prefix == b"MM" else "L"
        for place, tile in enumerate(self.tile):
            assert isinstance(tile.args, tuple)
            band, *rest = tile.args
            self.tile[place] = tile._replace(args=(f"{band};16{order}", *rest))

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
