"""`--allow-empty`: a job in CI in which no picture changed succeeds, and a wrong name still does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here

from shamisa_cli.core.scoring.feature_table import load_features

COMPARED = ["text", "json", "jsonl", "csv", "junit", "github", "sarif", "html"]
COMMANDS = {
    "score": ("score",),
    "embed": ("embed", "-o", "table.npz"),
    "cull": ("cull", "--below", "40", "--apply"),
}
ODD_NAMES = ["missing", "missing.jpg", "nothing*.jpg"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a picture, an empty folder, one that holds files of kinds not read, and an empty list."""
    save_noise(tmp_path / "photos", [(64, 64)], blur=1)
    for name in ("empty", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    (tmp_path / "list").touch()
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
@pytest.mark.parametrize("inputs", [("empty",), ("--files-from", "list"), ("other",), ("photos", "--exclude", "*.jpg")])
def test_nothing_to_do_is_a_success_only_if_it_is_allowed(
    tiny_model: Path, place: Path, command: tuple[str, ...], inputs: tuple[str, ...]
) -> None:
    run = (*command, *inputs, "--model", str(tiny_model))
    assert run_here(*run, cwd=place).returncode == 2
    done = run_here(*run, "--allow-empty", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "0 pictures" in done.stderr


@pytest.mark.parametrize("command", [("embed", "-o", "table.npz"), ("score", "-o", "table.parquet")])
def test_a_nightly_job_without_new_pictures_keeps_the_table_of_the_night_before(
    tiny_model: Path, place: Path, command: tuple[str, ...]
) -> None:
    run = (*command, "photos", "--model", str(tiny_model))
    assert run_here(*run, cwd=place).returncode == 0
    before = (place / command[-1]).read_bytes()
    done = run_here(*run, "--since", "2099-01-01", "--allow-empty", cwd=place)
    assert done.returncode == 0, done.stderr
    assert (place / command[-1]).read_bytes() == before
    save_noise(place / "next", [(64, 64)], blur=1)
    done = run_here(*command, "next", "--model", str(tiny_model), cwd=place)
    assert "held 1 more pictures" in done.stderr


@pytest.mark.parametrize("command", [*COMMANDS.values(), ("rank",), ("compare", "photos/0.jpg")])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_stands_for_nothing_is_never_allowed(place: Path, command: tuple[str, ...], name: str) -> None:
    done = run_here(*command, name, "--allow-empty", cwd=place)
    assert done.returncode == 2
    assert name in done.stderr


@pytest.mark.parametrize("command", [*COMMANDS.values(), ("rank",), ("compare", "photos/0.jpg")])
def test_naming_nothing_at_all_is_never_allowed(place: Path, command: tuple[str, ...]) -> None:
    assert run_here(*command, "--allow-empty", cwd=place).returncode == 2


@pytest.mark.parametrize("suffix", ["npz", "parquet", "safetensors"])
def test_a_table_of_nothing_is_one(tiny_model: Path, place: Path, suffix: str) -> None:
    table = place / f"table.{suffix}"
    run = ("embed", "--model", tiny_model, "-o", table, "--plot", "map.html")
    assert run_here(*run, "empty", "--allow-empty", cwd=place).returncode == 0
    assert load_features(table).stamps == ()
    assert run_here(*run[:-2], "photos", cwd=place).returncode == 0
    assert len(load_features(table).stamps) == 1


def test_an_empty_folder_beside_others_is_no_error_where_it_is_allowed(tiny_model: Path, place: Path) -> None:
    run = ("score", "photos", "empty", "--model", tiny_model)
    assert run_here(*run, cwd=place).returncode == 3
    done = run_here(*run, "--allow-empty", cwd=place)
    assert (done.returncode, "1 picture scored" in done.stderr) == (0, True)


@pytest.mark.parametrize("form", COMPARED)
def test_folders_of_changed_pictures_may_be_empty(relational_folder: Path, place: Path, form: str) -> None:
    model = ("--model", relational_folder, "-f", form)
    for folders in (("empty", "empty"), ("empty", "photos"), ("photos", "empty")):
        assert run_here("compare", *folders, *model, cwd=place).returncode == 2
        done = run_here("compare", *folders, *model, "--allow-empty", "--max-difference", "3", cwd=place)
        assert done.returncode == 0, done.stderr
        assert "0 pictures compared" in done.stderr
    assert run_here("compare", "photos", "missing", *model, "--allow-empty", cwd=place).returncode == 2
    assert run_here("compare", "missing", "photos", *model, "--allow-empty", cwd=place).returncode == 2


def test_pictures_that_are_only_new_or_gone_are_said_and_fail_if_pairs_are_required(
    relational_folder: Path, place: Path
) -> None:
    run = ("compare", "empty", "photos", "--model", relational_folder, "--allow-empty")
    assert "1 picture added: photos/0.jpg" in run_here(*run, cwd=place).stderr
    assert run_here(*run, "--strict-pairs", cwd=place).returncode == 1


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "csv"])
def test_an_empty_list_of_versions_is_compared_and_ranked(relational_folder: Path, place: Path, form: str) -> None:
    for command in (("compare", "photos/0.jpg"), ("rank",)):
        run = (*command, "-", "--model", str(relational_folder), "-f", form)
        assert run_here(*run, cwd=place).returncode == 2
        done = run_here(*run, "--allow-empty", cwd=place)
        assert done.returncode == 0, done.stderr
    assert run_here("rank", "photos", "--allow-empty", cwd=place).returncode == 2  # one picture has no order
