"""Evaluation of a model's features by a test protocol, on one table of human scores or across several.

Probes are fitted and discarded; `shamisa fit-probe` keeps one.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.fitting.doubts import doubts
from shamisa_cli.core.fitting.progress import Progress, no_progress
from shamisa_cli.core.models.resolver import bundled
from shamisa_cli.core.probe.cross_dataset import (
    CrossTable,
    DataSet,
    ProtocolName,
    cross_table,
    run_named,
    usual_logistic,
    usual_scale,
)
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table
from shamisa_cli.core.probe.paper_protocol import require_paper_reading
from shamisa_cli.core.probe.protocol import SPLITS, ProtocolResult, random_splits
from shamisa_cli.core.probe.same_pictures import picture_keys, same_pictures
from shamisa_cli.core.scoring.table_features import pictures_read, read_table

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.cache import Cache


@dataclass(frozen=True, eq=False)
class ProtocolEvaluation:
    """Results of a protocol on one table.

    Attributes:
        table: the rows whose images could be read.
        result: results of the splits.
        logistic: whether PLCC and RMSE were computed after a logistic mapping.
        errors: one for each image that could not be read.
        warnings: sentences on results that say little, and on pictures with several rows.
    """

    table: MosTable
    result: ProtocolResult
    logistic: bool
    errors: tuple[ImageError, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CrossEvaluation:
    """Results of a protocol across tables.

    Attributes:
        tables: the rows whose images could be read, by name of the data set.
        cross: agreement for each data set fitted on and each tested on.
        errors: one for each image that could not be read.
        warnings: sentences on results that say little, and on pictures that several tables share, or that have several
            rows in one.
    """

    tables: Mapping[str, MosTable]
    cross: CrossTable
    errors: tuple[ImageError, ...]
    warnings: tuple[str, ...] = ()


def evaluate_by_protocol(
    model: Model,
    table: str | Path | MosTable,
    protocol: ProtocolName,
    *,
    lower_is_better: bool = False,
    splits: PositiveInt = SPLITS,
    seed: int = 0,
    logistic: bool | None = None,
    jobs: PositiveInt | None = None,
    cache: Cache | None = None,
    progress: Progress = no_progress,
) -> ProtocolEvaluation:
    """Fit and report on random splits of one table.

    Args:
        model: only its encoder is used, not its probe.
        table: a CSV file of human scores, or a table from `read_mos_table`; where it names references, features are
            absolute differences from theirs (full-reference extension).
        protocol: "default" or "paper".
        lower_is_better: the scores count impairment.
        splits, seed: of the protocol.
        logistic: whether PLCC and RMSE follow a 4-parameter logistic; None: see `usual_logistic`.
        jobs, cache: as for `read_table`.
        progress: shows the progress of embedding and of fitting.

    Raises:
        ModelError: the encoder does not have the features of the paper's protocol.
        SettingError: there are too few images or groups for a split.
        MosTableError: the table cannot be read.
        InputNotFoundError: too few pictures could be read.
    """
    table = table if isinstance(table, MosTable) else read_mos_table(table)
    random_splits(len(table), splits=splits, seed=seed, groups=table.groups)  # before hours of embedding
    paper = require_reading(model, protocol)
    mapped = usual_logistic(protocol, table.groups) if logistic is None else logistic
    with progress("Embedding", pictures_read(table)) as advance:
        read = read_table(model, table, crops=paper, jobs=jobs, cache=cache, advance=advance)
    data = DataSet("", read.rows, read.table.mos, read.table.groups, read.table.subsets, lower_is_better)
    with progress("Fitting", splits) as advance:
        result = run_named(protocol, data, splits=splits, seed=seed, logistic=mapped, advance=advance)
    warnings = read.warnings + _doubts(protocol, data, result, read.table)
    return ProtocolEvaluation(read.table, result, mapped, read.errors, warnings)


def evaluate_across(
    model: Model,
    tables: Mapping[str, str | Path | MosTable],
    protocol: ProtocolName,
    *,
    lower_is_better: Sequence[str] = (),
    splits: PositiveInt = SPLITS,
    seed: int = 0,
    logistic: bool = True,
    jobs: PositiveInt | None = None,
    cache: Cache | None = None,
    progress: Progress = no_progress,
) -> CrossEvaluation:
    """Fit on each table, and test on every other whole table.

    Args:
        model, protocol, splits, seed, jobs, cache, progress: as for `evaluate_by_protocol`.
        tables: two or more files or tables, as for `evaluate_by_protocol`, by the names of the data sets.
        lower_is_better: names of those whose scores count impairment.
        logistic: whether PLCC and RMSE follow a 4-parameter logistic.

    Raises:
        ModelError, SettingError, InputNotFoundError, MosTableError: as `evaluate_by_protocol` does.
        SettingError: `lower_is_better` has a name that no table has.
    """
    _require_several(len(tables))
    if unknown := [name for name in lower_is_better if name not in tables]:
        raise SettingError(f"lower_is_better names {unknown[0]!r}; the tables are {', '.join(map(repr, tables))}.")
    given = {name: each if isinstance(each, MosTable) else read_mos_table(each) for name, each in tables.items()}
    for table in given.values():
        random_splits(len(table), splits=splits, seed=seed, groups=table.groups)
    paper = require_reading(model, protocol)
    readable: dict[str, MosTable] = {}
    errors: list[ImageError] = []
    odd: list[str] = []
    sets: list[DataSet] = []
    for name, table in given.items():
        with progress(f"Embedding {name}", pictures_read(table)) as advance:
            read = read_table(model, table, crops=paper, jobs=jobs, cache=cache, advance=advance)
        readable[name] = read.table
        errors += read.errors
        odd += read.warnings
        sets.append(DataSet(name, read.rows, read.table.mos, read.table.groups, None, name in lower_is_better))
    with progress("Fitting", splits * len(sets)) as advance:
        cross = cross_table(protocol, sets, splits=splits, seed=seed, logistic=logistic, advance=advance)
    for data, own in zip(sets, cross.own, strict=True):
        odd += [f"{data.name}: {each}" for each in _doubts(protocol, data, own, readable[data.name])]
    return CrossEvaluation(readable, cross, tuple(errors), (*odd, *_on_shared(readable, sets)))


def data_set_names(paths: Sequence[Path]) -> list[str]:
    """Short unique names of tables: the file's name, with as many of its folders as needed.

    Raises SettingError if there are fewer than two tables, or one is named twice.
    """
    _require_several(len(paths))
    files = [os.path.realpath(path) for path in paths]
    for place, file in enumerate(files):
        if file in files[:place]:
            raise SettingError(f"{paths[place]} is named twice; each table of a cross-dataset table is named once.")
    stems = [Path(file).with_suffix("") for file in files]
    for count in range(1, max(len(stem.parts) for stem in stems) + 1):
        names = ["/".join(stem.parts[-count:]) for stem in stems]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _doubts(protocol: ProtocolName, data: DataSet, result: ProtocolResult, table: MosTable) -> tuple[str, ...]:
    """Reasons to doubt the results of the splits of a data set, whose pictures `table` names."""
    positions = usual_scale(protocol, data)(data.mos).position(data.mos)
    return doubts(result, positions, table.paths, same_pictures(data.rows), table.groups, table.subsets)


def _on_shared(tables: Mapping[str, MosTable], sets: Sequence[DataSet]) -> tuple[str, ...]:
    """Sentences on pictures that two tables share."""
    keys = {each.name: picture_keys(each.rows) for each in sets}
    found = []
    for one, other in combinations(tables, 2):
        if count := _shared(tables[one], keys[one], tables[other], keys[other]):
            found.append(f"{one} and {other} share {count:,} pictures: a probe is tested on pictures it was fitted on.")
    return tuple(found)


def _shared(one: MosTable, keys: Sequence[Hashable], other: MosTable, others: Sequence[Hashable]) -> int:
    """Number of rows whose picture the other table has too, under the same or another name."""
    files = set(map(os.path.realpath, other.paths))
    contents = {key for key in others if isinstance(key, bytes)}
    return sum(key in contents or os.path.realpath(path) in files for path, key in zip(one.paths, keys, strict=True))


def _require_several(count: int) -> None:
    if count < 2:
        raise SettingError("A cross-dataset table needs at least two tables of human scores.")


def require_reading(model: Model, protocol: ProtocolName) -> bool:
    """Whether features are kept per crop. Raises ModelError if the protocol needs crops that the encoder lacks."""
    if protocol == "paper":
        folder = None if model.name in bundled() else model.folder
        require_paper_reading(model.encoder.config, model.name if folder is None else str(folder.path))
    return protocol == "paper"
