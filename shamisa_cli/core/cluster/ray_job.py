"""Scores and features of large collections on a Ray cluster (an optional dependency).

A job is divided into parts by the names of the images, and Ray Data assigns the parts to actors that hold the model.
Each actor reads its images, computes the rows and writes the part's file, complete or not at all, under a name that
depends on the images alone. So Ray may safely repeat a part after a machine was lost, and a job that is started
again computes only the missing parts. Rows are never sent through Ray.
"""

from __future__ import annotations

import json
import logging
import math
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from shamisa_cli.core.arguments import AtLeast, PositiveInt
from shamisa_cli.core.cluster.made_by import SAME_EVERYWHERE, MadeBy
from shamisa_cli.core.cluster.part_number import PartNumber, require_count
from shamisa_cli.core.cluster.parts import MOST_ERRORS, READERS, Part, split_into_parts, write_part
from shamisa_cli.core.cluster.retrying import with_retries
from shamisa_cli.core.cluster.row_makers import JobSettings
from shamisa_cli.core.cluster.sources import SCHEME, find_sources
from shamisa_cli.core.cluster.store import Store
from shamisa_cli.core.errors import InputNotFoundError, SettingError, ShamisaError
from shamisa_cli.core.home import expanded
from shamisa_cli.core.images.budget import DECODING
from shamisa_cli.core.records import JobResult
from shamisa_cli.core.scoring.feature_formats import portable
from shamisa_cli.core.scoring.provenance import differing
from shamisa_cli.core.sole_writer import writes

PICTURES_PER_PART = 1000
PARTS_PER_WORKER = 4
"""Least number of parts per worker if there are enough images, so that workers end at about the same time."""
MOST_LOST_STARTS = 3
"""Consecutive workers that may fail while loading the model before the job is stopped."""

UNMADE = (OSError, ValueError, RuntimeError, MemoryError)
"""Errors that fail one part, not the job."""
CLIENT_SCHEME = "ray://"
SECONDS_TO_CONNECT = 10
Reserved = Annotated[float, AtLeast(0, most=1e6)]
"""Processors or GPUs that a worker reserves."""

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""From the number of parts to a context whose function is called with 1 after each part."""


@writes("output")
def run_on_ray(
    settings: JobSettings,
    named: Sequence[str | Path],
    output: str | Path,
    *,
    address: str | None = None,
    listed: Sequence[str | Path] = (),
    recursive: bool = True,
    workers: PositiveInt | None = None,
    cpus_per_worker: Reserved = 1,
    gpus_per_worker: Reserved | None = None,
    pictures_per_part: PositiveInt = PICTURES_PER_PART,
    progress: Progress | None = None,
) -> JobResult:
    """Compute scores or features of images on a Ray cluster; `open_parts` reads the result.

    Another run computes only what is missing: after an interruption, or with more images.

    Args:
        settings: the kind of rows, and the model.
        named: see `find_sources`; files on disks must be there on every machine under the same name.
        output: a folder that every machine reaches, or an address such as s3://bucket/scores.
        address: of the cluster, as for `ray.init`: "auto" is the one this machine is part of, "local" starts Ray on
            this machine alone; None takes what is there, and else starts it. A Ray that was initialised stays.
        listed: further images from a list; one that is missing is kept, and its row holds the error.
        recursive: whether folders are read with all their folders.
        workers: actors at once; None takes as many as the cluster has room for, and follows it as it grows.
        cpus_per_worker, gpus_per_worker: what Ray reserves for each; None: one GPU if the settings names CUDA, else
            none. The model computes in one thread or on the GPU; images are decoded ahead in others, one for
            each processor of the worker.
        pictures_per_part: about how many images are repeated after a failure. Existing parts keep their size.
        progress: shows the progress of the job; None: Ray's own display, with its messages.

    Raises:
        InputNotFoundError: a name matches nothing, or nothing is named.
        ModelError: the model is missing or unsuitable.
        SettingError: an invalid setting, no cluster at the address, or Ray is not installed.
        OSError: a store cannot be reached.
        ShamisaError: some parts failed in several tries (the others were written and are kept), or machines compute
            by different packages or on different kinds of devices.
    """
    if not named and not listed:
        raise InputNotFoundError("No input was named; give at least one picture, folder, tar or pattern.")
    ray = _ray()
    # The machine that starts a job may have no GPU, and needs none.
    model = replace(settings, device="cpu").loaded()
    started = settings.maker(model).schema.metadata  # finds errors now rather than on every machine
    store = Store(_whole(output))
    sources = find_sources(named, listed=listed, recursive=recursive)
    _join(ray, address, quiet=progress is not None)
    there = workers or max(1, int(ray.cluster_resources().get("CPU", 1) // (cpus_per_worker or 1)))
    count = _count(store, len(sources.pictures), there, pictures_per_part)
    require_count(store.names, count, store.address)
    parts = split_into_parts(sources, count)
    if gpus_per_worker is None:
        gpus_per_worker = 1 if settings.device.startswith("cuda") else 0
    readers = max(READERS, math.ceil(cpus_per_worker))
    rows = [{"part": part.to_json()} for part in parts]
    made = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _Worker,
        fn_constructor_args=(settings, store, started, readers),
        compute=ray.data.ActorPoolStrategy(
            min_size=1, initial_size=min(there, len(parts)), max_size=workers, max_tasks_in_flight_per_actor=2
        ),
        num_cpus=cpus_per_worker,
        num_gpus=gpus_per_worker,
    )
    made.context.execution_no_progress_timeout_s = -1  # since a tar may take hours
    made.context.max_consecutive_actor_init_deaths = MOST_LOST_STARTS
    opened = nullcontext(lambda _parts: None) if progress is None else progress(len(parts))
    try:
        with _silent(made) if progress else nullcontext(), opened as advance:
            others = sorted(set(store.names) - {part.name for part in parts})
            return replace(_gathered(made.iter_rows(), store, advance), others=tuple(others))
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ShamisaError(
            f"The job stopped ({reason}). Finished parts are kept in {store.address}; run it again to continue."
        ) from error


class _Worker:
    """An actor: it holds the model and writes the parts that it is given."""

    def __init__(self, settings: JobSettings, store: Store, started: Mapping[bytes, bytes], readers: int) -> None:
        self._maker = settings.maker(settings.loaded())
        self._made_by = MadeBy.of_metadata(self._maker.schema.metadata)
        self._made_by.require_same_model(settings.model, MadeBy.of_metadata(started))
        DECODING.set_limit(settings.max_memory)
        self._store = store
        self._max_pixels = settings.max_pixels
        self._readers = readers

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        part = Part.from_json(row["part"])

        def make() -> JobResult:
            return write_part(part, self._maker, self._store, max_pixels=self._max_pixels, readers=self._readers)

        try:
            done = make() if part.tar is None else with_retries(make)
        except UNMADE as error:  # other parts may succeed
            return {"failure": portable(f"{part.name}: {str(error) or type(error).__name__}")}
        host = socket.gethostname()
        return {"done": json.dumps(asdict(done)), "computed_by": self._made_by.computed_by, "host": host}


def _ray() -> Any:
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise SettingError("Ray is not installed. Install it with: pip install 'shamisa[ray]'.") from error
    return ray


def _join(ray: Any, address: str | None, *, quiet: bool) -> None:
    """Connect to a cluster unless this process is connected already."""
    if ray.is_initialized():
        return
    cluster = "a Ray cluster on this machine" if address in (None, "local") else f"the Ray cluster at {address!r}"
    _require_listener(address)
    # Switch off Ray's usage reports, which are on by default.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if quiet:  # its C++ code warns on stderr of every pool of actors
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR if quiet else logging.INFO)
    except (ConnectionError, ValueError) as error:
        raise SettingError(
            f"{cluster[0].upper()}{cluster[1:]} cannot be reached. Start one with: ray start --head; or use 'local', "
            "which starts one on this machine."
        ) from error
    except Exception as error:  # different versions of Python or Ray there, or too slow a start: Ray has no type for it
        reason = " ".join(str(error).split())
        raise SettingError(f"This machine cannot take part in {cluster}: {reason}") from error


def _require_listener(address: str | None) -> None:
    """Raise an error for an address with a port at which nothing listens, for which Ray would wait."""
    host, _, port = (address or "").removeprefix(CLIENT_SCHEME).rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError, ValueError) as error:
        raise SettingError(
            f"Nothing answers at {address} ({error}). Use the address that `ray start --head` showed."
        ) from error


@contextmanager
def _silent(dataset: Any) -> Iterator[None]:
    """Context without Ray Data's own display and messages."""
    dataset.context.enable_progress_bars = False
    messages = logging.getLogger("ray.data")
    level = messages.level
    messages.setLevel(logging.ERROR)
    try:
        yield
    finally:
        messages.setLevel(level)


