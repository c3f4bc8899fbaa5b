"""Open files and paths of other systems, given to the functions of the library in place of paths and pictures."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from PIL import Image

import shamisa_cli


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "one.png"
    Image.effect_noise((64, 64), 90).convert("RGB").save(path)
    return path


@pytest.mark.parametrize(
    "use",
    [
        shamisa_cli.score, shamisa_cli.embed, shamisa_cli.rank, shamisa_cli.cull, shamisa_cli.discover,
        lambda opened: shamisa_cli.compare("any.png", opened), lambda opened: shamisa_cli.compare(opened, "any.png"),
        shamisa_cli.score_map,
    ],
)  # fmt: skip
def test_an_open_file_is_refused_rather_than_its_lines_taken_for_paths(
    picture: Path, use: Callable[[Any], Any]
) -> None:
    with picture.open("rb") as raw, picture.open() as text, tempfile.NamedTemporaryFile() as temporary:
        shutil.copyfileobj(io.BytesIO(b"one.png\n"), temporary)
        temporary.seek(0)
        for opened in (raw, text, temporary, io.BytesIO(b"one.png\n"), io.StringIO("one.png\n")):
            with pytest.raises(shamisa_cli.SettingError, match=r"an open file|path or picture"):
                use(opened)


def test_a_path_made_for_another_system_names_the_same_file(picture: Path) -> None:
    foreign = PureWindowsPath(picture)
    assert shamisa_cli.discover([foreign]) == shamisa_cli.discover(foreign) == [picture]
