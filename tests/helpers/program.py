"""The program and scripts, in this process or in one of their own; both give what a finished process gives."""

from __future__ import annotations

import io
import logging
import os
import runpy
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

Finished = subprocess.CompletedProcess[str]
Program = Callable[..., Finished]

ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("SHAMISA_", "GITHUB_", "HF_", "PYTHONDONTWRITEBYTECODE"))
} | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "SHAMISA_CACHE": "0"}
"""The variables of a user who has set nothing, and whose runs leave nothing in a cache.

Python may keep its bytecode: hundreds of processes would each compile SciPy and this program anew.
"""

READS_VARIABLES_ONCE = ("huggingface_hub",)
"""Packages that read their variables when they are imported; every run in this process imports them anew."""


def run_here(
    *arguments: str | Path,
    input: str | bytes = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run `shamisa` with these arguments in this process, which is afterwards as it was before.

    Args:
        arguments: what is typed after `shamisa`.
        input: the whole of stdin; bytes, or text in UTF-8.
        env: all variables of the run; None: those of this process.
        cwd: the folder it runs in; None: the one of this process.

    Returns:
        exit code, stdout and stderr.
    """
    from shamisa_cli.cli.app import main

    return _finished(main, ["shamisa", *map(str, arguments)], input, env, cwd)


def run_script_here(script: Path, *arguments: object) -> Finished:
    """Run a Python script with these arguments in this process, which is afterwards as it was before."""

    def program() -> None:
        with _imported_from(script.parent):
            runpy.run_path(str(script), run_name="__main__")

    return _finished(program, [str(script), *map(str, arguments)])


def run_code_here(
    code: str, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Finished:
    """Run Python code as `python -c` does, in this process, which is afterwards as it was before."""
    return _finished(lambda: exec(code, {"__name__": "__main__"}), ["-c", *arguments], env=env, cwd=cwd)


def run_process(*arguments: str | Path, **settings: object) -> Finished:
    """Run `shamisa` with these arguments in a process of its own; keywords go to subprocess.run."""
    command = [sys.executable, "-m", "shamisa_cli", *map(str, arguments)]
    defaults = {"capture_output": True, "text": True, "timeout": 120, "check": False}
    return subprocess.run(command, **(defaults | settings))  # type: ignore[call-overload,no-any-return]


def _finished(
    program: Callable[[], None],
    command: Sequence[str],
    stdin: str | bytes = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Finished:
    given = stdin if isinstance(stdin, bytes) else os.fsencode(stdin)
    streams = [io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") for content in (given, b"", b"")]
    with ExitStack() as places:
        places.enter_context(mock.patch.dict(os.environ, env or {}, clear=env is not None))
        places.enter_context(mock.patch.object(sys, "argv", list(command)))
        places.enter_context(mock.patch.object(sys, "stdin", streams[0]))
        places.enter_context(redirect_stdout(streams[1]))
        places.enter_context(redirect_stderr(streams[2]))
        places.enter_context(_folder(cwd))
        places.enter_context(_warnings_on_stderr())
        places.enter_context(imported_anew(*READS_VARIABLES_ONCE))
        code = _exit_code(program)
    stdout, stderr = (_text(stream) for stream in streams[1:])
    return subprocess.CompletedProcess(list(command), code, stdout, stderr)


def _exit_code(program: Callable[[], None]) -> int:
    """How a process with this program would end."""
    try:
        program()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.buffer.seek(0)
    return io.TextIOWrapper(stream.buffer, encoding="utf-8").read()  # every end of a line is \n, as from a process


@contextmanager
def _folder(path: Path | None) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path or before)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """pytest collects warnings; a user sees them."""

    def show(message: Warning | str, category: type[Warning], file: str, line: int, *_: object) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, file, line))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


@contextmanager
def imported_anew(*packages: str) -> Iterator[None]:
    """The packages are as if not imported yet, and those imported before are back afterwards."""

    def taken_out() -> dict[str, object]:
        for package in packages:
            logging.getLogger(package).handlers.clear()
        names = [name for name in sys.modules if name.partition(".")[0] in packages]
        return {name: sys.modules.pop(name) for name in names}

    before = taken_out()
    try:
        yield
    finally:
        taken_out()
        sys.modules.update(before)  # type: ignore[arg-type]


@contextmanager
def _imported_from(folder: Path) -> Iterator[None]:
    """Scripts of a folder import each other; what they were is forgotten afterwards."""
    before = set(sys.modules)
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        yield
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == folder:
            del sys.modules[name]
