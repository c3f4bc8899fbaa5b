"""Programs that start a Ray cluster of two nodes on this machine and drive it, each a process of its own.

Ray ends the process that drives a cluster when it takes the node it is connected to for dead, which must not be the
process that runs the tests. What a program found is in a file, as JSON, before it takes the cluster down.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

import shamisa_cli as shamisa
from shamisa_cli.core.scoring import provenance

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
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


@contextmanager
def cluster_of_one() -> Iterator[Any]:
    """A cluster of one node, to which this process is connected."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def lose_a_node(found: Path, model: str, photos: str, output: str, per_part: str) -> None:
    """Kill the second node while a job works on both; how the job ended, and how many parts there were by then."""
    with cluster_of_one() as cluster:
        second = cluster.add_node(**NODE)
        said, log = found.with_suffix(".said"), found.with_suffix(".log")
        arguments = [cluster.address, model, photos, output, per_part, str(said)]
        with log.open("w") as stream:
            job = subprocess.Popen([sys.executable, "-c", JOB, *arguments], stdout=stream, stderr=stream)
        for _ in range(MOST_LOOKS):
            if _both_nodes_work(Path(output)):
                break
            with suppress(subprocess.TimeoutExpired):
                job.wait(timeout=0.02)
                break
        there = len(list(Path(output).glob("part-*")))
        cluster.remove_node(second, allow_graceful=False)
        code = job.wait(timeout=300)
        said_of_job = json.loads(said.read_text()) if said.exists() else None
        found.write_text(json.dumps({"there": there, "code": code, "said": said_of_job, "log": log.read_text()}))


def _both_nodes_work(output: Path) -> bool:
    """Whether actors hold the processor of either node, and some parts are there."""
    return len(list(output.glob("part-*"))) >= 4 and not ray.available_resources().get("CPU", 0)


def mix_packages(found: Path, model: str, photos: str, output: str, per_part: str, other: str) -> None:
    """Run a job from a process of odd packages, and one whose second node has them: rows, and how it was refused."""
    settings = shamisa.JobSettings("scores", model, device="cpu")
    with cluster_of_one() as cluster:
        provenance._version = lambda _package: "1.1"  # here alone, not in the workers
        rows = shamisa.run_on_ray(settings, [photos], output, pictures_per_part=int(per_part)).rows
        cluster.add_node(**NODE, env_vars={"PYTHONPATH": other})
        refusal = None
        try:
            shamisa.run_on_ray(settings, [photos], f"{output}-mixed", pictures_per_part=1, workers=2)
        except shamisa.ShamisaError as error:
            refusal = str(error)
        found.write_text(json.dumps({"rows": rows, "refusal": refusal}))


if __name__ == "__main__":
    {"lose_a_node": lose_a_node, "mix_packages": mix_packages}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
