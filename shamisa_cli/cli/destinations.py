"""Checks of the files and folders that `score` writes, before any work is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.cli.console import check_output, require_folder_name
from shamisa_cli.cli.inputs import require_no_other_part
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.scoring.selection import Selection

if TYPE_CHECKING:
    from shamisa_cli.core.cluster.part_number import PartNumber

TABLE = "parquet"
"""Format that is no reporter's: a table of scores that is written in parts and can be resumed."""


def check(
    output: str | None,
    target: Path | None,
    format: str | None,
    html: Path | None,
    maps: Path | None,
    part: PartNumber | None = None,
) -> None:
    """Raise SettingError if a file or folder cannot be written under the name that was given for it."""
    if target is not None:
        if target != Path(output or "") and format not in (None, TABLE):
            raise SettingError(f"{output} is a folder of parts ({TABLE}). Leave out --format, or name a file.")
        check_output(target)
    if html is not None:
        _check_page(html, target)
        require_no_other_part(html, part)
    if target is not None and target.suffix.lower() in (".html", ".htm") and format is None:
        raise SettingError(f"--output writes no page. Name it with --html {target}.")
    require_folder_name(maps, "--maps")


def check_table(output: Path | None, *, pictures: bool, changed: bool) -> None:
    """Raise SettingError if a table cannot be written: no file is named, or other options contradict it."""
    if output is None:
        raise SettingError(f"--format {TABLE} needs a file; name one with --output.")
    if pictures:
        raise SettingError(f"--html and --maps cannot be combined with {TABLE} output.")
    if changed:
        raise SettingError(
            f"--sort, --groups and the options of a selection cannot be combined with {TABLE} output, which holds all "
            "pictures in their input order."
        )


def check_selection(format: str, selection: Selection, *, is_whole: bool) -> None:
    """Raise SettingError if a format that reports on all pictures is to hold some."""
    if is_whole and selection.limits:
        raise SettingError(
            f"--top, --bottom, --below and --above do not go with {format} output, which reports on every picture."
        )


def _check_page(html: Path, output: Path | None) -> None:
    check_output(html, "--html")
    if html.suffix.lower() not in (".html", ".htm"):
        raise SettingError(f"--html writes a page, and {html} has another suffix. Name one such as {html.stem}.html.")
    if output is not None and html.resolve() == output.resolve():
        raise SettingError(f"--html and --output name the same file, {html}. Give each its own.")
