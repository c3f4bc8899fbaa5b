"""One run of `shamisa score`: pictures into a table that is continued, or into a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.cli.console import Console
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.cli.run_tally import RunTally
from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.records import ImageRecord, Run, summarise
from shamisa_cli.core.scoring.gate import Gate, apply_gate
from shamisa_cli.core.scoring.selection import Selection

if TYPE_CHECKING:
    from shamisa_cli.core.culling.groups import GroupSettings
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.cache import Cache
    from shamisa_cli.core.scoring.heatmap import MapWriter
    from shamisa_cli.core.scoring.scorer import ViewSize
    from shamisa_cli.core.scoring.thumbnails import Thumbnails


class Sort(StrEnum):
    """Orders of the results."""

    SCORE = "score"
    PATH = "path"


@dataclass(frozen=True)
class Shown:
    """Which results are written, and in which order.

    Attributes:
        reporter: the format.
        order: of the results; None: as the pictures were found.
        best_first: whether the highest score comes first rather than the lowest.
        selection: limits on what is written.
        groups: settings of groups of similar pictures; None: no groups.
    """

    reporter: Reporter
    order: Sort | None = None
    best_first: bool = False
    selection: Selection = field(default_factory=Selection)
    groups: GroupSettings | None = None

    @property
    def streams(self) -> bool:
        """Whether each result is written as it arrives."""
        return self.reporter.streams and self.order is None and self.groups is None and not self.selection.limits

    def arranged(self, records: Iterable[ImageRecord]) -> Iterable[ImageRecord]:
        """The selected records, in order."""
        chosen = self.selection.select(list(records))
        if self.best_first and self.order is Sort.SCORE:
            return sorted(chosen, key=lambda record: (-(record.score or 0.0), record.path))
        if self.order is None:
            return chosen
        if self.order is Sort.PATH:
            return sorted(chosen, key=lambda record: record.path)
        return sorted(chosen, key=lambda record: (record.score is None, record.score or 0.0, record.path))


@dataclass(frozen=True)
class ScoringRun:
    """Pictures to score and how; `tally` counts the results as they pass.

    Attributes:
        model, files, view_size, jobs, max_pixels: as `score_files` takes them.
        run: properties shared by all results.
        gate: judges each result.
        console: receives progress and warnings.
    """

    model: Model
    files: Sequence[Path]
    run: Run
    gate: Gate
    console: Console
    view_size: ViewSize
    jobs: int | None
    max_pixels: int
    tally: RunTally = field(default_factory=RunTally)

    def write_table(self, target: Path, division: Mapping[str, Any] | None) -> int:
        """Score into a Parquet file, which continues where an earlier run stopped; the number of rows it had.

        `division` is as `score_to_file` takes it.
        """
        from shamisa_cli.core.scoring.resumable import score_to_file
        from shamisa_cli.core.scoring.score_table import read_scores

        with self.console.progress("Scoring", len(self.files)) as advance:
            result = score_to_file(
                self.model,
                list(self.files),
                target,
                view_size=self.view_size,
                jobs=self.jobs,
                max_pixels=self.max_pixels,
                division=division,
                advance=advance,
            )
        if not self.files:
            return 0
        self.console.warn_of_dropped(result.dropped, target)
        for _ in self.tally.watch(apply_gate(read_scores(target), self.gate), lambda _pictures: None):
            pass
        self.console.warn_of_unreadable(self.tally.messages)
        return result.reused

    def report(
        self, shown: Shown, target: Path | None, *, html: Path | None, maps: Path | None, cache: Cache | None
    ) -> None:
        """Score, and write the results to a file or stdout, and if requested the HTML report and the maps."""
        from shamisa_cli.core.scoring.pipeline import score_files
        from shamisa_cli.core.scoring.thumbnails import Thumbnails

        _require_room_beside(html, len(self.files))
        thumbnails = None if html is None else Thumbnails()
        with (
            closing(
                score_files(
                    self.model,
                    self.files,
                    jobs=self.jobs,
                    view_size=self.view_size,
                    max_pixels=self.max_pixels,
                    watch=None if thumbnails is None else thumbnails.add,
                    draws=_map_writer(self.model, self.files, maps, thumbnails),
                    cache=cache,
                    sketches=shown.groups is not None,
                )
            ) as scored,
            closing(apply_gate(scored, self.gate)) as records,
            thumbnails or nullcontext(),
        ):
            collected = self._write(records, shown, target, keep=html is not None)
            if html is not None and thumbnails is not None:
                _write_page(html, collected, self.run, thumbnails)
        if shown.selection.limits:
            self.console.warn_of_unreadable(self.tally.messages)
        elif target is None:
            self.console.warn_of_discarded(self.tally.messages)

    def _write(
        self, records: Iterator[ImageRecord], shown: Shown, target: Path | None, *, keep: bool
    ) -> list[ImageRecord]:
        """Write the results; returns all of them, unless they were written as they arrived and are not to be kept."""
        from shamisa_cli.core.culling.groups import group_records

        collected: list[ImageRecord] = []
        beside = shown.streams and target is None
        with (
            self.console.results(target) as stream,
            self.console.progress("Scoring", len(self.files), beside_results=beside) as advance,
        ):
            watched = self.tally.watch(records, advance)
            if shown.streams:
                shown.reporter.write(_kept(watched, collected) if keep else watched, self.run, stream)
                return collected
            collected += watched
            if shown.groups is not None:
                collected = group_records(collected, shown.groups)
            summary = summarise(collected) if shown.selection.limits else self.run.summary
            shown.reporter.write(shown.arranged(collected), replace(self.run, summary=summary), stream)
        return collected


def _map_writer(
    model: Model, files: Sequence[Path], maps: Path | None, thumbnails: Thumbnails | None
) -> MapWriter | None:
    """The writer of the maps of a run, which keeps them for a page; None without a folder for them."""
    from shamisa_cli.core.scoring.heatmap import MapWriter

    watch = None if thumbnails is None else thumbnails.add_map
    return None if maps is None else MapWriter(model, maps, files, watch=watch)


def _require_room_beside(html: Path | None, count: int) -> None:
    """Raise SettingError if the thumbnails of so many pictures may need a folder beside the page that is another's."""
    from shamisa_cli.core.scoring.thumbnails import MOST_BYTES_EACH, MOST_INLINE_BYTES, require_own_folder

    if html is not None and count * MOST_BYTES_EACH > MOST_INLINE_BYTES:
        require_own_folder(_beside(html))


def _beside(html: Path) -> Path:
    """The folder of a page's thumbnails, where a browser would be slow to read them in one file."""
    return html.with_name(f"{html.stem}-pictures")


def _write_page(html: Path, records: list[ImageRecord], run: Run, thumbnails: Thumbnails) -> None:
    """Write the page, and the folder beside it if it needs one, which takes its name after the page."""
    from shamisa_cli.cli.reporters.html import write_html
    from shamisa_cli.core.scoring.thumbnails import MOST_INLINE_BYTES, folder_of_thumbnails

    beside = _beside(html)
    apart = thumbnails.total_bytes > MOST_INLINE_BYTES
    with (
        folder_of_thumbnails(beside) if apart else nullcontext() as pictures,
        replacing(html) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as page,
    ):
        write_html(records, run, thumbnails, page, pictures, beside=beside.name)


def _kept(records: Iterable[ImageRecord], into: list[ImageRecord]) -> Iterator[ImageRecord]:
    for record in records:
        into.append(record)
        yield record
