"""The wheel of this working tree, and small photographs."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.packages import REPOSITORY, build_wheel, need_an_index
from helpers.pictures import save_small_examples


@pytest.fixture(scope="package")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_an_index()
    return build_wheel(REPOSITORY, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example photographs with half of their pixels a side."""
    folder = tmp_path_factory.mktemp("examples") / "photos"
    save_small_examples(folder, 300)
    return folder
