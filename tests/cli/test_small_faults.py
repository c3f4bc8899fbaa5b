"""Faults that users stumbled over, each in the words in which it was seen."""

from __future__ import annotations

from pathlib import Path

from helpers.program import Program


def test_an_error_names_a_device_as_it_is_typed(shamisa: Program, tiny_model: Path, photos: Path) -> None:
    ran = shamisa("score", photos, "--model", tiny_model, "--device", "mps", "--no-cache")
    assert ran.returncode == 2
    assert "'mps'" in ran.stderr
    assert "Device" not in ran.stderr


def test_the_help_of_config_names_its_table(shamisa: Program) -> None:
    assert "tool.shamisa" in shamisa("config", "--help").stdout


def test_the_help_of_compare_and_rank_says_what_to_do_with_unrelated_pictures(shamisa: Program) -> None:
    for command in ("compare", "rank"):
        said = " ".join(shamisa(command, "--help").stdout.split())
        assert "unrelated pictures by quality, use shamisa score" in said


def test_one_picture_alone_is_answered_in_words_that_help(shamisa: Program, photos: Path) -> None:
    ran = shamisa("compare", photos / "0.jpg")
    assert ran.returncode == 2
    assert "Name at least one version of" in ran.stderr
    assert "candidate" not in ran.stderr
