"""An option that would say nothing is refused, in every command: none is ignored unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.program import run_here as shamisa
from typer.main import get_command

from shamisa_cli.cli.app import build_app
from shamisa_cli.cli.option_rules import MODES, RULES

PROGRAM: Any = get_command(build_app())
NAMED = {"ladder": "jpeg", "ray": "local", "undo": "rejects", "run": "run"}


def command_of(name: str) -> Any:
    first, *rest = name.split()
    found = PROGRAM.commands[first]
    return found.commands[rest[0]] if rest else found


def typed(command: str, option: str) -> list[str]:
    """How a person types an option of a command, with a value that it takes."""
    name, _, value = option.partition("=")
    found = next(each for each in command_of(command).params if each.name == name)
    spelling = max(found.opts, key=len)
    if found.is_flag:
        return [(found.secondary_opts or [spelling])[0] if found.default else spelling]
    if value or name in NAMED:
        return [spelling, value or NAMED[name]]
    accepted = [*getattr(found.type, "choices", ()), getattr(found.type, "min", None) or 1][0]
    return [spelling, str(getattr(accepted, "value", accepted))]


def broken_rules() -> Iterator[tuple[str, list[str], str]]:
    """For each option that a rule is about: a command, options that break the rule, and what is said."""
    for command, rules in RULES.items():
        for rule in rules:
            for option in rule.options:
                if rule.needs:
                    yield command, typed(command, option), f"{typed(command, option)[0]} "
                for other in rule.without:
                    both = [*typed(command, option), *typed(command, other)]
                    yield command, both, f"does not go with {typed(command, other)[0]}"


def ignored_in_modes() -> Iterator[tuple[str, list[str], str]]:
    """For each option that does not apply in a mode of a command: the command, both options, and what is said."""
    for command, modes in MODES.items():
        for mode in modes:
            for each in command_of(command).params:
                if each.param_type_name == "option" and each.name not in (mode.option, *mode.takes, "help"):
                    option = typed(command, each.name)
                    both = [*typed(command, mode.option), *option]
                    yield command, both, f"{option[0]} does not go with {typed(command, mode.option)[0]}"


def always_needed(command: str, given: list[str], folder: Path) -> list[str]:
    """Options and arguments without which a command says something else first."""
    needed = {
        "compare": [str(folder / "a.png")],
        "embed": ["-o", str(folder / "x.npz")],
        "fit-probe": ["--mos", str(folder / "mos.csv"), "-o", str(folder / "probe")],
        "train": ["--preview", str(folder / "sheet.png")],
        "models derive": ["shamisa-lite0", "-o", str(folder / "derived")],
    }.get(command, [])
    return [] if needed and needed[0] in given else needed


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [*broken_rules(), *ignored_in_modes()],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "" if " " in value else value,
)
def test_an_option_that_would_say_nothing_is_refused(
    command: str, options: list[str], said: str, tmp_path: Path
) -> None:
    done = shamisa(*command.split(), *always_needed(command, options, tmp_path), *options, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", " ")
    assert "go" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("score photos --no-cache --cache-dir x", "--cache-dir does not go with --no-cache."),
        ("score photos --max-fault focus=1 --max-fault focus=2", "--max-fault names focus twice."),
        ("embed photos -o x.npz --plot x.html --table t.csv", "--table goes with --color-by or --center-by."),
        ("score photos --similarity .9", "--similarity goes with --groups."),
        ("cull photos --below 40 --move-to out --overwrite", "--overwrite does not go with --move-to."),
        ("cull photos --below 40 --list kept --apply", "--apply does not go with --list."),
        ("cull --undo out --stars", "--stars does not go with --undo, which takes back what was moved or copied."),
        ("compare a.png --ladder jpeg --no-recursive", "--no-recursive does not go with --ladder"),
        ("evaluate --mos x.csv --gmad-levels 3", "--gmad-levels goes with --gmad."),
        ("evaluate photos --gmad tiny --logistic", "--logistic goes with --mos or --cross."),
        ("evaluate --run r --mos x.csv --model y", "--model does not go with --run"),
        ("fit-probe --mos x.csv -o y --pseudo-drop .4", "--pseudo-drop goes with --pseudo."),
        ("fit-probe --mos x.csv -o y --protocol paper --features f.npz", "does not go with --protocol paper."),
        ("train --data photos --steps 3", "--steps goes with --output. Name the run's folder, as -o RUN."),
        ("embed photos -o x.npz --seed 4", "--seed goes with --plot."),
        ("models derive x -o y --protocol paper --scales 1", "--scales does not go with --protocol paper."),
    ],
)
def test_the_sentence_says_which_option_is_missing_or_too_much(command: str, said: str, tmp_path: Path) -> None:
    done = shamisa(*command.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", " ")


def test_a_setting_that_does_not_apply_is_ignored(tmp_path: Path, example_photos: Path) -> None:
    (tmp_path / "shamisa.toml").write_text("[groups]\nsimilarity = 0.9\n")
    photo = min(example_photos.glob("*.jpg"))
    assert shamisa("score", photo, cwd=tmp_path).returncode == 0


def test_partners_can_be_required_of_folders_alone(tmp_path: Path, example_photos: Path) -> None:
    photo = min(example_photos.glob("*.jpg"))
    done = shamisa("compare", photo, photo, "--strict-pairs", cwd=tmp_path)
    assert done.returncode == 2
    assert "--strict-pairs goes with folders" in done.stderr


def test_rules_name_options_that_exist() -> None:
    for command, rules in RULES.items():
        known = {each.name for each in command_of(command).params}
        named = {name for rule in rules for name in (*rule.options, *rule.needs, *rule.without)}
        assert {name.partition("=")[0] for name in named} <= known
    for command, modes in MODES.items():
        known = {each.name for each in command_of(command).params} | {"probe"}
        assert {name for mode in modes for name in (mode.option, *mode.takes)} <= known
