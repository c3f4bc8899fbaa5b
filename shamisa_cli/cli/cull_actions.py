"""Acting on the decisions of a cull: sidecars, moving, copying, undoing; each says on stderr what it did."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.cli.console import Console
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.core.atomic import naming
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.steering import steers

if TYPE_CHECKING:
    from shamisa_cli.core.culling.decisions import Decision
    from shamisa_cli.core.culling.transfers import TransferResult
    from shamisa_cli.core.images.discovery import Discovery


def rate(
    decisions: Sequence[Decision],
    stars: bool,
    verdicts: bool,
    adobe_names: bool,
    overwrite: bool,
    apply: bool,
    console: Console,
) -> int:
    """Write sidecars, or say what would be written; the number of problems."""
    from shamisa_cli.core.culling.sidecars import write_sidecars

    results = list(
        write_sidecars(
            decisions, stars=stars, verdicts=verdicts, naming="replaced" if adobe_names else "appended",
            overwrite=overwrite, dry=not apply,
        )
    )  # fmt: skip
    counts = Counter(result.outcome for result in results)
    verb = "Wrote" if apply else "Would write"
    said = f"{verb} {counts['written']:,} XMP sidecars"
    if counts["unchanged"]:
        said += f"; {counts['unchanged']:,} are already right"
    if counts["kept"]:
        said += f"; {counts['kept']:,} keep the rating that a person gave (see --overwrite)"
    if counts["shared"]:
        said += f"; {counts['shared']:,} pictures share one with a better picture of their name, whose decision it got"
    problems = [result.problem for result in results if result.problem]
    return _conclude(said, problems, apply, console, what="sidecars could not be written")


def without_earlier(found: Discovery, folder: Path | None, console: Console) -> Discovery:
    """The pictures that are not yet where they would be moved or copied; all without such a folder."""
    from shamisa_cli.core.culling.transfers import outside

    if folder is None:
        return found
    left = outside(found.paths, folder)
    if len(left) < len(found.paths):
        console.hint(f"{len(found.paths) - len(left):,} pictures in {folder} are left out, as it is where others go.")
    return replace(found, paths=left)


def transfer(
    decisions: Sequence[Decision], move_to: Path | None, copy_to: Path | None, apply: bool, console: Console
) -> int:
    """Move rejected pictures or copy kept ones, or say what would be done; the number of problems."""
    from shamisa_cli.core.culling.transfers import plan_transfers, transfer_files

    folder, action, verdict = (move_to, "move", "reject") if move_to is not None else (copy_to, "copy", "keep")
    assert folder is not None
    pictures = [Path(decision.record.path) for decision in decisions if decision.verdict == verdict]
    transfers = plan_transfers(pictures, folder, "move" if action == "move" else "copy")
    what = f"files could not be {'moved' if action == 'move' else 'copied'}"
    doing = "Looking" if not apply else "Moving" if action == "move" else "Copying"
    undoing = f"shamisa cull --undo {folder} --apply"
    try:
        with console.progress(doing, len(transfers)) as advance:
            results = list(_advancing(transfer_files(transfers, folder, dry=not apply), advance))
    except KeyboardInterrupt:
        if apply:
            console.warn(f"interrupted; what was done by then is undone with: {undoing}")
        raise
    done, problems = _split(results)
    earlier = sum(result.was_done for result in results)
    verb = f"Would {action}" if not apply else "Moved" if action == "move" else "Copied"
    said = f"{verb} {done - earlier:,} files to {folder}"
    said += f"; {earlier:,} were there already" if earlier else ""
    said += f"; undo with: {undoing}" if apply and done else ""
    return _conclude(said, problems, apply, console, what=what)


def undo_transfers(folder: Path, apply: bool, console: Console) -> int:
    from shamisa_cli.core.culling.transfers import undo_transfers

    done, problems = _split(undo_transfers(folder, dry=not apply))
    verb = "Undid" if apply else "Would undo"
    said, what = f"{verb} {done:,} transfers to {folder}", "lines of the journal could not be undone"
    failures = _conclude(said, problems, apply, console, what=what)
    return exit_code(failed=0, unreadable=failures, skip_unreadable=False)


def _advancing(results: Iterable[TransferResult], advance: Callable[[int], None]) -> Iterable[TransferResult]:
    for result in results:
        advance(1)
        yield result


def _split(results: Iterable[TransferResult]) -> tuple[int, list[str]]:
    found = list(results)
    problems = [result.problem for result in found if result.problem]
    return len(found) - len(problems), problems


def _conclude(said: str, problems: Sequence[str], apply: bool, console: Console, *, what: str = "") -> int:
    console.warn_of_unreadable(problems, what=what)
    console.hint(f"{said}." if apply else f"{said}. Nothing was changed; add --apply to do it.")
    return len(problems)


def print_paths(decisions: Sequence[Decision], print0: bool, output: Path | None, console: Console) -> None:
    """Write the paths of decisions, one per line or, with `print0`, each with a NUL after it.

    Raises:
        SettingError: a name holds a line break; or, on stdout, a command of CI runners or what steers a terminal.
    """
    paths = [_as_no_option(decision.record.path) for decision in decisions]
    if not print0:
        _require_listable(paths, is_terminal=output is None and sys.stdout.isatty(), is_stdout=output is None)
    text = "".join(f"{path}\0" if print0 else f"{path}\n" for path in paths)
    if output is None:
        with naming("stdout"):
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()
        return
    with console.results(output) as stream:
        stream.write(text)


def _require_listable(paths: Sequence[str], *, is_terminal: bool, is_stdout: bool) -> None:
    for path in paths:
        breaks = "\n" in path or "\r" in path
        if breaks or (is_stdout and "##[" in path) or (is_terminal and any(map(steers, path))):
            raise SettingError(
                f"{path} has a name that cannot stand in a list of lines: it holds a line break, ##[ or a control "
                "character. List the names with --print0."
            )


def _as_no_option(path: str) -> str:
    """A name of the same file that is no option of a program and no command of a CI runner."""
    return f"./{path}" if path.lstrip().startswith(("-", ":")) else path
