from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import get_args

import pytest
import typer

from shamisa_cli.cli.errors import REMEDIES, exit_code, told, with_exit_code
from shamisa_cli.core.errors import ModelError, Remedy, SettingError
from shamisa_cli.core.records import ErrorRecord


def run(error: BaseException, *, debug: bool = False) -> int:
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as left:
        with_exit_code(command, debug=debug)()
    return left.value.exit_code


def test_an_error_for_a_person_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(SettingError("The minimum score is\n\x1b[31mwrong.")) == 2
    assert capsys.readouterr().err == "error: The minimum score is \\x1b[31mwrong.\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ModelError("It has no probe.", remedy="name-a-probe"),
            "It has no probe. Name one with --probe, or fit one with: shamisa fit-probe.",
        ),
        (
            SettingError("Install it with: pip install onnxruntime.", remedy="take-torch"),
            "Install it with: pip install onnxruntime, or use --runtime torch.",
        ),
        (
            SettingError("Name another file, or delete it.", remedy="new-baseline"),
            "Name another file, or delete it and write it with --update-baseline.",
        ),
        (
            SettingError("ONNX Runtime runs on the CPU only.", remedy="take-torch-on", device="cuda:1"),
            "ONNX Runtime runs on the CPU only. For cuda:1, use --runtime torch.",
        ),
    ],
)
def test_the_terminal_says_which_option_helps_and_the_error_itself_does_not(
    error: SettingError, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--" not in str(error)
    assert run(error) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
    assert run(pickle.loads(pickle.dumps(error))) == 2  # as it comes from another process
    assert capsys.readouterr().err == f"error: {said}\n"


def test_a_record_gets_its_remedy_where_results_show_it() -> None:
    record = ErrorRecord("other-size", "a.jpg is larger than b.jpg.", "resize")
    shown = told(record)
    assert record.to_json() == {"kind": "other-size", "message": "a.jpg is larger than b.jpg."}
    assert shown is not None
    assert shown.message.startswith("a.jpg is larger than b.jpg; --resize")
    assert told(shown) == shown
    assert told(None) is None


def test_every_remedy_names_an_option_and_ends_a_sentence() -> None:
    assert set(REMEDIES) == set(get_args(Remedy))
    for text in REMEDIES.values():
        assert re.search(r"--[a-z]", text)
        assert text[0].isupper() or text[0] in ",; "


def test_a_file_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PermissionError(13, "Permission denied", "/root/x.csv")) == 2
    assert capsys.readouterr().err == "error: /root/x.csv: Permission denied.\n"


def test_a_bug_says_that_it_is_one_and_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ZeroDivisionError("division by zero")) == 2
    shown = capsys.readouterr().err
    assert "bug in shamisa (ZeroDivisionError: division by zero)" in shown
    assert "--debug" in shown
    assert "Traceback" not in shown


def test_debug_shows_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(SettingError("Wrong."), debug=True) == 2
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_names_the_cache_of_a_command_that_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(**_given: object) -> None:
        raise KeyboardInterrupt

    for given, named in (
        ({"cache": True, "cache_dir": tmp_path}, True),
        ({"cache": False, "cache_dir": tmp_path}, False),
        ({"output": tmp_path}, False),
    ):
        with pytest.raises(typer.Exit):
            with_exit_code(command, debug=False)(**given)
        assert (f"in the cache, {tmp_path}: run the same command" in capsys.readouterr().err) == named


def test_an_interruption_is_130() -> None:
    assert run(KeyboardInterrupt()) == 130


@pytest.mark.parametrize(
    ("failed", "unreadable", "skip", "code"),
    [(0, 0, False, 0), (1, 0, False, 1), (0, 1, False, 3), (0, 1, True, 0), (1, 1, False, 1), (1, 1, True, 1)],
)
def test_the_gate_goes_before_unreadable_pictures(failed: int, unreadable: int, skip: bool, code: int) -> None:
    assert exit_code(failed=failed, unreadable=unreadable, skip_unreadable=skip) == code
