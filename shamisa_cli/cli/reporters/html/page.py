"""The page of a run: records and thumbnails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.output import FORMULA_STARTS
from shamisa_cli.cli.reporters.html.parts import as_address, head, json_block, part
from shamisa_cli.core.full_size.record import MEASURES
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ImageRecord, Run, summarise
from shamisa_cli.core.scoring.gate import gate_status, gate_summary

if TYPE_CHECKING:
    from shamisa_cli.core.scoring.thumbnails import Thumbnails

PLACE_OF_PICTURES = "$pictures"
DECIMALS = 3


def write_html(
    records: Sequence[ImageRecord],
    run: Run,
    thumbnails: Thumbnails,
    stream: TextIO,
    folder: Path | None = None,
    *,
    beside: str = "",
) -> None:
    """Write the page of all records; its sorting is stable, so equals stay in this order.

    Untrusted text (names of files, messages) is in a block of JSON that is parsed neither as HTML nor as JavaScript;
    the page's script inserts it as text. The policy in the head allows this script and this style, by their
    hashes, and no requests.

    Args:
        records: in the order of the page.
        run: the run they belong to.
        thumbnails: of their images.
        stream: receives the page.
        folder: receives the thumbnails, which the page then names; None: the page contains them.
        beside: name that the folder beside the page will have; empty: the name that it has.
    """
    style = "\n\n".join((part("theme.css"), part("report.css")))
    script = "\n\n".join((part("report.js"), part("exports.js"), part("review.js")))
    before, after = part("report.html").split(PLACE_OF_PICTURES)
    stream.write(head("Picture quality", style, script, beside=folder is not None))
    stream.write(Template(before).substitute(data=json_block(_document(records, run, thumbnails.has_maps))))
    _write_pictures(_addresses([record.path for record in records], thumbnails, folder, beside), stream)
    stream.write(Template(after).substitute(script=script))


def _document(records: Sequence[ImageRecord], run: Run, has_maps: bool) -> dict[str, Any]:
    statuses = Counter(gate_status(record) for record in records)
    return {
        "made": datetime.now().astimezone().isoformat(timespec="minutes"),
        "model": printable(run.model.name),
        "revision": printable(run.model.revision),
        "viewSize": (run.model.preprocessing or {}).get("view_size"),
        "gated": run.gated,
        "conclusion": gate_summary(statuses, gated=run.gated),
        "summary": summarise(records).to_json(),
        "maps": has_maps,
        "formulaStarts": FORMULA_STARTS,
        "defects": list(GROUPS) if any(record.defects for record in records) else [],
        "pictures": [_picture(record) for record in records],
    }


def _picture(record: ImageRecord) -> dict[str, Any]:
    said = [*(found.message for found in record.findings), *record.warnings]
    messages = said if record.error is None else [record.error.message]
    return {
        "path": printable(record.path),
        **({} if printable(record.path) == record.path else {"escaped": True}),
        "score": _rounded(record.score),
        "interval": None if record.interval is None else [_rounded(end) for end in record.interval],
        "mos": _rounded(record.mos),
        "size": [record.width, record.height] if record.width and record.height else None,
        "defects": None if record.defects is None else [_rounded(record.defects.get(name)) for name in GROUPS],
        "atFullSize": _at_full_size(record),
        "remarks": list(record.remarks),
        "doubts": ", ".join(record.reliability_reasons),
        "standing": gate_status(record),
        "group": None if record.group is None else record.group.to_json(),
        "messages": [printable(message) for message in messages],
    }


def _at_full_size(record: ImageRecord) -> str:
    """The faults at 100 % as text: "focus 2.1, noise 0.0, compression 0.3"; empty without a look."""
    look = record.at_full_size
    measured = {} if look is None else {name: getattr(look, name) for name in MEASURES}
    return ", ".join(f"{name} {severity:.1f}" for name, severity in measured.items() if severity is not None)


def _addresses(
    paths: Sequence[str], thumbnails: Thumbnails, folder: Path | None, beside: str
) -> Iterator[list[str | None]]:
    """For each image the addresses of its thumbnails, in the order of `KINDS`: data, or files in the folder."""
    from shamisa_cli.core.scoring.thumbnails import KINDS, write_beside

    if folder is None:
        for path in paths:
            yield [as_address(thumbnails.read(path, kind)) for kind in KINDS]
        return
    place = quote((beside or folder.name).encode("utf-8", "surrogateescape"))
    for names in write_beside(thumbnails, paths, folder):
        yield [None if name is None else f"{place}/{name}" for name in names]


def _write_pictures(addresses: Iterable[list[str | None]], stream: TextIO) -> None:
    """A JSON array of them, one image after the other: they may be many."""
    stream.write("[")
    for index, each in enumerate(addresses):
        stream.write(("," if index else "") + "\n" + json.dumps(each, separators=(",", ":")))
    stream.write("\n]")


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, DECIMALS)
