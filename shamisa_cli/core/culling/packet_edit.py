"""Changes of properties in XMP packets, which keep everything else in them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

from shamisa_cli.core.culling.packet import META, OWN, RDF, XMP, Packet

DECLARATION = b"<?xml version='1.0' encoding='utf-8'?>\n"
_XML = "http://www.w3.org/XML/1998/namespace"
_PREFIXES = {META: "x", RDF: "rdf", XMP: "xmp", OWN: "shamisa", _XML: "xml"}
"""Some programs look for the text `xmp:Rating`."""

Property = tuple[str, str]
"""Its namespace and its name."""


def edited(content: bytes, packet: Packet, changes: Mapping[Property, str], outdated: Iterable[Property]) -> bytes:
    """The bytes of a packet with some properties changed, and others taken away.

    Args:
        content: its bytes; empty for a new one.
        packet: what `read_packet` found in them, which has held them to its limits.
        changes: property → its text.
        outdated: what is taken away.
    """
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True))
    root = ET.fromstring(content, parser) if content else _empty()
    for name in outdated:
        _remove(root, _qualified(name))
    for name, value in changes.items():
        _set(root, _qualified(name), value)
    _give_prefixes(root, packet.prefixes)
    # Carriage returns that are left after parsing were written as references; the library writes those of texts bare.
    document = ET.tostring(root, encoding="utf-8").replace(b"\r", b"&#13;")
    return b"".join([DECLARATION, packet.before, document, b"\n", packet.after])


def _qualified(name: Property) -> str:
    return f"{{{name[0]}}}{name[1]}"


def _empty() -> ET.Element:
    root = ET.Element(f"{{{META}}}xmpmeta")
    rdf = ET.SubElement(root, f"{{{RDF}}}RDF")
    ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    return root


def _rdf(root: ET.Element) -> ET.Element:
    found = root if root.tag == f"{{{RDF}}}RDF" else root.find(f".//{{{RDF}}}RDF")
    assert found is not None  # `read_packet` refuses what has none
    return found


def _remove(root: ET.Element, name: str) -> None:
    for description in _rdf(root).findall(f"{{{RDF}}}Description"):
        description.attrib.pop(name, None)
        for element in description.findall(name):
            description.remove(element)


def _set(root: ET.Element, name: str, value: str) -> None:
    _remove(root, name)
    rdf = _rdf(root)
    description = rdf.find(f"{{{RDF}}}Description")
    if description is None:
        description = ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    description.set(name, value)


def _give_prefixes(root: ET.Element, own: Mapping[str, str]) -> None:
    """Write names with prefixes, which the root declares: the library's own register is the process's, and grows."""
    prefixes = _Prefixes(own)
    for element in root.iter():
        if isinstance(element.tag, str):  # comments and instructions have none
            element.tag = prefixes.named(element.tag)
        for name in list(element.attrib):
            element.set(prefixes.named(name), element.attrib.pop(name))
    for prefix, address in prefixes.declared():
        root.set(f"xmlns:{prefix}", address)


class _Prefixes:
    """Prefixes of the namespaces that are used: usual ones, those of the packet, else new ones."""

    def __init__(self, own: Mapping[str, str]) -> None:
        taken = set(_PREFIXES.values())
        self._known = dict(_PREFIXES)
        for address, prefix in own.items():
            if address not in self._known and prefix not in taken:
                self._known[address] = prefix
                taken.add(prefix)
        self._used: set[str] = set()

    def named(self, name: str) -> str:
        """A name with its prefix."""
        if not name.startswith("{"):
            return name
        address, _, local = name[1:].rpartition("}")
        self._used.add(address)
        return f"{self._known.setdefault(address, f'ns{len(self._known)}')}:{local}"

    def declared(self) -> list[tuple[str, str]]:
        """Prefixes and namespaces that were used, but for that which every document has."""
        return sorted((self._known[address], address) for address in self._used - {_XML})
