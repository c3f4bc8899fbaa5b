"""NaN passes every comparison, so no option takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.program import run_here
from typer.main import get_command

from shamisa_cli.cli.app import build_app


def float_options() -> list[tuple[str, str]]:
    """Command and option of each number that need not be whole."""
    commands = get_command(build_app()).commands  # type: ignore[attr-defined]
    return [
        (name, option.opts[0])
        for name, command in commands.items()
        for option in command.params
        if option.param_type_name == "option" and option.type.name in ("float", "number")
    ]


@pytest.mark.parametrize(("command", "option"), float_options())
def test_no_option_takes_nan(command: str, option: str, tmp_path: Path) -> None:
    needed = {"compare": ["."], "fit-probe": ["--mos", "m.csv", "-o", "p"], "evaluate": ["--mos", "m.csv"]}
    done = run_here(command, option, "nan", *needed.get(command, []), cwd=tmp_path)
    assert done.returncode == 2
    assert "bug" not in done.stderr
    assert option.strip("-") in " ".join(done.stderr.split())


def test_there_are_such_options() -> None:
    assert len(float_options()) > 10


SEEDED = [
    name
    for name, command in get_command(build_app()).commands.items()  # type: ignore[attr-defined]
    if any(option.name == "seed" for option in command.params)
]


@pytest.mark.parametrize("command", SEEDED)
def test_no_seed_is_larger_than_random_generators_take(command: str, tmp_path: Path) -> None:
    needed = {
        "embed": [".", "-o", "x.npz", "--plot", "x.html"],
        "fit-probe": ["--mos", "m.csv", "-o", "p"],
        "fit-defects": ["--model", "m", "--data", "."],
        "fit-direction": ["--model", "m", "--data", "."],
        "evaluate": ["--mos", "m.csv"],
        "train": ["--data", ".", "-o", "run"],
    }
    done = run_here(command, "--seed", str(2**32), *needed[command], cwd=tmp_path)
    assert done.returncode == 2
    assert f"The seed is {2**32}" in done.stderr


@pytest.mark.parametrize("task", ["shamisa", "relational"])
def test_nor_is_one_in_a_file_of_settings(task: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f"seed = {10**24}\n")
    done = run_here("train", "--task", task, "--data", ".", "-o", "run", "--config", "settings.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "bug" not in done.stderr
    assert "seed" in done.stderr
