"""PNGs that the program draws are read by others as they were drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.images.drawings import is_drawing, write_drawing


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (7, 301), (200, 33)])
def test_a_drawing_is_read_back_as_it_was_and_known_as_a_drawing(
    fast: bool, size: tuple[int, int], tmp_path: Path
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    write_drawing(Image.fromarray(pixels), tmp_path / "x.png", fast=fast)
    with Image.open(tmp_path / "x.png") as read:
        read.verify()
    with Image.open(tmp_path / "x.png") as read:
        assert (np.asarray(read) == pixels).all()
        assert read.info["Software"] == "shamisa"
    assert is_drawing(tmp_path / "x.png")


def test_a_drawing_takes_the_place_of_no_file_but_a_drawing_or_an_empty_one(tmp_path: Path) -> None:
    drawing = Image.new("RGB", (8, 8))
    (tmp_path / "notes.png").write_text("notes")
    drawing.save(tmp_path / "photo.png")
    for name in ("notes.png", "photo.png"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(FileExistsError, match="was not drawn here"):
            write_drawing(drawing, tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    (tmp_path / "new.png").touch()
    for _ in range(2):
        write_drawing(drawing, tmp_path / "new.png")
    assert is_drawing(tmp_path / "new.png")