def _whole(output: str | Path) -> str:
    return str(output) if SCHEME in str(output) else str(expanded(output).absolute())


def _count(store: Store, pictures: int, workers: int, pictures_per_part: int) -> int:
    """Number of parts: as in an earlier run, or else by the number of images."""
    there = [shard.count for name in store.names if (shard := PartNumber.of_file(name)) is not None]
    size = max(1, min(pictures_per_part, pictures // (PARTS_PER_WORKER * workers)))
    return there[0] if there else max(1, math.ceil(pictures / size))


def _gathered(rows: Iterable[dict[str, str]], store: Store, advance: Callable[[int], None]) -> JobResult:
    """Add up the results of all parts.

    Raises:
        ShamisaError: two workers compute differently, which ends the job at once, since their parts cannot be joined;
            or some parts could not be written, after all have been tried.
    """
    done = JobResult(0, 0, parts=0)
    failures = []
    first = None
    for row in rows:
        advance(1)
        if row.get("failure"):
            failures.append(row["failure"])
            continue
        first = first or row
        _require_alike(first, row)
        part = JobResult(**json.loads(row["done"]))
        done = JobResult(
            done.rows + part.rows,
            done.reused + part.reused,
            done.unreadable + part.unreadable,
            (*done.errors, *part.errors)[:MOST_ERRORS],
            done.parts + part.parts,
        )
    if failures:
        raise ShamisaError(
            f"{len(failures):,} of {done.parts + len(failures):,} parts were not written; the first: {failures[0]}. "
            f"The others are in {store.address}; run the job again."
        )
    return done


def _require_alike(first: Mapping[str, str], row: Mapping[str, str]) -> None:
    """Check that two workers compute by the same packages on the same kind of device. Raises ShamisaError if not."""
    one, other = differing(first["computed_by"], row["computed_by"])
    if one != other:
        raise ShamisaError(
            f"Machines of the cluster compute differently: {first['host']} by {one}; {row['host']} by {other}. "
            f"{SAME_EVERYWHERE}, and run the job again; parts that were computed otherwise are made anew."
        )
