"""The lowest versions of packages that pyproject.toml allows do what the versions here do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.packages import OF_A_NEW_ENVIRONMENT, REPOSITORY, make_environment
from helpers.program import run_here
from PIL import Image

from shamisa_cli.cli.app import SUMMARIES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lowest versions are of the lowest Python"),
]

CLOSE = 0.05
"""Points of a score by which decoders and runtimes of other versions may differ."""
SUFFIXES = (".jpg", ".png", ".webp", ".tif", ".gif", ".bmp", ".avif")


def lowest_versions() -> list[str]:
    """The base requirements, each at the lowest series that is allowed."""
    requirements = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    return [re.sub(r">=([\d.]+).*", r"==\1.*", each) for each in requirements]


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`shamisa` in an environment with the lowest versions."""
    folder = tmp_path_factory.mktemp("lowest") / "venv"
    make_environment(folder, wheel, *lowest_versions())
    yield folder / "bin" / "shamisa"
    shutil.rmtree(folder)  # 400 MB


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A picture in each format, and one that a person has rated inside."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    waves = np.add.outer(np.sin(np.arange(120) / 9), np.cos(np.arange(160) / 7))
    pixels = np.uint8(127 + 60 * np.stack([waves, waves / 2, -waves], -1))
    for suffix in SUFFIXES:
        Image.fromarray(pixels).save(folder / f"a{suffix}")
    Image.fromarray(np.uint16(pixels[..., 0]) * 257).save(folder / "deep.tif")
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    packet += b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>'
    Image.fromarray(pixels[::-1]).save(folder / "rated.jpg", xmp=packet)
    return folder


def said(program: Path, place: Path, *words: str) -> str:
    done = subprocess.run([program, *words], cwd=place, capture_output=True, text=True, env=OF_A_NEW_ENVIRONMENT)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def numbers(document: Any) -> list[float]:
    """All numbers in a JSON document, in its order."""
    if isinstance(document, dict | list):
        values = document.values() if isinstance(document, dict) else document
        return [number for value in values for number in numbers(value)]
    return [float(document)] if isinstance(document, int | float) else []


def test_every_command_begins(program: Path, tmp_path: Path) -> None:
    for command in SUMMARIES:
        assert "Usage: shamisa" in said(program, tmp_path, command, "--help")


@pytest.mark.parametrize(
    "words",
    [
        ("score", "pictures", "-f", "json", "--no-cache"),
        ("compare", "pictures/a.png", "pictures/rated.jpg", "pictures/a.webp", "-f", "json"),
        ("cull", "pictures", "--below", "100", "-f", "json", "--no-cache"),
    ],
    ids=lambda words: words[0],
)
def test_results_are_those_of_the_versions_here(program: Path, pictures: Path, words: tuple[str, ...]) -> None:
    document = json.loads(said(program, pictures.parent, *words))
    here = json.loads(run_here(*words, cwd=pictures.parent, env=OF_A_NEW_ENVIRONMENT).stdout)
    np.testing.assert_allclose(numbers(document), numbers(here), atol=CLOSE)
    if words[0] == "score":
        assert {image["status"] for image in document["images"]} == {"ok"}


def test_what_a_person_rated_inside_a_picture_stays(program: Path, pictures: Path) -> None:
    said(program, pictures.parent, "cull", "pictures", "--below", "100", "--stars", "--apply", "--no-cache")
    assert not (pictures / "rated.xmp").exists()
    assert not (pictures / "rated.jpg.xmp").exists()
    assert len(list(pictures.glob("*.xmp"))) > 1


def test_a_table_fits_a_probe(program: Path, photos: Path, tmp_path: Path) -> None:
    copy = shutil.copy(next(photos.glob("*.jpg")), tmp_path / "copy.jpg")  # rows of one picture stay together
    names = [copy, *sorted(photos.glob("*.jpg"))]
    rows = (f"{name},{1 + place % 7}\n" for place, name in enumerate(names))
    (tmp_path / "mos.csv").write_text("image,mos\n" + "".join(rows))
    said(program, tmp_path, "fit-probe", "--mos", "mos.csv", "--splits", "2", "-o", "probe")
    assert "score" in said(program, tmp_path, "score", str(names[0]), "--probe", "probe", "-f", "csv")
