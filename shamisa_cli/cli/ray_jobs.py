"""`--ray`: run score and embed on a Ray cluster instead of in this process."""

from __future__ import annotations

import time
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import typer

from shamisa_cli.cli import inputs
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.cli.run_tally import closing_line
from shamisa_cli.cli.settings import configuration_of
from shamisa_cli.core.errors import InputNotFoundError, SettingError
from shamisa_cli.core.existence import is_file

if TYPE_CHECKING:
    from shamisa_cli.core.cluster.row_makers import Kind


GATE = ("min_score", "baseline", "max_drop", "max_faults", "forbid")
"""Parameters that set a gate; on the command line they are refused beside --ray."""


def run_ray_job(context: typer.Context, kind: Kind, address: str) -> None:
    """Write a folder of parts as the command's options say, and exit with the code for unreadable images.

    Raises:
        SettingError: --output does not name a folder.
    """
    given = context.params
    output = given["output"]
    if output is None or PurePath(output).suffix == ".parquet" or is_file(Path(output)):
        raise SettingError(
            "--ray writes a folder of Parquet files. Name the folder, or an address such as s3://…, with --output."
        )
    list_file = None if given["files_from"] is None else Path(given["files_from"])
    named, listed = inputs.named_paths(given["paths"], list_file)
    if not named and not listed:
        raise InputNotFoundError(inputs.NOTHING_NAMED)

    from shamisa_cli.core.cluster.ray_job import run_on_ray
    from shamisa_cli.core.cluster.row_makers import JobSettings

    settings = JobSettings(
        kind,
        given["model"],
        probe=given.get("probe"),
        view_size=inputs.view_size(given["view_size"]),
        max_pixels=given["max_pixels"],
        device=given["device"],
        runtime=given["runtime"],
        offline=given["offline"],
        max_memory=inputs.bytes_of(given["max_memory"]),
    )
    console, started = Console(quiet=given["quiet"]), time.monotonic()
    if kind == "scores" and (
        any(given[name] not in (None, [], ()) for name in GATE) or configuration_of(context).rules
    ):
        console.warn("The gate of the settings is not applied with --ray: these pictures are scored, and none fails.")
    done = run_on_ray(
        settings,
        named,
        output,
        address=address,
        listed=listed,
        recursive=given["recursive"],
        workers=given["jobs"],
        progress=lambda parts: console.progress("Parts", parts),
    )
    console.warn_of_unreadable(done.errors, done.unreadable)
    if done.others:
        more = f" and {len(done.others) - 1:,} more" if len(done.others) > 1 else ""
        console.warn(
            f"{output} also holds a part of an earlier job, {done.others[0]}{more}, of pictures that were not named "
            "now. They count in what is read from there; remove the file where they should not."
        )
    counts = {"unreadable": done.unreadable, "reused from an earlier run": done.reused}
    verb = "embedded" if kind == "features" else "scored"
    places = {f"{done.parts:,} parts": output}
    total = done.rows if kind == "scores" else done.rows + done.unreadable
    scored = total - done.unreadable
    console.hint(closing_line(verb, scored, total, counts, since=started, places=places))
    raise typer.Exit(exit_code(failed=0, unreadable=done.unreadable, skip_unreadable=given["skip_unreadable"]))
