"""A real Ray cluster of two nodes on this machine, one of which is killed while it works."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shamisa_cli.core.cluster.ray_job import _join, run_on_ray
from shamisa_cli.core.cluster.row_makers import JobSettings
from shamisa_cli.core.cluster.store import open_parts
from shamisa_cli.core.errors import InputNotFoundError, SettingError, ShamisaError
from shamisa_cli.core.scoring import provenance

pytest.importorskip("ray", reason="there is no Ray for this Python")

PICTURES = 240
PER_PART = 10
MOST_LOOKS = 10_000
"""At how far the job is, before it is taken to have stopped: some minutes."""

JOB = """
import json, sys
import shamisa_cli as shamisa

address, model, photos, output, per_part, said = sys.argv[1:]
recipe = shamisa.JobSettings("scores", model, device="cpu")
done = shamisa.run_on_ray(recipe, [photos], output, address=address, pictures_per_part=int(per_part))
with open(said, "w") as file:
    json.dump([done.parts, done.rows, done.reused, done.unreadable], file)
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one processor each, and the second of them."""
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    second = cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster, second
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def many(photos: Path) -> Path:
    """A folder with many pictures, of which one is broken."""
    for number in range(PICTURES - 13):
        (photos / f"more{number:03}.jpg").hardlink_to(photos / f"{number % 12:02}.jpg")
    return photos


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_doubled_when_a_node_is_killed(
    cluster: Any, tiny_model: Path, many: Path, tmp_path: Path
) -> None:
    whole, second = cluster
    output, said, log = tmp_path / "out", tmp_path / "said.json", tmp_path / "log.txt"
    arguments = [whole.address, tiny_model, many, output, PER_PART, said]
    with log.open("w") as stream:
        job = subprocess.Popen([sys.executable, "-c", JOB, *map(str, arguments)], stdout=stream, stderr=stream)
    for _ in range(MOST_LOOKS):
        if _both_nodes_work(output):
            break
        with suppress(subprocess.TimeoutExpired):
            job.wait(timeout=0.02)
            break
    there = len(list(output.glob("part-*")))
    whole.remove_node(second, allow_graceful=False)
    assert job.wait(timeout=300) == 0, log.read_text()
    assert there < PICTURES / PER_PART, "the node was killed when the work was done"

    parts, pictures, reused, unreadable = json.loads(said.read_text())
    assert (parts, pictures, unreadable) == (PICTURES // PER_PART, PICTURES, 1)
    assert reused < parts  # a part that the dead node had finished may be asked for again, and is there
    rows = open_parts(output).to_table(columns=["path", "status"]).to_pylist()
    assert Counter(row["path"] for row in rows) == Counter(str(path) for path in many.iterdir())
    assert [Path(row["path"]).name for row in rows if row["status"] != "ok"] == ["broken.jpg"]
    # What the dead node was writing may remain, under a hidden name that no reader of the folder takes for a part.
    assert len([path for path in output.iterdir() if not path.name.startswith(".")]) == PICTURES // PER_PART


@pytest.fixture
def with_other_package(tmp_path: Path) -> str:
    """A PYTHONPATH on which a package that reads pictures has another version."""
    described = tmp_path / "other" / "rawpy-9.9.dist-info" / "METADATA"
    described.parent.mkdir(parents=True)
    described.write_text("Metadata-Version: 2.1\nName: rawpy\nVersion: 9.9\n")
    return os.pathsep.join([str(tmp_path / "other"), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.mark.slow
def test_the_machine_that_starts_a_job_may_have_other_packages_but_workers_may_not(
    tiny_model: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_other_package: str
) -> None:
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    settings, output = JobSettings("scores", str(tiny_model), device="cpu"), tmp_path / "out"
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        monkeypatch.setattr(provenance, "_version", lambda _package: "1.1")  # here alone, not in the workers
        assert run_on_ray(settings, [many], output, pictures_per_part=PER_PART).rows == PICTURES
        cluster.add_node(**node, env_vars={"PYTHONPATH": with_other_package})
        with pytest.raises(ShamisaError, match=r"compute differently: .*rawpy 9\.9.* run the job again"):
            run_on_ray(settings, [many], tmp_path / "mixed", pictures_per_part=1, workers=2)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert open_parts(output).count_rows() == PICTURES


def _both_nodes_work(output: Path) -> bool:
    """Whether actors hold the processor of either node, and some parts are there."""
    import ray

    return len(list(output.glob("part-*"))) >= 4 and not ray.available_resources().get("CPU", 0)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_at_which_nothing_listens_is_refused_at_once(
    tiny_model: Path, photos: Path, tmp_path: Path, scheme: str
) -> None:
    with socket.socket() as unheard:  # bound, so that nobody else takes the port, and deaf
        unheard.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{unheard.getsockname()[1]}"
        with pytest.raises(SettingError, match=f"Nothing answers at {address} "):
            run_on_ray(
                JobSettings("scores", str(tiny_model), device="cpu"), [photos], tmp_path / "out", address=address
            )


def test_a_job_that_cannot_be_is_refused_before_ray_is_started(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    import shamisa_cli

    monkeypatch.setattr(ray, "init", lambda **_settings: pytest.fail("Ray was started"))
    settings = JobSettings("scores", str(tiny_model), device="cpu")
    for named in ([], [tmp_path / "nowhere"]):
        with pytest.raises(InputNotFoundError):
            shamisa_cli.run_on_ray(settings, named, tmp_path / "out")
    for name in ("cpus_per_worker", "gpus_per_worker"):
        for odd in (-1, float("inf"), float("nan"), "2"):
            with pytest.raises(SettingError, match=f"{name} must be a number from 0"):
                shamisa_cli.run_on_ray(settings, [photos], tmp_path / "out", **{name: odd})  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", [None, "local"])
def test_a_cluster_that_nobody_named_is_called_what_it_is(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**_settings: object) -> None:
        raise RuntimeError("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(SettingError, match=r"cannot take part in a Ray cluster on this machine: The current node"):
        _join(ray, address, quiet=False)


def test_a_cluster_of_another_python_is_refused_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**_settings: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Python: 3.10.1")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(SettingError, match=r"cluster at 'auto': Version mismatch: .* Python: 3\.10\.1"):
        _join(ray, "auto", quiet=False)
