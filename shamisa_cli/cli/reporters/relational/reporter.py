"""What every format of comparisons is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TextIO

from shamisa_cli.core.relational.records import Candidate, ComparedModel


@dataclass(frozen=True)
class ComparisonReporter:
    """One format of comparisons.

    Attributes:
        write: puts candidates, in the order they come, into a text stream.
        streams: whether it writes each candidate as it comes, and not all of them at the end.
    """

    write: Callable[[Iterable[Candidate], ComparedModel, TextIO], None]
    streams: bool = False
