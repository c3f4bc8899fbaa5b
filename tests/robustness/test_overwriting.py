"""No command writes over what it reads, or over a picture."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_type_hints

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from PIL import Image

import shamisa_cli
from shamisa_cli.cli import app
from shamisa_cli.cli.overwriting import OUTPUTS
from shamisa_cli.core import places
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import may
from shamisa_cli.core.images.drawings import write_drawing
from shamisa_cli.core.models import resolver

READ = {"files_from", "mos", "dmos", "features", "table", "config", "init", "baseline"}
"""Options with a file that is read; `--baseline` is parsed before it is replaced."""

WRITING: Sequence[tuple[str, ...]] = (
    ("score", "photos", "-o"),
    ("score", "photos", "-f", "csv", "-o"),
    ("score", "photos", "--html"),
    ("score", "photos", "--baseline", "base.json", "--update-baseline", "-o"),
    ("cull", "photos", "--stars", "-o"),
    ("cull", "photos", "--keep-best", "50%", "--list", "kept", "-o"),
    ("compare", "photos/0.jpg", "photos/1.jpg", "-o"),
    ("compare", "photos/0.jpg", "--ladder", "jpeg", "-f", "json", "-o"),
    ("rank", "photos", "-o"),
    ("rank", "photos", "-f", "json", "-o"),
    ("embed", "photos", "-o"),
    ("embed", "photos", "-o", "features.npz", "--plot"),
    ("fit-probe", "--mos", "mos.csv", "-o"),
    ("evaluate", "--mos", "mos.csv", "-o"),
    ("evaluate", "photos", "--gmad", "MODEL", "--gmad-figure"),
    ("train", "--data", "photos", "--preview"),
    ("train", "--data", "photos", "-o"),
    ("models", "derive", "MODEL", "-o"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Image.open(save_noise(tmp_path / "photos", [(120, 80)] * 3)[0]).save(tmp_path / "one.png")
    lines = [f"photos/{index}.jpg,{index + 1}" for index in range(3)]
    (tmp_path / "mos.csv").write_text("\n".join(["image,mos", *lines]) + "\n")
    (tmp_path / "list.txt").write_text("photos/0.jpg\nphotos/1.jpg\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", ["photos/1.jpg", "picture.csv", "picture.html", "picture.json", "new.jpg", "pic.png"])
@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_no_output_replaces_a_picture(tiny_model: Path, place: Path, command: tuple[str, ...], name: str) -> None:
    if name.startswith(("picture", "pic.")):
        (place / name).write_bytes((place / "one.png").read_bytes())
    if name == "new.jpg" and command[-1] == "-o" and command[0] in ("fit-probe", "train", "models"):
        pytest.skip("names a folder")
    before = contents(place)
    typed = [str(tiny_model) if word == "MODEL" else word for word in command]
    done = shamisa(*typed, name)
    assert done.returncode == 2, done.stderr
    assert "bug" not in done.stderr
    assert name.partition(".")[0] in done.stderr
    assert contents(place) == before


@pytest.mark.parametrize(
    "command",
    [
        ("score", "--files-from", "list.txt", "-o", "list.txt"),
        ("score", "photos", "--html", "page.html", "-f", "json", "-o", "page.html"),
        ("rank", "--files-from", "list.txt", "-o", "./photos/../list.txt"),
        ("embed", "photos", "--table", "mos.csv", "--color-by", "mos", "--plot", "p.html", "-o", "mos.csv"),
        ("evaluate", "--mos", "mos.csv", "-f", "json", "-o", "mos.csv"),
        ("evaluate", "--cross", "mos.csv", "two.csv", "-f", "json", "-o", "two.csv"),
        ("cull", "photos", "--stars", "--model", "MODEL", "-f", "json", "-o", "MODEL/config.json"),
    ],
    ids=" ".join,
)
def test_no_output_replaces_an_input(tiny_model: Path, place: Path, command: tuple[str, ...]) -> None:
    for name in ("page.html", "two.csv"):
        (place / name).write_text("mine")
    before = contents(place) | contents(tiny_model)
    done = shamisa(*[word.replace("MODEL", str(tiny_model)) for word in command])
    assert done.returncode == 2, done.stderr
    assert "which the command reads" in done.stderr or "the same file" in done.stderr
    assert contents(place) | contents(tiny_model) == before


@pytest.mark.parametrize(
    "command", [*WRITING, ("score", "photos", "--maps"), ("cull", "photos", "--below", "1", "--copy-to")]
)
def test_a_folder_that_may_not_be_written_into_is_said_before_any_work(
    tiny_model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    (place / "closed").mkdir()
    monkeypatch.setattr(places, "may", lambda path, access: path.name != "closed" and may(path, access))
    before = contents(place)
    suffix = {"--html": ".html", "--plot": ".html", "--gmad-figure": ".png", "--preview": ".png"}.get(command[-1], "")
    if command[-1] == "-o":
        suffix = ".npz" if command[0] == "embed" else ".json"
    typed = [str(tiny_model) if word == "MODEL" else word for word in command]
    done = shamisa(*typed, f"closed/new/x{suffix}")
    assert done.returncode == 2, done.stderr
    assert f"You may not write into {place / 'closed'}" in done.stderr
    assert "scored" not in done.stderr
    assert contents(place) == before


@pytest.mark.parametrize("command", ["score photos -f csv -o", "score photos --html", "rank photos -f json -o"])
def test_a_stream_of_the_system_is_never_replaced_by_a_file(place: Path, command: str) -> None:
    stream = place / "page.html"
    with stream.open("w") as opened:  # as the shell does for > page.html
        done = shamisa(*command.split(), f"/dev/fd/{opened.fileno()}")
    assert done.returncode == 2
    assert "no file but a device or stream of the system" in done.stderr
    assert stream.read_bytes() == b""


def test_a_file_of_another_user_in_a_folder_for_everyone_is_told_before_the_work(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = place / "shared"
    shared.mkdir()
    (shared / "results.csv").write_text("theirs")
    shared.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    done = shamisa("score", "photos", "-o", "shared/results.csv")
    assert done.returncode == 2
    assert "shared/results.csv is another user's" in done.stderr


@pytest.mark.parametrize("name", ["photos/1.jpg", "picture.npz", "picture.parquet"])
def test_no_table_made_in_python_replaces_a_picture(tiny_model: Path, place: Path, name: str) -> None:
    if name.startswith("picture"):
        (place / name).write_bytes((place / "one.png").read_bytes())
    before = contents(place)
    with pytest.raises(SettingError, match=f"{name} (is|has the suffix of) a picture"):
        shamisa_cli.score_to_file(shamisa_cli.load_model(tiny_model), [place / "one.png"], Path(name))
    assert contents(place) == before


@pytest.mark.parametrize("name", ["model/README.md", "curves.png", "metrics.jsonl"])
def test_a_run_replaces_nothing_that_is_of_no_run(place: Path, name: str) -> None:
    (place / "settings.toml").write_text("init = 'none'\nsteps = 1\n[batch]\nsets = 1\nversions = 2\ncrop = 64\n")
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("mine")
    before = contents(place)
    run = ("train", "--task", "relational", "--data", "photos", "--config", "settings.toml", "--device", "cpu")
    done = shamisa(*run, "--workers", "0", "-o", ".")
    assert done.returncode == 2
    assert f"{Path(name).parts[0]} is there and of no run" in done.stderr
    assert contents(place) == before


@pytest.mark.parametrize("name", ["shamisa.toml", "pyproject.toml", "shamisa-journal.jsonl", "bundled"])
@pytest.mark.parametrize("command", ["score photos", "score photos --html", "rank photos", "embed photos --plot"])
def test_what_is_read_without_being_named_is_not_replaced(
    place: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    (place / "shamisa.toml").write_text("sort = 'path'\n")
    (place / "pyproject.toml").write_text("[tool.other]\n")
    (place / "shamisa-journal.jsonl").write_text("{}\n")
    (place / "weights").mkdir()
    (place / "weights" / "config.json").write_text("{}")
    monkeypatch.setattr(resolver, "bundled_folders", lambda: {"shamisa-lite2": place / "weights"})
    before = contents(place)
    target = "weights/config.json" if name == "bundled" else name
    option = [] if "--" in command else ["-f", "json", "-o"]
    done = shamisa(*command.split(), *option, target, *(["-o", "x.npz"] if "embed" in command else []))
    assert done.returncode == 2
    assert f"names {target}, which this program reads" in done.stderr
    assert contents(place) == before


@pytest.mark.parametrize("name", ["moved/shamisa-journal.jsonl", "photos/0.jpg.xmp", "photos/0.XMP"])
@pytest.mark.parametrize(
    "command", ["score photos", "cull photos --below 40", "cull photos --below 40 --move-to moved"]
)
def test_results_take_the_place_of_no_journal_and_of_no_sidecar_to_come(place: Path, command: str, name: str) -> None:
    before = contents(place)
    assert shamisa(*command.split(), "-f", "json", "-o", name).returncode == 2
    if command == "score photos":
        assert shamisa(*command.split(), "--baseline", name, "--update-baseline").returncode == 2
    assert contents(place) == before


@pytest.mark.parametrize("command", ["score photos", "cull photos --stars", "rank photos", "evaluate --mos mos.csv"])
def test_an_unknown_suffix_is_refused(place: Path, command: str) -> None:
    done = shamisa(*command.split(), "-o", "results.cvs")
    assert done.returncode == 2
    assert "No format is known by the suffix of results.cvs" in done.stderr
    assert not (place / "results.cvs").exists()


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("command", ["score photos -f json", "compare photos/0.jpg photos/1.jpg -f json"])
def test_a_folder_for_maps_that_cannot_be_made_ends_the_run_before_the_work(command: str) -> None:
    done = shamisa(*command.split(), "--maps", "one.png/maps")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "one.png/maps" in done.stderr


def test_maps_replace_earlier_maps_and_no_photograph(tiny_model: Path, place: Path) -> None:
    photograph = (place / "one.png").read_bytes()
    (place / "maps").mkdir()
    (place / "maps" / "0.jpg.png").write_bytes(photograph)
    run = ("score", "photos", "--model", tiny_model, "--maps", "maps", "-f", "json")
    for _ in range(2):
        done = shamisa(*run)
        assert done.returncode == 3, done.stderr
        assert "not replaced" in done.stdout
        assert (place / "maps" / "0.jpg.png").read_bytes() == photograph


def test_a_drawing_is_replaced_by_a_drawing(tmp_path: Path) -> None:
    target = tmp_path / "figure.png"
    for size in (20, 30):
        write_drawing(Image.new("RGB", (size, size)), target)
        assert Image.open(target).size == (size, size)


def test_every_option_with_a_file_is_known_to_be_read_or_written() -> None:
    grouped = [command for name in app.GROUPS for command in app.group(name).commands.values()]
    commands = [*map(app.command, app.COMMANDS), *grouped]
    for command in commands:
        hints = get_type_hints(command, include_extras=True)
        for name in inspect.signature(command).parameters:
            option = getattr(hints.get(name), "__metadata__", (None,))[0]
            if "FILE" in str(getattr(option, "metavar", "")):
                assert name in READ | OUTPUTS.keys(), f"{command.__name__}: {name}"


@pytest.mark.parametrize(
    "command",
    [
        ("score", "photos", "-o", "new.json", "--baseline", "./new.json", "--update-baseline"),
        ("score", "photos", "--html", "new.html", "--baseline", "new.html", "--update-baseline"),
        ("score", "photos", "-f", "json", "-o", "new.html", "--html", "new.html"),
        ("embed", "photos", "-o", "new.npz", "--plot", "new.npz"),
        ("evaluate", "photos", "--gmad", "MODEL", "-f", "json", "-o", "new.png", "--gmad-figure", "new.png"),
    ],
    ids=" ".join,
)
def test_no_output_replaces_another_of_the_same_run(tiny_model: Path, place: Path, command: tuple[str, ...]) -> None:
    before = contents(place)
    typed = [str(tiny_model) if word == "MODEL" else word for word in command]
    result = shamisa(*typed, "--model", tiny_model)
    assert result.returncode == 2, result.stderr
    assert contents(place) == before


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out", "page.htm.txt"])
def test_a_page_is_not_written_under_the_name_of_something_else(tmp_path: Path, name: str) -> None:
    done = shamisa("score", tmp_path, "--html", tmp_path / name)
    assert done.returncode == 2
    assert ".html" in done.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["mos.csv", "photos/1.jpg", "link"])
@pytest.mark.parametrize(
    "command",
    [
        ("score", "photos", "--maps"),
        ("compare", "photos/0.jpg", "photos/1.jpg", "--maps"),
        ("cull", "photos", "--keep-best", "2", "--move-to"),
        ("cull", "photos", "--keep-best", "2", "--apply", "--copy-to"),
    ],
    ids=" ".join,
)
def test_a_file_where_a_folder_is_to_be_is_refused_before_any_picture_is_read(
    place: Path, command: tuple[str, ...], name: str
) -> None:
    (place / "link").symlink_to("nowhere")
    before = contents(place)
    done = shamisa(*command, name, "--model", "not read")
    assert done.returncode == 2
    assert f"{name} is no folder; {command[-1]} must name a folder" in done.stderr
    assert contents(place) == before
