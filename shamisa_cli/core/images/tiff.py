"""TIFF files under this program's own limit of pixels, in place of Pillow's process-wide one."""

from __future__ import annotations

from PIL import Image, TiffImagePlugin


class TiffFile(TiffImagePlugin.TiffImageFile):
    """Pillow's reader; the size was checked against the limit when the header had been read."""

    def load_prepare(self) -> None:
        """Make room for the pixels. Pillow refuses more than 179 megapixels here, whatever the caller allows."""
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size).im
        super().load_prepare()
