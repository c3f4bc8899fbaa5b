"""A real Ray cluster of two nodes on this machine, one of which is killed while it works."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shamisa_cli.core.scale.store import open_parts

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

PICTURES = 240
PER_PART = 10

JOB = """
import sys
import shamisa_cli as shamisa

address, model, photos, output, per_part = sys.argv[1:]
recipe = shamisa.Recipe("scores", model, device="cpu")
done = shamisa.run_on_ray(recipe, [photos], output, address=address, pictures_per_part=int(per_part))
print(done.parts, done.rows, done.reused, done.unreadable)
"""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    yield cluster, cluster.add_node(**node)
    cluster.shutdown()


@pytest.fixture
def many(photos: Path) -> Path:
    """A folder with many pictures, of which one is broken."""
    for number in range(PICTURES - 13):
        (photos / f"more{number:03}.jpg").hardlink_to(photos / f"{number % 12:02}.jpg")
    return photos


def test_nothing_is_lost_and_nothing_doubled_when_a_node_is_killed(
    cluster: Any, tiny_model: Path, many: Path, tmp_path: Path
) -> None:
    whole, second = cluster
    output = tmp_path / "out"
    command = [sys.executable, "-c", JOB, whole.address, str(tiny_model), str(many), str(output), str(PER_PART)]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while job.poll() is None and len(list(output.glob("part-*"))) < 4:
        try:
            job.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
    there = len(list(output.glob("part-*")))
    whole.remove_node(second, allow_graceful=False)
    said, complaints = job.communicate(timeout=300)
    assert job.returncode == 0, complaints
    assert 4 <= there < PICTURES / PER_PART, "the node was killed before or after the work"

    assert said.split() == [str(PICTURES // PER_PART), str(PICTURES), "0", "1"]
    rows = open_parts(output).to_table(columns=["path", "status"]).to_pylist()
    assert Counter(row["path"] for row in rows) == Counter(str(path) for path in many.iterdir())
    assert [Path(row["path"]).name for row in rows if row["status"] != "ok"] == ["broken.jpg"]
    assert not [path for path in output.iterdir() if not path.name.startswith("part-")]
