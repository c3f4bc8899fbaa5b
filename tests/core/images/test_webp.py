"""WebP files, by the readers of several versions of Pillow."""

from __future__ import annotations

import io

import pytest
from PIL import Image, WebPImagePlugin

from shamisa_cli.core.images.webp import WebpFile


def test_readers_that_take_all_of_a_file_at_once_get_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def take_all(picture: WebPImagePlugin.WebPImageFile) -> None:  # as Pillow before 13 does
        assert picture.fp is not None
        taken.append(picture.fp.read())
        picture._size, picture._mode = (1, 1), "RGB"

    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "WEBP")
    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "_open", take_all)
    WebpFile(io.BytesIO(stream.getvalue()))
    assert taken == [stream.getvalue()]
