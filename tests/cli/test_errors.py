from __future__ import annotations

import pytest
import typer

from shamisa_cli.cli.errors import exit_code, with_exit_code
from shamisa_cli.core.errors import SettingError


def run(error: BaseException, *, debug: bool = False) -> int:
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as left:
        with_exit_code(command, debug=debug)()
    return left.value.exit_code


def test_an_error_for_a_person_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(SettingError("The bar is\n\x1b[31mwrong.")) == 2
    assert capsys.readouterr().err == "error: The bar is \\x1b[31mwrong.\n"


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


def test_an_interruption_is_130() -> None:
    assert run(KeyboardInterrupt()) == 130


@pytest.mark.parametrize(
    ("failed", "unreadable", "skip", "code"),
    [(0, 0, False, 0), (1, 0, False, 1), (0, 1, False, 3), (0, 1, True, 0), (1, 1, False, 1), (1, 1, True, 1)],
)
def test_the_gate_goes_before_unreadable_pictures(failed: int, unreadable: int, skip: bool, code: int) -> None:
    assert exit_code(failed=failed, unreadable=unreadable, skip_unreadable=skip) == code
