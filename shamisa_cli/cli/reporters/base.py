"""A format of results: a function from records to text, and how it takes its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TextIO

from shamisa_cli.core.records import ImageRecord, ModelIdentity, Run
from shamisa_cli.core.relational.records import Candidate


@dataclass(frozen=True)
class Reporter:
    """One format of results.

    Attributes:
        write: puts records, in the order they come, into a text stream.
        streams: whether it writes each record as it comes, and not all of them at the end.
        concludes: whether it ends by saying how many pictures passed.
        worst_first: whether a person reads it from the worst picture on, unless another order is asked for.
    """

    write: Callable[[Iterable[ImageRecord], Run, TextIO], None]
    streams: bool = False
    concludes: bool = False
    worst_first: bool = False


@dataclass(frozen=True)
class ComparisonReporter:
    """One format of comparisons.

    Attributes:
        write: puts candidates, in the order they come, into a text stream.
        streams: whether it writes each candidate as it comes, and not all of them at the end.
    """

    write: Callable[[Iterable[Candidate], ModelIdentity, TextIO], None]
    streams: bool = False
