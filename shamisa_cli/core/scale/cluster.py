"""Scores and features of more pictures than one machine should do, on a Ray cluster (an optional dependency).

A job is divided into parts by the names of the pictures, and Ray Data hands the parts to actors that hold the model.
Each actor reads its pictures, makes the rows and writes the part's file, complete or not at all, under a name that the
pictures decide. So it does no harm when Ray makes a part again because a machine was lost, and a job that is started
again makes only the parts that are not there. Rows never travel through Ray.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shamisa_cli.core.errors import ModelError, SettingError, ShamisaError
from shamisa_cli.core.scale.makers import Recipe
from shamisa_cli.core.scale.parts import Made, Part, divide, make_part
from shamisa_cli.core.scale.shards import Shard, require_count
from shamisa_cli.core.scale.sources import SCHEME, find_sources
from shamisa_cli.core.scale.store import Store

PICTURES_PER_PART = 1000
PARTS_PER_WORKER = 4
"""At least, where there are pictures enough, so that workers end at about the same time."""
TRIES = 5
"""Of a part whose pictures or file cannot be reached; a lost machine costs none."""
FIRST_WAIT = 1.0
"""Seconds before the second try; each further one waits twice as long."""
MOST_ERRORS = 20
"""Sentences about unreadable pictures that are kept."""


@dataclass(frozen=True)
class Done:
    """What a job did.

    Attributes:
        parts: files that hold the result.
        rows: in them.
        reused: of the rows, how many were there before.
        unreadable: pictures that could not be read in this run.
        errors: sentences about some of those.
    """

    parts: int
    rows: int
    reused: int
    unreadable: int
    errors: tuple[str, ...]


def run_on_ray(
    recipe: Recipe,
    named: Sequence[str | Path],
    output: str | Path,
    *,
    address: str | None = None,
    recursive: bool = True,
    workers: int | None = None,
    cpus_per_worker: float = 1,
    gpus_per_worker: float = 0,
    pictures_per_part: int = PICTURES_PER_PART,
) -> Done:
    """Make scores or features of pictures on a Ray cluster; `open_parts` reads the result.

    Run again, it makes what is not there yet: after an interruption, or with more pictures.

    Args:
        recipe: what is made, and with which model.
        named: see `find_sources`; files on disks must be there on every machine under the same name.
        output: a folder that every machine reaches, or an address such as s3://bucket/scores.
        address: of the cluster, as for `ray.init`: "auto" is the one this machine is part of; None starts Ray on
            this machine, unless it was initialised already.
        recursive: whether folders are read with all their folders.
        workers: actors at once; None takes as many as the cluster has room for, and follows it as it grows.
        cpus_per_worker, gpus_per_worker: what Ray sets aside for each; a worker uses one thread.
        pictures_per_part: about so many are done again after a loss. Parts that are there keep their size.

    Raises:
        InputNotFoundError: a name leads to nothing.
        ModelError: the model is missing, or cannot do it.
        SettingError: an impossible setting, or Ray is not installed.
        ShamisaError: some part could not be made in several tries; the others are kept.
    """
    ray = _ray()
    model = recipe.loaded()
    recipe.maker(model).schema  # noqa: B018 - says now what is wrong, and not on every machine
    store = Store(_whole(output))
    sources = find_sources(named, recursive=recursive)
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False)
    there = workers or max(1, int(ray.cluster_resources().get("CPU", 1) // (cpus_per_worker or 1)))
    count = _count(store, len(sources.pictures), there, pictures_per_part)
    require_count(store.names, count, store.address)
    parts = divide(sources, count)
    rows = [{"part": part.to_json()} for part in parts]
    made = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _Worker,
        fn_constructor_args=(recipe, store, model.encoder_fingerprint),
        compute=ray.data.ActorPoolStrategy(
            min_size=1, initial_size=min(there, len(parts)), max_size=workers, max_tasks_in_flight_per_actor=2
        ),
        num_cpus=cpus_per_worker,
        num_gpus=gpus_per_worker,
    )
    try:
        return _gathered(made.iter_rows())
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ShamisaError(
            f"A part could not be made ({reason}). What is done is kept in {store.address}; run it again."
        ) from error


class _Worker:
    """An actor: it holds the model and makes the parts that it is handed."""

    def __init__(self, recipe: Recipe, store: Store, fingerprint: str) -> None:
        model = recipe.loaded()
        if model.encoder_fingerprint != fingerprint:
            raise ModelError(f"The model {recipe.model} on this machine is another one than where the job was started.")
        self._maker = recipe.maker(model)
        self._store = store
        self._max_pixels = recipe.max_pixels

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        part = Part.from_json(row["part"])
        made = persistent(lambda: make_part(part, self._maker, self._store, max_pixels=self._max_pixels))
        return {"made": json.dumps([made.rows, made.reused, len(made.errors), made.errors[:MOST_ERRORS]])}


def persistent(make: Callable[[], Made], wait: Callable[[float], None] = time.sleep) -> Made:
    """What `make` gives, tried again after OSErrors. Raises the OSError of the last try."""
    for attempt in range(TRIES - 1):
        try:
            return make()
        except OSError:
            wait(FIRST_WAIT * 2**attempt)
    return make()


def _ray() -> Any:
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise SettingError("Ray is not installed. Install it with: pip install 'shamisa[ray]'.") from error
    return ray


def _whole(output: str | Path) -> str:
    return str(output) if SCHEME in str(output) else str(Path(output).expanduser().absolute())


def _count(store: Store, pictures: int, workers: int, pictures_per_part: int) -> int:
    """Into how many parts the pictures go: as many as before, or by how many there are."""
    there = [shard.count for name in store.names if (shard := Shard.of_file(name)) is not None]
    size = max(1, min(pictures_per_part, pictures // (PARTS_PER_WORKER * workers)))
    return there[0] if there else max(1, math.ceil(pictures / size))


def _gathered(rows: Iterable[dict[str, str]]) -> Done:
    done = Done(0, 0, 0, 0, ())
    for row in rows:
        made, reused, unreadable, errors = json.loads(row["made"])
        done = Done(
            done.parts + 1,
            done.rows + made,
            done.reused + reused,
            done.unreadable + unreadable,
            (*done.errors, *errors)[:MOST_ERRORS],
        )
    return done
