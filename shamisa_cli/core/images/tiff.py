"""TIFF files under this program's own limit of pixels, in place of Pillow's process-wide one."""

from __future__ import annotations

from math import ceil

from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import (
    PLANAR_CONFIGURATION,
    ROWSPERSTRIP,
    SAMPLESPERPIXEL,
    STRIPOFFSETS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
)

_SEPARATE_PLANES = 2


class TiffFile(TiffImagePlugin.TiffImageFile):
    """Pillow's reader; the size was checked against the limit when the header had been read."""

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
        planes = tags.get(SAMPLESPERPIXEL, 1) if tags.get(PLANAR_CONFIGURATION) == _SEPARATE_PLANES else 1
        if TILEOFFSETS in tags:
            listed = len(tags[TILEOFFSETS])
            needed = ceil(width / tags[TILEWIDTH]) * ceil(height / tags[TILELENGTH]) * planes
        else:
            listed = len(tags.get(STRIPOFFSETS, ()))
            needed = ceil(height / (tags.get(ROWSPERSTRIP) or height)) * planes
        if listed < needed:
            raise OSError(f"{listed} of its {needed} strips or tiles are listed")
