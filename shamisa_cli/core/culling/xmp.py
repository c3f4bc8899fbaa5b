"""XMP sidecar files: ratings and labels that photo programs read, written without losing anything else in them.

The format is that of Adobe's XMP specification (ISO 16684-1): RDF in XML. Files are checked before they are parsed: one
that declares a document type, or is larger than any sidecar, is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.culling.packet import COLOURS, MAX_BYTES, OWN, PROPERTIES, XMP, Packet, read_packet, values_in
from shamisa_cli.core.culling.packet_edit import edited
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_file, is_gone

REJECTED = -1
"""Value of xmp:Rating for rejected images; 1…5 are stars, 0 is unrated."""
KEEP_LABEL, REJECT_LABEL = "Green", "Red"

Values = Mapping[tuple[str, str], str]
"""(Namespace, property) → its text."""
Outcome = Literal["written", "unchanged", "kept"]


@dataclass(frozen=True)
class Mark:
    """A rating and a label of one image; None where there is none."""

    rating: int | None
    label: str | None

    @property
    def properties(self) -> dict[str, str]:
        """Name → text of the properties that it has."""
        texts = (None if self.rating is None else str(self.rating), self.label)
        return {name: text for name, text in zip(PROPERTIES, texts, strict=True) if text is not None}


def write_mark(
    sidecar: Path, mark: Mark, *, others: Iterable[Mark] = (), overwrite: bool = False, dry: bool = False
) -> Outcome:
    """Write a mark into a sidecar, which is created if there is none; everything else in it is kept.

    A rating or label that was not written by this function belongs to a person: then nothing is changed. What this
    function wrote, and the mark does not give any more, is taken back.

    Args:
        sidecar: the file.
        mark: rating and label.
        others: what the image has elsewhere, in itself or in another sidecar; a person's, too, if it is another one
            than this function wrote.
        overwrite: replace a person's rating and label too.
        dry: only find out what would happen.

    Returns:
        "written", "unchanged" if the mark is there already, or "kept" if a person's rating or label is.

    Raises:
        SettingError: the file is not a sidecar that can be read.
        OSError: it cannot be read or written.
    """
    content, packet = (b"", Packet()) if is_gone(sidecar) else _read(sidecar)
    changes = mark.properties
    found = {name: packet.values.get((XMP, name)) for name in changes}
    elsewhere = [(name, value) for other in others for name, value in other.properties.items() if name in changes]
    if not overwrite and (
        any(_is_personal(packet.values, name) for name in found)
        or any(_says_other(packet.values, name, value) for name, value in elsewhere)
    ):
        return "kept"
    outdated = [name for name in PROPERTIES if name not in changes and _is_own(packet.values, name)]
    if found == changes and not outdated:
        return "unchanged"
    if not dry:
        spaces = (XMP, OWN)
        written = {(space, name): value for name, value in changes.items() for space in spaces}
        removed = [(space, name) for name in outdated for space in spaces]
        if "Label" in {*changes, *outdated}:
            removed.append(COLOURS)  # darktable's copy of the label there was
        _write(sidecar, edited(content, packet, written, removed))
    return "written"


def read_rating(sidecar: Path) -> int | None:
    """The rating in a sidecar as it stands there, by the format -1…5; None without one. Raises as `write_mark` does."""
    return _mark(_read(sidecar)[1].values).rating


def personal_mark(sidecar: Path) -> Mark:
    """The rating and label in a sidecar that a person gave. Raises as `write_mark` does."""
    values = _read(sidecar)[1].values
    mark = _mark(values)
    own = {name for name in mark.properties if not _is_personal(values, name)}
    return Mark(None if "Rating" in own else mark.rating, None if "Label" in own else mark.label)


def mark_in(packet: bytes) -> Mark:
    """The rating and label in an XMP packet, as images hold them, before anything in it that is damaged or too long."""
    return _mark(values_in(packet.strip(b"\0 \n")))


def _mark(values: Values) -> Mark:
    rating = values.get((XMP, "Rating"))
    return Mark(None if rating is None else _number(rating), _found(values, "Label"))


def _found(values: Values, name: str) -> str | None:
    """The text of a property; of a label, darktable's where the other is none, or what this program wrote."""
    value = values.get((XMP, name))
    if name == "Label" and values.get(COLOURS) and (not value or value == values.get((OWN, name))):
        return values[COLOURS]
    return value


def _is_personal(values: Values, name: str) -> bool:
    """Whether a person gave this property of a sidecar, or took it away since this program wrote it."""
    value, own = _found(values, name), values.get((OWN, name))
    if own is None:
        return value is not None and not _is_blank(name, value)
    return value is None or not _is_same(name, value, own)


def _is_own(values: Values, name: str) -> bool:
    """Whether this program gave this property of a sidecar, and nobody has changed it since."""
    return (OWN, name) in values and not _is_personal(values, name)


def _says_other(values: Values, name: str, value: str) -> bool:
    """Whether a property that an image has elsewhere is given, and not by this program."""
    own = values.get((OWN, name))
    return not _is_blank(name, value) and (own is None or not _is_same(name, value, own))


def _is_blank(name: str, value: str) -> bool:
    return value == "" if name == "Label" else _number(value) == 0


def _is_same(name: str, value: str, other: str) -> bool:
    return value == other if name == "Label" else _number(value) == _number(other)


def _number(text: str) -> int | None:
    try:
        return round(float(text))
    except (ValueError, OverflowError):
        return None


def _read(sidecar: Path) -> tuple[bytes, Packet]:
    """The bytes of a sidecar, and what they hold. Raises SettingError for what is none."""
    if not is_file(sidecar) or sidecar.stat().st_size > MAX_BYTES:
        raise SettingError(f"{sidecar} is not a sidecar file: it is too large, or not a regular file.")
    content = sidecar.read_bytes()
    return content, read_packet(content, str(sidecar))


def _write(sidecar: Path, content: bytes) -> None:
    with replacing(Path(os.path.realpath(sidecar))) as temporary:  # a link stays one
        temporary.write_bytes(content)
