"""`shamisa cache`: show or clear the cache of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import options
from shamisa_cli.cli.command_group import CommandGroup
from shamisa_cli.cli.console import Console, printable
from shamisa_cli.cli.output import write_json
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.home import expanded

MEGABYTE = 1_000_000


def info(
    cache_dir: options.CacheFolder = None,
    as_json: Annotated[bool, typer.Option("--json", show_default="off", help="Print a JSON document.")] = False,
) -> None:
    """Show where the cache is, how large it is, and how many pictures it holds.

    Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.scoring.cache_contents import contents

    held = contents(_folder(cache_dir))
    with Console().results(None) as stream:
        if as_json:
            write_json({"schema": 1, **held.to_json()}, stream)
        else:
            stream.write(
                f"file      {printable(held.path)}\nsize      {held.size / MEGABYTE:,.1f} MB\n"
                f"scores    {held.scores:,} pictures\nfeatures  {held.features:,} pictures\n"
            )


def clear(cache_dir: options.CacheFolder = None) -> None:
    """Clear the cache, even if it is damaged. Running commands are not affected.

    Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.scoring.cache_contents import clear as empty

    folder = _folder(cache_dir)
    freed = empty(folder)
    Console().hint(f"Freed {freed / MEGABYTE:,.1f} MB in {folder}.")


def _folder(cache_dir: Path | None) -> Path:
    from shamisa_cli.core.scoring.cache import default_folder

    folder = cache_dir or default_folder()
    if folder is None:
        raise SettingError("There is no home folder for the cache. Name a folder with --cache-dir.")
    return expanded(folder)


CACHE = CommandGroup(help="Show or clear the cache of results.", commands={"info": info, "clear": clear})
