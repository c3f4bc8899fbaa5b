"""A disk that is full, or a file that may not grow, is said by its name, and nothing half-written stays."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from safetensors import SafetensorError

from shamisa_cli.core import atomic
from shamisa_cli.core.atomic import TEMPORARY, is_free, replacing

WRITING: Sequence[tuple[str, ...]] = (
    ("score", "photos", "-o", "out.csv"),
    ("score", "photos", "-o", "out.parquet"),
    ("score", "photos", "-f", "csv", "--html", "out.html"),
    ("score", "photos", "--baseline", "out.json", "--update-baseline"),
    ("score", "photos", "--shard", "1/1", "-o", "out"),
    ("cull", "photos", "--keep-best", "50%", "-f", "json", "-o", "out.json"),
    ("compare", "photos/0.jpg", "photos/1.jpg", "-f", "json", "-o", "out.json"),
    ("rank", "photos", "-f", "json", "-o", "out.json"),
    ("embed", "photos", "-o", "out.npz"),
    ("embed", "photos", "-o", "out.parquet"),
    ("embed", "photos", "-o", "out.safetensors"),
    ("embed", "photos", "-o", "x.npz", "--plot", "out.html"),
    ("fit-probe", "--mos", "mos.csv", "-o", "out"),
    ("evaluate", "--mos", "mos.csv", "-f", "json", "-o", "out.json"),
    ("models", "derive", "MODEL", "-o", "out", "--view-size", "32"),
    ("train", "--data", "photos", "--preview", "out.png"),
)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    written = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # Python would leave cut bytecode of what is imported here
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_noise(tmp_path / "photos", [(120, 80)] * 12, blur=0.2)
    lines = [f"photos/{index}.jpg,{index + 1}" for index in range(12)]
    (tmp_path / "mos.csv").write_text("\n".join(["image,mos", *lines]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_every_writer_names_the_file_that_it_cannot_write(
    tiny_model: Path, place: Path, command: tuple[str, ...]
) -> None:
    typed = [str(tiny_model) if word == "MODEL" else word for word in command]
    if command[0] in ("score", "cull", "embed", "fit-probe", "evaluate"):
        typed += ["--model", str(tiny_model)]
    if "x.npz" in command:
        assert shamisa("embed", "photos", "-o", "x.npz", "--model", tiny_model).returncode == 0
    before = set(place.rglob("*"))
    with largest_file(50):
        done = shamisa(*typed)
    assert done.returncode == 2, done.stderr
    assert "bug" not in done.stderr
    assert re.search(r"error: \S+: File too large", done.stderr)
    assert set(place.rglob("*")) == before


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device"),
        OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_an_error_about_the_target(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(OSError, match="No space left on device") as raised, replacing(tmp_path / "x.csv"):
        raise error
    assert raised.value.filename == str(tmp_path / "x.csv")
    assert raised.value.strerror == "No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    left = tmp_path / f"{TEMPORARY}0123456789ab.csv"
    mine = tmp_path / f"{TEMPORARY}notes.csv"
    for path in (left, mine):
        path.write_text("old")
    with replacing(tmp_path / "a.csv") as first:
        first.write_text("1")
        atomic._remove_left_over.cache_clear()  # as another process would begin
        with replacing(tmp_path / "b.csv") as second:
            second.write_text("2")
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, "a.csv", "b.csv"}


def test_a_folder_is_free_but_for_what_killed_runs_left(tmp_path: Path) -> None:
    assert is_free(tmp_path)
    (tmp_path / f"{TEMPORARY}0123456789ab.json").touch()
    assert is_free(tmp_path)
    (tmp_path / "README.md").touch()
    assert not is_free(tmp_path)


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 250 + ".csv", "y." + "z" * 253):
        with replacing(tmp_path / name) as temporary:
            temporary.write_text("1")
        assert (tmp_path / name).read_text() == "1"
