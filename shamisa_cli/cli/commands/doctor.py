"""`shamisa doctor`: what this installation can do."""

from __future__ import annotations

from typing import Annotated

import typer

from shamisa_cli.cli.console import Console
from shamisa_cli.cli.output import write_facts, write_json


def doctor(
    as_json: Annotated[bool, typer.Option("--json", show_default="off", help="Print one JSON document.")] = False,
) -> None:
    """Show versions, the extras that are installed, the libraries that compute, and the image formats that are read.

    Include this in reports of problems. Exit codes: 0 success; 2 error, or a required package is missing.
    """
    from shamisa_cli.core.installation import describe_installation

    found = describe_installation()
    missing = [name for name, version in found.packages.items() if version is None]
    with Console().results(None) as stream:
        if as_json:
            write_json({"schema": 1, **found.to_json()}, stream)
        else:
            absent = [name for name, is_there in found.extras.items() if not is_there]
            rows = [
                ("shamisa", found.version),
                ("python", found.python),
                *((name, version or "missing") for name, version in found.packages.items()),
                ("extras", ", ".join(name for name, is_there in found.extras.items() if is_there) or "none"),
                ("runtimes", ", ".join(found.runtimes) or "none"),
                ("reads", " ".join(found.formats)),
            ]
            rows += (
                [("not installed", f"{', '.join(absent)}; such as pip install 'shamisa[{absent[0]}]'")]
                if absent
                else []
            )
            rows += [("cannot read", " ".join(found.missing_formats))] if found.missing_formats else []
            write_facts(rows, stream)
    if missing:
        Console().warn(f"{missing[0]} is missing. Install shamisa again with: pip install --force-reinstall shamisa")
        raise typer.Exit(2)
