"""Pictures, in folders and tars, and the small model as it is loaded from its folder."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.models.loading import Model, load_model


@pytest.fixture(scope="session")
def model(tiny_model: Path) -> Model:
    """The small model, through its graph."""
    return load_model(str(tiny_model), device="cpu")


@pytest.fixture(scope="session")
def jpegs() -> dict[str, bytes]:
    """Twelve pictures by name."""
    return {f"{number:02}.jpg": _jpeg(number) for number in range(12)}


@pytest.fixture
def photos(tmp_path: Path, jpegs: dict[str, bytes]) -> Path:
    """A folder with the twelve pictures, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in jpegs.items():
        (folder / name).write_bytes(data)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def tar(jpegs: dict[str, bytes]) -> bytes:
    """A tar as webdataset makes them: a picture and what is known about it, one after the other."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in jpegs.items():
            for member, content in ((name, data), (name.replace(".jpg", ".json"), b"{}")):
                information = tarfile.TarInfo(member)
                information.size = len(content)
                archive.addfile(information, BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def bucket(jpegs: dict[str, bytes], tar: bytes) -> Iterator[str]:
    """An object store with pictures, tars and other things."""
    files = fsspec.filesystem("memory")
    for name, data in jpegs.items():
        files.pipe_file(f"/bucket/photos/{name}", data)
    files.pipe_file("/bucket/tars/000.tar", tar)
    files.pipe_file("/bucket/photos/.hidden.jpg", b"")
    files.pipe_file("/bucket/photos/notes.txt", b"")
    yield "memory:///bucket"
    files.rm("/bucket", recursive=True)


def _jpeg(number: int) -> bytes:
    noise = np.random.default_rng(number).integers(0, 256, (40 + number, 60, 3), dtype=np.uint8)
    stream = BytesIO()
    Image.fromarray(noise).save(stream, "JPEG", quality=95)
    return stream.getvalue()
