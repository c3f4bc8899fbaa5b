from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from helpers.program import Program
from typer.main import get_command

import shamisa_cli
from shamisa_cli.cli.app import COMMANDS, GROUPS, build_app
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

HEAVY = ("torch", "torchvision", "numpy", "PIL", "matplotlib", "pyarrow", "scipy", "sklearn", "huggingface_hub")


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    program = (
        "import sys; from shamisa_cli.cli.app import main\n"
        "sys.argv = ['shamisa', '--help']\n"
        "try: main()\n"
        f"finally: print('HEAVY', sorted(set(sys.modules) & set({HEAVY})))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for command in ("score", "embed", "fit-probe", "evaluate", "train"):
        assert command in shown.stdout
    assert "HEAVY []" in shown.stdout


def test_the_version_is_the_packages(process: Program) -> None:
    shown = process("--version")
    assert (shown.returncode, shown.stdout) == (0, f"shamisa {shamisa_cli.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["score", "--no-such-option"], "no-such-option"),
        (["no-such-command"], "no-such-command"),
        (["score"], "No picture was named"),
        (["score", "nowhere.jpg"], "nowhere.jpg"),
        (["score", "--view-size", "large", "x.jpg"], "--view-size is 'large'"),
        (["score", "--min-score", "101", "x.jpg"], "--min-score"),
        (["score", "--output", "/", "x.jpg"], "is not a regular file"),
        (["embed", "-o", "x.npz", "--shard", "5/4", __file__], "I from 1 to N"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback_and_exits_2(
    shamisa: Program, arguments: list[str], expected: str
) -> None:
    shown = shamisa(*arguments)
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert expected in shown.stderr
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["models", "list", "--json"],
        ["score", "cat.jpg", "gone.jpg"],
        ["score", "cat.jpg", "broken.jpg", "-f", "csv", "--min-score", "100"],
        ["fit-probe"],
        [],
    ],
)
def test_the_other_tests_see_what_a_process_shows(
    shamisa: Program, process: Program, example_photos: Path, tmp_path: Path, arguments: list[str]
) -> None:
    """Most tests run the program in their own process, where it is quick; it must not be another one there."""
    shutil.copy(example_photos / "cat.jpg", tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    here, there = shamisa(*arguments, cwd=tmp_path), process(*arguments, cwd=tmp_path)
    seconds = re.compile(r"in [0-9.]+ s\.")
    errors = [seconds.sub("", ran.stderr) for ran in (here, there)]
    assert (here.returncode, here.stdout, errors[0]) == (there.returncode, there.stdout, errors[1])


def test_a_run_in_a_test_leaves_nothing_behind(shamisa: Program, tmp_path: Path) -> None:
    before = (dict(os.environ), Path.cwd(), sys.argv, sys.stdin, sys.stdout, sys.stderr, list(warnings.filters))
    shamisa("config", cwd=tmp_path, env={"SHAMISA_JOBS": "2", "SHAMISA_OF": "1"})
    assert before == (dict(os.environ), Path.cwd(), sys.argv, sys.stdin, sys.stdout, sys.stderr, list(warnings.filters))


def imported_by(*arguments: str) -> set[str]:
    """The modules that a run of the program imports."""
    command = [sys.executable, "-X", "importtime", "-m", "shamisa_cli", *arguments]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    return {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}


@pytest.mark.parametrize("arguments", [["models", "list"], ["models", "show", DEFAULT_MODEL], ["config"]])
def test_what_reads_models_and_settings_does_not_wait_for_torch(arguments: list[str]) -> None:
    imported = imported_by(*arguments)
    assert "shamisa_cli.cli.app" in imported
    assert "torch" not in imported


def test_the_first_score_waits_for_no_library_that_it_does_not_use(example_photos: Path) -> None:
    imported = imported_by("score", str(example_photos / "cat.jpg"), "--no-cache")
    assert {"numpy", "onnxruntime", "PIL.Image"} <= imported
    unused = {"scipy", "sklearn", "joblib", "huggingface_hub", "matplotlib", "pandas", "pyarrow", "torch"}
    assert imported & unused == set()


def test_a_command_does_not_wait_for_the_others() -> None:
    assert {"shamisa_cli.cli.commands.cache", "shamisa_cli.cli.commands.train"} & imported_by("doctor") == set()
    assert not any(module.startswith("shamisa_cli.cli.commands.") for module in imported_by("--help"))


def test_the_list_of_commands_has_the_first_sentence_of_the_help_of_each() -> None:
    whole: Any = get_command(build_app())
    listed: Any = get_command(build_app(()))
    summaries = {name: command.get_short_help_str(200) for name, command in whole.commands.items()}
    assert summaries == {name: command.get_short_help_str(200) for name, command in listed.commands.items()}
    assert summaries == COMMANDS | GROUPS


@pytest.mark.parametrize("command", ["score", "embed", "evaluate"])
def test_scoring_on_a_cpu_imports_onnxruntime_and_never_torch(command: str, photos: Path, tmp_path: Path) -> None:
    for number in range(4, 12):
        shutil.copy(photos / f"{number % 4}.jpg", photos / f"{number}.jpg")
    rows = [f"photos/{number}.jpg,{number}" for number in range(12)]
    (tmp_path / "mos.csv").write_text("\n".join(["image,mos", *rows]))
    arguments = {
        "score": [str(photos), "--html", str(tmp_path / "page.html")],
        "embed": [str(photos), "-o", str(tmp_path / "features.npz")],
        "evaluate": ["--mos", str(tmp_path / "mos.csv"), "--no-logistic"],
    }
    imported = imported_by(command, *arguments[command], "--device", "cpu")
    assert "onnxruntime" in imported
    assert not {"torch", "torchvision"} & imported
