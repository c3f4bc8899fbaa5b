"""Mistakes that people make in their first hour: each gets a sentence that says what to do instead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.program import Program

from shamisa_cli.core.models.resolver import FAST_MODEL

FAST = ("--model", FAST_MODEL)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("score", "{photo}", "-o", "-"), "standard output where --output is left out"),
        (("{folder}",), "is not a command. To score it: shamisa score"),
        (("score", "{photo}", "--max-memory", "2G"), "is not a valid whole number"),
        (("score", "{photo}", "--min-score", "high"), "is not a valid number"),
        (("score", "{photo}", "-o", ".json"), "a suffix without a name"),
        (("score", "{photo}", "--html", "out/.html"), "Name one such as --html out/results.html"),
        (
            ("compare", "{photo}", "--ladder", "jpeg", "--target", "-10", "-o", ".csv"),
            "Name one such as --output results.csv",
        ),
        (("compare", "{photo}", "{photo}", "--target", "-5"), "--target goes with --ladder"),
        (("score", "{photo}", "-o", "page.html"), "Name it with --html page.html"),
        (("score", "{photo}", "--baseline", "{photo}", "--max-drop", "5"), "is not text, so it is not a baseline"),
        (("score", "{photo}", "--baseline", "{folder}", "--max-drop", "5"), "is a folder, and a baseline is a file"),
        (("score", "--files-from", "{photo}"), "Name its file in place of the list"),
        (("cull", "{photo}", "--below", "40", "--stars", "--move-to", "moved"), "Rate first, then move"),
        (("cull", "{photo}", "--below", "40", "--stars", "--list", "kept"), "Rate first, then move"),
    ],
)
def test_a_mistake_gets_a_sentence(
    shamisa: Program, example_photos: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    places = {"photo": example_photos / "cat.jpg", "folder": tmp_path}
    ran = shamisa(*(argument.format(**places) for argument in arguments), *FAST, cwd=tmp_path)
    assert ran.returncode == 2
    assert said in " ".join(ran.stderr.replace("│", "").split())
    assert "delete it" not in ran.stderr
    assert not list(tmp_path.iterdir())


def test_the_mean_is_of_the_pictures_that_were_scored(shamisa: Program, example_photos: Path, tmp_path: Path) -> None:
    ran = shamisa("score", example_photos / "cat.jpg", "nowhere.jpg", *FAST, cwd=tmp_path)
    assert "2 pictures, 1 scored" in ran.stdout


def test_pictures_of_different_sizes_are_not_called_ranked(shamisa: Program, example_photos: Path) -> None:
    ran = shamisa("rank", example_photos / "cat.jpg", example_photos / "coffee.jpg")
    assert "no pair could be compared" in ran.stdout
    assert "consistent" not in ran.stdout


def test_interrupting_the_start_is_no_traceback() -> None:
    code = """
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "shamisa_cli.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from shamisa_cli.__main__ import main
main()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
