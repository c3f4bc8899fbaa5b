"""A format of results: a function from records to text, and how it takes its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from shamisa_cli.core.records import ImageRecord, ModelIdentity, Run
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.records import Candidate

if TYPE_CHECKING:
    from shamisa_cli.core.relational.page_images import ComparisonImages


@dataclass(frozen=True)
class Reporter:
    """One format of results.

    Attributes:
        write: writes records, in the order they arrive, to a text stream.
        streams: whether each record is written as it arrives rather than all at the end.
        concludes: whether it ends with the number of images that passed.
        worst_first: whether the worst image comes first unless another order is requested.
        is_whole: whether it reports on the gate, and so on all images: no selection goes with it.
    """

    write: Callable[[Iterable[ImageRecord], Run, TextIO], None]
    streams: bool = False
    concludes: bool = False
    worst_first: bool = False
    is_whole: bool = False


@dataclass(frozen=True)
class ComparisonRun:
    """Properties shared by all candidates of one run.

    Attributes:
        model: the model that compared.
        gate: the conditions that candidates must meet.
        added, removed: images of folders that have no partner.
        strict_pairs: whether those fail the run.
        images: copies of the compared images, for a format that shows them.
    """

    model: ModelIdentity
    gate: ComparisonGate = field(default_factory=ComparisonGate)
    added: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()
    strict_pairs: bool = False
    images: ComparisonImages | None = None


@dataclass(frozen=True)
class ComparisonReporter:
    """One format of comparisons.

    Attributes:
        write: writes candidates, in the order they arrive, to a text stream.
        streams: whether each candidate is written as it arrives rather than all at the end.
        illustrated: whether it shows the images.
    """

    write: Callable[[Iterable[Candidate], ComparisonRun, TextIO], None]
    streams: bool = False
    illustrated: bool = False
