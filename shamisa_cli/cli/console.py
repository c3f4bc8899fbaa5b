"""Output of commands: results on stdout or into a file, everything else on stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from rich.console import Console as RichConsole
from rich.text import Text

from shamisa_cli.cli.ends import discard
from shamisa_cli.core.atomic import naming, replacing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import exists, is_dir, is_file
from shamisa_cli.core.places import require_place
from shamisa_cli.core.steering import escaped

MAX_WARNINGS = 20
"""Unreadable pictures that are named."""
_WARNING = ("warning: ", "bold yellow")
ENCODING = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
"""Results are UTF-8 everywhere. Bytes of a file name that are not come as \\udcXX, which JSON reads as written."""


FILE_SUFFIXES = frozenset((
    ".parquet", ".npz", ".safetensors", ".json", ".jsonl", ".csv", ".txt", ".text", ".log", ".md", ".xml", ".junit",
    ".github", ".sarif", ".html", ".htm", ".svg", ".png",
))  # fmt: skip
"""Suffixes of files; with --shard, an --output with any other suffix is a folder of parts, such as out.v2."""


def printable(text: str) -> str:
    """`text` on one line, with everything that could steer a terminal or a CI runner shown as a backslash escape."""
    shown = inert(text)
    return shown.replace(":", r"\x3a", 1) if shown.lstrip().startswith("::") else shown  # one at the start of a line


def inert(text: str, *, keep: str = "") -> str:
    """`text` with all that steers a terminal, and a command of CI runners, as escapes; but for characters to `keep`."""
    return escaped(text, keep=keep).replace("##[", r"#\x23[")


class Console:
    """The streams of one command.

    Args:
        quiet: print no hints, warnings and progress bars; errors, and which pictures could not be read, always are.
        discard: print no results on stdout either; those for a file are written.

    Attributes:
        stderr: rich on stderr, which prints text as it is.
    """

    def __init__(self, *, quiet: bool = False, discard: bool = False) -> None:
        self._quiet, self._discard = quiet, discard
        self.stderr = RichConsole(stderr=True, highlight=False, markup=False, emoji=False)

    def hint(self, text: str) -> None:
        """Print a hint on stderr."""
        if not self._quiet:
            self._say(Text(printable(text), "dim"))

    def warn(self, text: str) -> None:
        """Print a warning on stderr, about a problem that does not stop the command."""
        if not self._quiet:
            self._line(*_WARNING, text)

    def warn_of_unreadable(
        self, messages: Sequence[str], count: int | None = None, *, what: str = "pictures could not be read"
    ) -> None:
        """Print one warning per image that could not be read, up to a limit; also if quiet, since they are results.

        Args:
            messages: the sentences, or the first of them.
            count: number of unreadable images; None: the number of sentences.
            what: the rest of "5 more …", where the sentences are of other things.
        """
        self._warn_of_each(messages, len(messages) if count is None else count, what)

    def warn_of_odd(self, sentences: Iterable[str]) -> None:
        """Print one warning per image whose file is odd, up to a limit; sentences may be empty, as of most images."""
        odd = list(filter(None, sentences))
        if not self._quiet:
            self._warn_of_each([f"{sentence}." for sentence in odd], len(odd), "pictures have odd files")

    def _warn_of_each(self, messages: Sequence[str], count: int, what: str) -> None:
        named = messages[:MAX_WARNINGS]
        for message in named:
            self._line(*_WARNING, message)
        more = count - len(named)
        if more > 0:
            self._line(*_WARNING, f"{more:,} more {what}.")

    def warn_of_discarded(self, messages: Sequence[str]) -> None:
        """The same warnings, where the results that hold these messages are printed nowhere."""
        if self._discard:
            self.warn_of_unreadable(messages)

    def warn_of_dropped(self, count: int, target: Path) -> None:
        """Say how many pictures a table that was continued does not hold any more."""
        if count:
            self.warn(
                f"{target} held {count:,} more pictures, which were not named or not found now; their rows are gone."
            )

    def warn_once(self) -> Callable[[str], None]:
        """Function that prints each warning once, however often it is given, up to a limit."""
        said: set[str] = set()

        def warn(text: str) -> None:
            if text not in said and len(said) < MAX_WARNINGS:
                said.add(text)
                self.warn(text)

        return warn

    def error(self, text: str) -> None:
        """Print on stderr the error that stops the command."""
        self._line("error: ", "bold red", text)

    @contextmanager
    def results(self, output: Path | None) -> Iterator[TextIO]:
        """Open the stream for the result: stdout, or a file that appears once it is complete."""
        if output is None and self._discard:
            yield io.StringIO()
            return
        if output is None:
            stream = io.TextIOWrapper(sys.stdout.buffer, **ENCODING)  # type: ignore[arg-type]
            try:
                with naming("stdout"):
                    yield stream
                    stream.flush()
            finally:
                with suppress(OSError):  # the first error was said
                    stream.detach()
            return
        check_output(output)
        with replacing(output) as temporary, temporary.open("w", **ENCODING) as file:  # type: ignore[call-overload]
            yield file

    @contextmanager
    def progress(self, doing: str, total: int, *, beside_results: bool = False) -> Iterator[Callable[[int], None]]:
        """Context with a progress bar; yields a function that advances it by a number of images.

        The bar is shown on a terminal only and disappears at the end. `beside_results` says that results are printed
        on stdout meanwhile; there is then no bar if stdout is the terminal too, since each would overwrite the other.
        """
        if self._quiet or not self.stderr.is_terminal or (beside_results and sys.stdout.isatty()):
            yield lambda _pictures: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.stderr, transient=True, redirect_stdout=False) as bar:
            task = bar.add_task(doing, total=total)

            def advance(pictures: int) -> None:
                bar.advance(task, pictures)
                if bar.finished:
                    bar.stop()

            yield advance

    def _line(self, label: str, style: str, text: str) -> None:
        self._say(Text.assemble((label, style), printable(text)))

    def _say(self, text: Text) -> None:
        try:
            self.stderr.print(text, soft_wrap=not self.stderr.is_terminal)  # lines end between words there
        except BrokenPipeError:
            raise
        except OSError:  # what is said beside the results must not end them, as on a full disk
            discard(sys.stderr)


def check_output(output: Path, option: str = "--output") -> None:
    """Check the name of a file of results before hours of work are spent.

    Raises:
        SettingError: it is a folder or a device, has the suffix of a picture, is a picture, or lies where this user
            may not write.
    """
    from shamisa_cli.core.images.formats import require_no_picture

    require_file_name(output, option)
    require_no_picture(output, f"what {option} writes")


def require_folder_name(folder: Path | None, option: str) -> None:
    """Raise SettingError if a folder for results is a file or a link that leads nowhere, or may not be written into."""
    if folder is None:
        return
    if os.path.lexists(folder) and not is_dir(folder):
        raise SettingError(f"{folder} is no folder; {option} must name a folder.")
    require_place(folder)


def require_file_name(output: Path, option: str) -> None:
    """Raise SettingError if `output` is a folder, a device, "-", a suffix without a name, or where none may write."""
    if str(output) == "-":
        raise SettingError(f"{option} - names no file. Results go to standard output where {option} is left out.")
    if output.name.lower() in FILE_SUFFIXES:
        example = output.with_name(f"results{output.name}")
        raise SettingError(f"{output} is a suffix without a name, a hidden file. Name one such as {option} {example}.")
    if exists(output) and not is_file(output):
        raise SettingError(f"{output} is not a regular file; {option} must name a file.")
    require_place(output)
