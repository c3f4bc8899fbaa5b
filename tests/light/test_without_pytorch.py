"""The light install: what needs no extra works without, and the rest says in one sentence what to install.

What the extras install is hidden from the processes that run here, so the tests hold in any environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.pictures import save_small_examples

from shamisa_cli.core.models.resolver import DEFAULT_MODEL

REPOSITORY = Path(__file__).resolve().parents[2]
HIDDEN = ("torch", "torchvision", "timm", "matplotlib", "pyarrow", "pandas", "onnx", "pathspec")
ROOMS = ("torch_state", "distortions", "graphs", "networks", "training")

HIDE = f"""
import importlib, json, sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in {HIDDEN!r} else find(name, *rest)
"""

RUN = (
    HIDE
    + """
sys.argv = ["shamisa", *json.loads(sys.argv[1])]
from shamisa_cli.cli.app import main
main()
"""
)

IMPORT = (
    HIDE
    + """
for name in json.loads(sys.argv[1]): importlib.import_module(name)
"""
)


def light_modules() -> list[str]:
    """Every module outside the rooms that hold what needs PyTorch."""
    package = REPOSITORY / "shamisa_cli"
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if not (parts[1:2] == ("core",) and parts[2:3] and parts[2] in ROOMS) and parts[-1] != "__main__":
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def python(code: str, argument: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, json.dumps(argument)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_every_light_module_can_be_imported(tmp_path: Path) -> None:
    done = python(IMPORT, light_modules(), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_commands_that_need_no_pytorch_do_their_work(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    save_small_examples(photos)
    names = sorted(path.name for path in photos.glob("*.jpg"))
    table = tmp_path / "mos.csv"
    table.write_text("image,mos\n" + "".join(f"{photos / name},{1 + place % 7}\n" for place, name in enumerate(names)))
    commands = {
        "score": ["score", str(photos), "-f", "json", "--html", str(tmp_path / "page.html")],
        "embed": ["embed", str(photos), "-o", str(tmp_path / "f.npz")],
        "fit-probe": ["fit-probe", "--mos", str(table), "--splits", "2", "-o", str(tmp_path / "probe")],
        "parquet": ["score", str(photos), "-o", str(tmp_path / "s.parquet")],
        "features": ["embed", str(photos), "-o", str(tmp_path / "f.parquet")],
        "evaluate": ["evaluate", "--mos", str(table), "--probe", str(tmp_path / "probe")],
        "list": ["models", "list"],
        "show": ["models", "show", DEFAULT_MODEL],
        "cache": ["cache", "info"],
        "config": ["config"],
        "maps": ["score", str(photos / "cat.jpg"), "--maps", str(tmp_path / "maps")],
        "compare": [
            "compare",
            str(photos / "cat.jpg"),
            str(photos / "cat_white-noise.jpg"),
            "--maps",
            str(tmp_path / "m"),
        ],
        "rank": ["rank", str(photos / "cat.jpg"), str(photos / "cat_white-noise.jpg")],
        "train": ["train", "--data", str(photos), "-o", str(tmp_path / "run")],
        "train-alone": ["train"],
        "torch": ["score", str(photos / "cat.jpg"), "--runtime", "torch"],
        "fit-defects": [
            "fit-defects",
            "--model",
            str(REPOSITORY / "weights" / DEFAULT_MODEL),
            "--data",
            str(photos),
        ],
        "fit-direction": [
            "fit-direction",
            "--model",
            str(REPOSITORY / "weights" / DEFAULT_MODEL),
            "--data",
            str(photos),
        ],
        "derive": ["models", "derive", DEFAULT_MODEL, "-o", str(tmp_path / "d"), "--view-size", "256"],
        "export": ["models", "export", str(REPOSITORY / "weights" / DEFAULT_MODEL)],
    }

    results = {name: python(RUN, arguments, tmp_path) for name, arguments in commands.items()}

    for name in (
        "score",
        "embed",
        "fit-probe",
        "evaluate",
        "list",
        "show",
        "cache",
        "config",
        "maps",
        "compare",
        "rank",
    ):
        assert results[name].returncode == 0, (name, results[name].stderr)
    for name in ("train", "train-alone", "torch", "fit-defects", "fit-direction", "derive", "export"):
        code, said = results[name].returncode, results[name].stderr
        assert code == 2, (name, said)
        assert said.strip().endswith("needs PyTorch. Install it with: pip install 'shamisa[train]'."), (name, said)
        assert said.count("\n") == 1, (name, said)
    for name in ("parquet", "features"):
        assert results[name].returncode == 2
        said = "error: A Parquet file needs pyarrow. Install it with: pip install 'shamisa[parquet]'.\n"
        assert results[name].stderr == said
    assert (
        "The scatter plot needs matplotlib. Install it with: pip install 'shamisa[train]'."
        in results["fit-probe"].stderr
    )
    assert "scatter.png" not in (tmp_path / "probe" / "README.md").read_text()
    assert (tmp_path / "maps" / "cat.jpg.png").exists()
    assert not (tmp_path / "run").exists()
