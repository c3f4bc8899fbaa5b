"""XMP sidecar files: ratings and labels that photo programs read, written without losing anything else in them.

The format is that of Adobe's XMP specification (ISO 16684-1): RDF in XML. Files are checked before they are parsed: one
that declares entities, or is larger than any sidecar, is refused.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_file, is_gone

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
XMP = "http://ns.adobe.com/xap/1.0/"
OWN = "urn:shamisa:xmp:1.0/"
"""Namespace of what shamisa wrote itself, by which a person's later change is noticed."""
REJECTED = -1
"""Value of xmp:Rating for rejected images; 1…5 are stars, 0 is unrated."""
KEEP_LABEL, REJECT_LABEL = "Green", "Red"
PROPERTIES = ("Rating", "Label")
MAX_BYTES = 16_000_000
DECLARATION = b"<?xml version='1.0' encoding='utf-8'?>\n"
FORBIDDEN = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)

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
    document = _empty() if is_gone(sidecar) else _read(sidecar)
    changes = mark.properties
    found = {name: _value(document, f"{{{XMP}}}{name}") for name in changes}
    elsewhere = [(name, value) for other in others for name, value in other.properties.items() if name in changes]
    if not overwrite and (
        any(_is_personal(document, name, value) for name, value in found.items())
        or any(_says_other(document, name, value) for name, value in elsewhere)
    ):
        return "kept"
    outdated = [name for name in PROPERTIES if name not in changes and _is_own(document, name)]
    if found == changes and not outdated:
        return "unchanged"
    if not dry:
        for name in outdated:
            _remove(document, f"{{{XMP}}}{name}")
            _remove(document, f"{{{OWN}}}{name}")
        for name, value in changes.items():
            _set(document, f"{{{XMP}}}{name}", value)
            _set(document, f"{{{OWN}}}{name}", value)
        _write(document, sidecar)
    return "written"


def read_rating(sidecar: Path) -> int | None:
    """The rating in a sidecar, -1…5; None without one. Raises as `write_mark` does."""
    return _mark(_read(sidecar)).rating


def personal_mark(sidecar: Path) -> Mark:
    """The rating and label in a sidecar that a person gave. Raises as `write_mark` does."""
    document = _read(sidecar)
    mark = _mark(document)
    own = {name for name, value in mark.properties.items() if not _is_personal(document, name, value)}
    return Mark(None if "Rating" in own else mark.rating, None if "Label" in own else mark.label)


def mark_in(packet: bytes) -> Mark:
    """The rating and label in an XMP packet, as images hold them; none if the packet is damaged."""
    try:
        return _mark(_parsed(packet.strip(b"\0 \n"), "The packet"))
    except SettingError:
        return Mark(None, None)


def _mark(root: ET.Element) -> Mark:
    rating = _value(root, f"{{{XMP}}}Rating")
    return Mark(None if rating is None else _number(rating), _value(root, f"{{{XMP}}}Label"))


def _is_personal(document: ET.Element, name: str, value: str | None) -> bool:
    """Whether a person gave this property of a sidecar, or took it away since this program wrote it."""
    own = _value(document, f"{{{OWN}}}{name}")
    if own is None:
        return value is not None and not _is_blank(name, value)
    return value is None or not _is_same(name, value, own)


def _is_own(document: ET.Element, name: str) -> bool:
    """Whether this program gave this property of a sidecar, and nobody has changed it since."""
    return _value(document, f"{{{OWN}}}{name}") is not None and not _is_personal(
        document, name, _value(document, f"{{{XMP}}}{name}")
    )


def _says_other(document: ET.Element, name: str, value: str) -> bool:
    """Whether a property that an image has elsewhere is given, and not by this program."""
    own = _value(document, f"{{{OWN}}}{name}")
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


def _read(sidecar: Path) -> ET.Element:
    """The root of a sidecar, whose namespaces are registered so that prefixes stay as they are."""
    if not is_file(sidecar) or sidecar.stat().st_size > MAX_BYTES:
        raise SettingError(f"{sidecar} is not a sidecar file: it is too large, or not a regular file.")
    return _parsed(sidecar.read_bytes(), str(sidecar))


def _parsed(content: bytes, name: str) -> ET.Element:
    if FORBIDDEN.search(content) or b"\0" in content:
        raise SettingError(f"{name} declares a document type, or is not UTF-8. Sidecar files rarely do. Move it away.")
    try:
        for _, (prefix, address) in ET.iterparse(io.BytesIO(content), ["start-ns"]):
            _register(prefix, address)
        root = ET.fromstring(content, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True)))
    except (ET.ParseError, ValueError, LookupError) as error:
        raise SettingError(f"{name} is not a sidecar file ({error}). Move it away, or repair it.") from None
    if root.find(f".//{{{RDF}}}RDF") is None and root.tag != f"{{{RDF}}}RDF":
        raise SettingError(f"{name} is not a sidecar file: it holds no RDF. Move it away, or repair it.")
    return root


def _register(prefix: str, address: str) -> None:
    if prefix and not re.fullmatch(r"ns\d+", prefix):
        ET.register_namespace(prefix, address)


def _empty() -> ET.Element:
    root = ET.Element(f"{{{META}}}xmpmeta")
    rdf = ET.SubElement(root, f"{{{RDF}}}RDF")
    ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    return root


def _descriptions(root: ET.Element) -> list[ET.Element]:
    rdf = root if root.tag == f"{{{RDF}}}RDF" else root.find(f".//{{{RDF}}}RDF")
    return [] if rdf is None else rdf.findall(f"{{{RDF}}}Description")


def _value(root: ET.Element, name: str) -> str | None:
    """A simple property, which RDF allows as an attribute or as an element."""
    for description in _descriptions(root):
        if name in description.attrib:
            return description.attrib[name].strip()
        element = description.find(name)
        if element is not None:
            return (element.text or "").strip()
    return None


def _remove(root: ET.Element, name: str) -> None:
    for description in _descriptions(root):
        description.attrib.pop(name, None)
        for element in description.findall(name):
            description.remove(element)


def _set(root: ET.Element, name: str, value: str) -> None:
    _remove(root, name)
    descriptions = _descriptions(root)
    if not descriptions:
        rdf = root if root.tag == f"{{{RDF}}}RDF" else root.find(f".//{{{RDF}}}RDF")
        assert rdf is not None
        descriptions = [ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})]
    descriptions[0].set(name, value)


def _around(sidecar: Path) -> tuple[bytes, bytes]:
    """The text before and after the document of a sidecar: the marks of a packet, and comments."""
    parts: tuple[list[bytes], list[bytes]] = [], []
    depth = seen = 0
    for event, element in ET.iterparse(sidecar, ["start", "end", "comment", "pi"]):
        if event in ("start", "end"):
            depth += 1 if event == "start" else -1
            seen = 1
        elif not depth:
            parts[seen].append(ET.tostring(element, encoding="utf-8") + b"\n")
    return b"".join(parts[0]), b"".join(parts[1])


def _write(root: ET.Element, sidecar: Path) -> None:
    for prefix, address in {"x": META, "rdf": RDF, "xmp": XMP, "shamisa": OWN}.items():
        ET.register_namespace(prefix, address)
    try:
        before, after = _around(sidecar) if is_file(sidecar) else (b"", b"")
        content = b"".join([DECLARATION, before, ET.tostring(root, encoding="utf-8"), b"\n", after])
    except RecursionError:
        raise SettingError(f"{sidecar} is nested too deeply for a sidecar file. Move it away, or repair it.") from None
    with replacing(sidecar) as temporary:
        temporary.write_bytes(content)
