"""A real Ray cluster of two nodes on this machine, one of which is killed while it works."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shamisa_cli.core.cluster.ray_job import _join, run_on_ray
from shamisa_cli.core.cluster.row_makers import JobSettings
from shamisa_cli.core.cluster.store import open_parts
from shamisa_cli.core.errors import InputNotFoundError, SettingError

pytest.importorskip("ray", reason="there is no Ray for this Python")

PICTURES = 240
PER_PART = 10


def driven(program: str, folder: Path, *arguments: object) -> Any:
    """What a program of `ray_drivers` found."""
    found, log = folder / "found.json", folder / "driver.log"
    command = [sys.executable, Path(__file__).with_name("ray_drivers.py"), program, found, *arguments]
    with log.open("w") as stream:
        subprocess.run([*map(str, command)], stdout=stream, stderr=stream, timeout=600, check=False)
    assert found.exists(), log.read_text()
    return json.loads(found.read_text())


@pytest.fixture
def many(photos: Path) -> Path:
    """A folder with many pictures, of which one is broken."""
    for number in range(PICTURES - 13):
        (photos / f"more{number:03}.jpg").hardlink_to(photos / f"{number % 12:02}.jpg")
    return photos


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_doubled_when_a_node_is_killed(
    tiny_model: Path, many: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    found = driven("lose_a_node", tmp_path, tiny_model, many, output, PER_PART)
    assert found["code"] == 0, found["log"]
    assert found["there"] < PICTURES / PER_PART, "the node was killed when the work was done"

    parts, pictures, reused, unreadable = found["said"]
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
    tiny_model: Path, many: Path, tmp_path: Path, with_other_package: str
) -> None:
    output = tmp_path / "out"
    found = driven("mix_packages", tmp_path, tiny_model, many, output, PER_PART, with_other_package)
    assert found["rows"] == PICTURES == open_parts(output).count_rows()
    assert re.search(r"compute differently: .*rawpy 9\.9.* run the job again", found["refusal"])


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
