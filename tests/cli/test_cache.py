"""A second run over an unchanged folder, and what may happen to the cache in between."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shamisa_cli.core.scoring.cache import FILE

pytestmark = pytest.mark.slow  # every test starts processes

WHAT_IT_IMPORTED = """
import sys
from shamisa_cli.cli.app import main
try:
    main()
finally:
    heavy = {"onnxruntime", "torch"} & set(sys.modules)
    print("imported:", *sorted(heavy), file=sys.stderr)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The variables of a user whose cache is empty."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SHAMISA_", "GITHUB_"))}
    return plain | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "SHAMISA_CACHE_DIR": str(tmp_path / "cache")}


def test_a_second_run_says_the_same_and_loads_no_library_that_computes(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, photos: Path, environment: dict[str, str]
) -> None:
    options = ["score", str(photos), "--model", str(tiny_model), "-f", "json", "--device", "cpu"]
    without = shamisa(*options, "--no-cache", env=environment)
    assert not Path(environment["SHAMISA_CACHE_DIR"]).exists()
    first = shamisa(*options, env=environment)
    command = [sys.executable, "-c", WHAT_IT_IMPORTED, *options]
    second = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert without.stdout == first.stdout == second.stdout
    assert second.stderr.splitlines()[-1] == "imported:"

    known = json.loads(shamisa("cache", "info", "--json", env=environment).stdout)
    assert (known["scores"], known["features"]) == (4, 0)
    assert "scores    4 pictures" in shamisa("cache", "info", env=environment).stdout
    assert shamisa("cache", "clear", env=environment).returncode == 0
    assert json.loads(shamisa("cache", "info", "--json", env=environment).stdout)["scores"] == 0


def test_maps_pages_and_evaluate_work_from_the_cache(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, photos: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    pages = []
    for run in ("first", "second"):
        page, maps = tmp_path / run / "report.html", tmp_path / run / "maps"
        options = ["--model", tiny_model, "--html", page, "--maps", maps]
        shown = shamisa("score", photos, *options, env=environment)
        assert shown.returncode == 0, shown.stderr
        pictures = re.findall(rb"UklGR[A-Za-z0-9+/=]+", page.read_bytes())  # "RIFF", as any WebP begins
        pages.append((shown.stdout, pictures, [path.read_bytes() for path in sorted(maps.glob("*.png"))]))
    assert pages[0] == pages[1]
    assert len(pages[1][1]) >= 4
    assert len(pages[1][2]) == 4

    for number in range(4, 12):
        shutil.copy(photos / "1.jpg", photos / f"{number}.jpg")
    rows = "".join(f"{number}.jpg,{number % 5 + 1}\n" for number in range(12))
    (photos / "mos.csv").write_text("image,mos\n" + rows)
    options = ["--mos", photos / "mos.csv", "--model", tiny_model, "-f", "json"]
    tables = [shamisa("evaluate", *options, *more, env=environment) for more in ([], [], ["--no-cache"])]
    assert tables[0].returncode == 0, tables[0].stderr
    assert tables[0].stdout == tables[1].stdout == tables[2].stdout


def test_embed_takes_from_the_cache_and_leaves_there(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, photos: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    for name in ("a.npz", "b.npz"):
        shown = shamisa("embed", photos, "-o", tmp_path / name, "--model", tiny_model, env=environment)
        assert shown.returncode == 0, shown.stderr
    shown = shamisa("embed", photos, "-o", tmp_path / "c.npz", "--model", tiny_model, "--no-cache", env=environment)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()
    assert json.loads(shamisa("cache", "info", "--json", env=environment).stdout)["features"] == 4


def test_a_damaged_cache_is_a_warning_and_clearing_mends_it(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, photos: Path, environment: dict[str, str]
) -> None:
    options = ["score", photos, "--model", tiny_model, "-f", "json"]
    first = shamisa(*options, env=environment)
    (file,) = Path(environment["SHAMISA_CACHE_DIR"]).iterdir()
    file.write_bytes(b"gone bad" * 1000)
    second = shamisa(*options, env=environment)
    assert second.returncode == 0
    assert second.stdout == first.stdout
    assert second.stderr.startswith("warning: the cache")
    assert second.stderr.count("\n") == 2  # the warning, and the line about the run
    assert shamisa("cache", "info", env=environment).returncode == 2
    assert shamisa("cache", "clear", env=environment).returncode == 0
    assert "warning" not in shamisa(*options, env=environment).stderr
    assert json.loads(shamisa("cache", "info", "--json", env=environment).stdout)["scores"] == 4


def test_the_advice_about_a_damaged_cache_is_about_the_one_that_was_used(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, photos: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "a cache"
    options = ["score", photos, "--model", tiny_model, "--cache-dir", folder]
    shamisa(*options, env=environment)
    (file,) = folder.iterdir()
    file.write_bytes(b"gone bad" * 1000)
    said = shamisa(*options, env=environment).stderr
    command = said.partition("shamisa cache clear")[2].partition(" makes")[0]
    assert shlex.split(command) == ["--cache-dir", str(folder)]


@pytest.mark.parametrize("action", ["info", "clear"])
def test_a_cache_that_is_a_link_to_nowhere_is_to_be_removed_by_hand(  # type: ignore[no-untyped-def]
    shamisa, environment: dict[str, str], tmp_path: Path, action: str
) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / FILE).symlink_to(tmp_path / "nowhere" / "x")
    done = shamisa("cache", action, "--cache-dir", folder, env=environment)
    assert done.returncode == 2
    assert "leads nowhere" in done.stderr
    assert "cache clear" not in done.stderr


def test_runs_at_the_same_time_and_killed_ones_leave_right_scores(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, photos: Path, environment: dict[str, str]
) -> None:
    options = ["score", str(photos), "--model", str(tiny_model), "-f", "jsonl"]
    truth = shamisa(*options, "--no-cache", env=environment).stdout
    command = [sys.executable, "-m", "shamisa_cli", *options]
    together = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for process in together:
        said, _ = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, truth)
    assert shamisa(*options, env=environment).stdout == truth


def test_a_project_may_set_its_cache(  # type: ignore[no-untyped-def]
    shamisa, tiny_model: Path, photos: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    del environment["SHAMISA_CACHE_DIR"]
    environment["XDG_CACHE_HOME"] = str(tmp_path / "home")
    project = tmp_path / "project"
    (project / "deep").mkdir(parents=True)
    (project / "shamisa.toml").write_text('cache-dir = "mine"\ncache-size = 5\n')
    run = {"cwd": project / "deep", "env": environment}
    assert shamisa("score", photos, "--model", tiny_model, **run).returncode == 0
    assert json.loads(shamisa("cache", "info", "--json", **run).stdout)["path"].startswith(str(project / "mine"))
    assert (project / "mine").is_dir()
    (project / "shamisa.toml").write_text("cache = false\n")
    assert shamisa("score", photos, "--model", tiny_model, **run).returncode == 0
    assert not (tmp_path / "home" / "shamisa").exists()
    assert shamisa("score", photos, "--model", tiny_model, "--cache", **run).returncode == 0
    assert (tmp_path / "home" / "shamisa").is_dir()
