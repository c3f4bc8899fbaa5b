"""Shared parts of the pages in this folder, their Content-Security-Policy, and data as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from string import Template
from typing import Any

NOT_IN_SCRIPTS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}
"""Characters that could end a script element or begin a comment in it → their JSON escapes."""


def part(name: str) -> str:
    """A file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8").strip()


def head(title: str, style: str, script: str, *, beside: bool = False) -> str:
    """The beginning of a page up to its body: its policy, its title (HTML), and its style.

    With `beside`, images may also be files beside the page.
    """
    values = {"title": title, "style": style, "policy": _policy(style, script, beside)}
    return Template(part("head.html")).substitute(values) + "\n"


def _policy(style: str, script: str, beside: bool) -> str:
    """A Content-Security-Policy that allows this style, this script and inline images, but no requests."""
    images = "data: file: 'self'" if beside else "data:"
    return (
        f"default-src 'none'; img-src {images}; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def json_block(document: Any) -> str:
    """Format a document as JSON that is safe inside a script element."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).translate(NOT_IN_SCRIPTS)


def as_base64(content: bytes | None) -> str | None:
    """Bytes as base64, for JSON and data: addresses."""
    return None if content is None else base64.b64encode(content).decode("ascii")


def as_address(content: bytes | None) -> str | None:
    """A WebP file as a data: address."""
    return None if content is None else f"data:image/webp;base64,{as_base64(content)}"


def _hash(content: str) -> str:
    """Source expression of a Content-Security-Policy for an inline script or style with this content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
