"""The contact sheet of what the relational networks are trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.training.contact_sheets import ordered_set_sheet


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((300, 280), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.slow
def test_a_sheet_shows_what_a_seed_draws_in_both_colours_of_its_legend(photo: Path) -> None:
    sheet = ordered_set_sheet([photo], seed=1)
    assert min(sheet.size) > 1000
    assert ImageChops.difference(sheet, ordered_set_sheet([photo], seed=1)).getbbox() is None
    assert ImageChops.difference(sheet, ordered_set_sheet([photo], seed=2)).getbbox() is not None
    colours = {colour for _, colour in sheet.getcolors(1 << 24)}
    assert {(103, 0, 31), (5, 48, 97)} <= colours  # the ends of the legend: much more, much less


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="at least one photograph"):
        ordered_set_sheet([])
