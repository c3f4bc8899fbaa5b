"""Reading of XMP packets (ISO 16684-1: RDF in XML) in one pass, within limits: they come with anyone's pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from xml.parsers import expat

from shamisa_cli.core.errors import SettingError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
XMP = "http://ns.adobe.com/xap/1.0/"
OWN = "urn:shamisa:xmp:1.0/"
"""Namespace of what shamisa wrote itself, by which a person's later change is noticed."""
PROPERTIES = ("Rating", "Label")
COLOURS = ("http://darktable.sf.net/", "colorlabels")
"""Where darktable keeps labels, as a list of numbers; xmp:Label has precedence when it reads a packet."""

MAX_BYTES = 16_000_000
MOST_ELEMENTS, MOST_NAMESPACES, DEEPEST = 500_000, 1_000, 200
"""Histories and ancestors of edited pictures have up to some 100,000 elements; depths are about ten."""
LONGEST_ADDRESS, MOST_CHARACTERS = 500, 64_000_000
"""Characters of a namespace, which have some 40, and of the names of all elements and attributes with theirs."""
_BETWEEN = "}"
"""Stands between namespace and name, as in the library that writes packets: what it cannot read is refused here."""
_NAMES = {f"{space}{_BETWEEN}{name}": (space, name) for space in (XMP, OWN) for name in PROPERTIES}
_COLOURS, _ITEM = _BETWEEN.join(COLOURS), f"{RDF}{_BETWEEN}li"
_COLOUR_NAMES = {"0": "Red", "1": "Yellow", "2": "Green", "3": "Blue", "4": "Purple"}
_RDF, _DESCRIPTION = f"{RDF}{_BETWEEN}RDF", f"{RDF}{_BETWEEN}Description"


@dataclass(frozen=True)
class Packet:
    """A packet, as far as ratings and labels go.

    Attributes:
        values: (namespace, property) → text of the properties that are wanted; of `COLOURS` the names, with commas.
        prefixes: namespace → the prefix that it has in the packet.
        before, after: comments and instructions around the document, each on its own line.
    """

    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    before: bytes = b""
    after: bytes = b""


def read_packet(content: bytes, name: str) -> Packet:
    """Read a packet. Raises SettingError, which begins with `name`, for what is none, and beyond the limits."""
    if len(content) > MAX_BYTES:
        raise SettingError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB, and so no sidecar file. Move it away.")
    if b"\0" in content:
        raise SettingError(f"{name} is not text in UTF-8, as sidecar files are. Move it away.")
    reading = _Reading(name)
    try:
        reading.parse(content)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise SettingError(f"{name} is not a sidecar file ({error}). Move it away, or repair it.") from None
    if reading.rdf_depth is None:
        raise SettingError(f"{name} is not a sidecar file: it holds no RDF. Move it away, or repair it.")
    return Packet(reading.values, reading.prefixes, b"".join(reading.around[0]), b"".join(reading.around[1]))


def values_in(packet: bytes) -> Mapping[tuple[str, str], str]:
    """The values of `Packet` in what a picture holds, up to where it is damaged or goes beyond the limits.

    A long history stands after ratings, which so are known.
    """
    reading = _Reading("The packet")
    with suppress(SettingError, expat.ExpatError, ValueError, LookupError):
        reading.parse(packet[:MAX_BYTES], is_whole=len(packet) <= MAX_BYTES)
    return reading.values


class _Reading:
    """One pass through a packet: the values in the descriptions of its first RDF, as attributes or elements."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: dict[tuple[str, str], str] = {}
        self.prefixes: dict[str, str] = {}
        self.around: tuple[list[bytes], list[bytes]] = [], []
        self.rdf_depth: int | None = None
        self._is_in_rdf = self._is_in_description = self._is_in_colours = False
        self._depth = self._elements = self._named = 0
        self._wanted: tuple[str, str] | None = None
        self._text: list[str] = []

    def parse(self, content: bytes, *, is_whole: bool = True) -> None:
        parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_type
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.StartNamespaceDeclHandler = self._namespace
        parser.CommentHandler = lambda text: self._beside(f"<!--{text}-->")
        parser.ProcessingInstructionHandler = lambda target, text: self._beside(f"<?{target} {text}?>")
        parser.Parse(content, is_whole)

    def _require(self, number: int, most: int, of: str) -> None:
        if number > most:
            raise SettingError(f"{self.name} has more than {most:,} {of}, as no sidecar file has. Move it away.")

    def _refuse_type(self, *_declared: object) -> None:
        # Before its entities, which could stand for any number of characters.
        raise SettingError(f"{self.name} declares a document type, as no sidecar file does. Move it away.")

    def _start(self, element: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        self._require(self._depth, DEEPEST, "elements within each other")
        self._require(self._elements + len(attributes), MOST_ELEMENTS, "elements")
        self._named += len(element) + sum(map(len, attributes))
        self._require(self._named, MOST_CHARACTERS, "characters in names")
        self._keep()  # what comes after an element within is not the value
        if element == _RDF and self.rdf_depth is None:
            self.rdf_depth, self._is_in_rdf = self._depth, True
        elif self._is_in_rdf and self.rdf_depth is not None:
            if self._depth == self.rdf_depth + 1:
                self._is_in_description = element == _DESCRIPTION
                for name in attributes.keys() & _NAMES.keys() if self._is_in_description else ():
                    self.values.setdefault(_NAMES[name], attributes[name].strip())
            elif self._is_in_description and self._depth == self.rdf_depth + 2:
                self._wanted, self._is_in_colours = _NAMES.get(element), element == _COLOURS
            elif self._is_in_colours and element == _ITEM:
                self._wanted = COLOURS

    def _end(self, _element: str) -> None:
        self._keep()
        if self._depth == self.rdf_depth:
            self._is_in_rdf = False
        self._depth -= 1

    def _keep(self) -> None:
        if self._wanted is None:
            return
        text = "".join(self._text).strip()
        if self._wanted == COLOURS:
            known = self.values.get(COLOURS, "").split(", ")
            self.values[COLOURS] = ", ".join(sorted({*known, _COLOUR_NAMES.get(text, "")} - {""}))
        else:
            self.values.setdefault(self._wanted, text)
        self._wanted = None
        self._text.clear()

    def _characters(self, text: str) -> None:
        if self._wanted is not None:
            self._text.append(text)

    def _namespace(self, prefix: str | None, address: str | None) -> None:
        # Expat writes the address before every name of an element or attribute, and keeps each.
        self._require(len(address or ""), LONGEST_ADDRESS, "characters in the address of a namespace")
        if address and prefix and not re.fullmatch(r"ns\d+", prefix):
            self.prefixes[address] = prefix
            self._require(len(self.prefixes), MOST_NAMESPACES, "namespaces")

    def _beside(self, text: str) -> None:
        if not self._depth:
            self.around[self._elements > 0].append(text.encode() + b"\n")
