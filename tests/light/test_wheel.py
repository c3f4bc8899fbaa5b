"""The wheel in a fresh environment with the base alone: what it prints and writes is what the full environment does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from helpers.loopback_hub import TOKEN, LoopbackHub
from helpers.packages import OF_A_NEW_ENVIRONMENT, REPOSITORY, make_environment
from helpers.program import ENVIRONMENT, run_here
from safetensors.numpy import load_file

from shamisa_cli.core.models.resolver import DEFAULT_MODEL

pytestmark = pytest.mark.slow

LARGEST_WHEEL = 60_000_000
LARGEST_ENVIRONMENT = 420_000_000
"""Bytes, without the bytecode that Python adds as modules are used."""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "score": ("score", "{photos}", "-f", "json"),
    "gate": ("score", "{photos}", "-f", "junit", "--min-score", "50"),
    "report": ("score", "{photos}", "--html", "page.html", "--maps", "maps", "-o", "scores.csv", "--no-cache"),
    "baseline": ("score", "{photos}", "--baseline", "b.json", "--update-baseline", "-f", "sarif"),
    "compare": ("compare", "{photos}/cat.jpg", "{photos}/cat_white-noise.jpg", "-f", "json", "--maps", "changes"),
    "rank": ("rank", "{photos}/coffee.jpg", "{photos}/coffee_JPEG.jpg", "-f", "json"),
    "embed": ("embed", "{photos}", "-o", "features.safetensors", "--no-cache"),
    "fit-probe": ("fit-probe", "--mos", "mos.csv", "--splits", "2", "-o", "probe"),
    "evaluate": ("evaluate", "--mos", "mos.csv", "-f", "json"),
    "list": ("models", "list", "--json"),
    "show": ("models", "show", DEFAULT_MODEL),
    "config": ("config",),
    "cull": ("cull", "{photos}", "--best-of-groups", "--keep-best", "30%", "--list", "rejected"),
    "serve": ("serve",),
    "cache": ("cache", "clear"),
}
REQUESTS = "".join(f'{{"path": "{name}"}}\n' for name in ("cat.jpg", "coffee_JPEG.jpg", "gone.jpg"))
"""What `serve` is asked on stdin, in the folder of the photographs."""
FROM_PYTHON = """
import sys
import shamisa_cli as shamisa
cat, noisy = (f"{sys.argv[1]}/{name}.jpg" for name in ("cat", "cat_white-noise"))
print([record.to_json() for record in shamisa.score([cat, noisy])])
print(shamisa.embed(cat).sum(), shamisa.score_map(cat).points.sum())
print(shamisa.compare(cat, noisy).to_json(), shamisa.rank([cat, noisy]).to_json())
"""
DIFFERS = ("README.md", "probe.json")
"""Files that may name the time or the folder, or leave out a figure that needs the extra train."""


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a fresh environment, which holds the wheel and the base dependencies."""
    folder = tmp_path_factory.mktemp("light") / "venv"
    make_environment(folder, wheel)
    yield folder
    shutil.rmtree(folder)  # 400 MB


def timeless(text: str) -> str:
    """The text without moments, and without where the package is."""
    text = re.sub(r"(?<!\S)\S*/weights/", "WEIGHTS/", text)  # from the start of a word: pages have words of megabytes
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "MOMENT", text)


def content(path: Path) -> object:
    """The content of a file that a command wrote, without which decoders there are."""
    if path.name == "b.json":
        return {name: value for name, value in json.loads(path.read_text()).items() if name != "made_with"}
    if path.name == "features.safetensors":
        return {name: tensor.tobytes() for name, tensor in load_file(path).items()}
    return timeless(path.read_text(encoding="utf-8")) if path.suffix == ".html" else path.read_bytes()


Run = Callable[[list[str], Path, Mapping[str, str]], subprocess.CompletedProcess[str]]
"""Runs `shamisa` with arguments, in a folder and with variables; on stdin are `REQUESTS`."""


def results(run: Run, photos: Path, folder: Path) -> dict[str, object]:
    """Exit code and output of each command, and the content of each file that they wrote."""
    folder.mkdir()
    names = sorted(photos.glob("*.jpg"))
    (folder / "mos.csv").write_text(
        "image,mos\n" + "".join(f"{name},{1 + place % 7}\n" for place, name in enumerate(names))
    )
    environment = {**OF_A_NEW_ENVIRONMENT, "HOME": str(folder / "home"), "SHAMISA_CACHE": "1"}
    environment.pop("XDG_CACHE_HOME", None)
    found: dict[str, object] = {}
    for name, words in COMMANDS.items():
        place = photos if name == "serve" else folder
        done = run([word.format(photos=photos) for word in words], place, environment)
        found[name] = (done.returncode, timeless(done.stdout))
        assert "this is a bug" not in done.stderr, (name, done.stderr)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "home" not in path.parts)
    return found | {str(path.relative_to(folder)): content(path) for path in files if path.name not in DIFFERS}


def test_the_wheel_is_small_and_so_is_its_environment(wheel: Path, light: Path) -> None:
    assert wheel.stat().st_size <= LARGEST_WHEEL
    sizes = (path.stat().st_size for path in light.rglob("*") if path.is_file() and not path.is_symlink())
    assert sum(sizes) <= LARGEST_ENVIRONMENT


def test_every_light_command_prints_and_writes_what_the_full_environment_does(
    light: Path, photos: Path, tmp_path: Path
) -> None:
    def run_light(words: list[str], place: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        command = [str(light / "bin" / "shamisa"), *words]
        given = {"input": REQUESTS, "capture_output": True, "text": True, "timeout": 300}
        return subprocess.run(command, cwd=place, env=env, **given)

    def run_full(words: list[str], place: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return run_here(*words, input=REQUESTS, env=env, cwd=place)

    of_light = results(run_light, photos, tmp_path / "one")
    of_full = results(run_full, photos, tmp_path / "two")
    of_full.pop("probe/scatter.png", None)
    assert of_light.keys() == of_full.keys()
    for name, written in of_light.items():
        assert written == of_full[name], name


def test_python_says_what_it_says_in_the_full_environment(light: Path, photos: Path) -> None:
    said = [
        subprocess.run([program, "-c", FROM_PYTHON, photos], env=variables, capture_output=True, check=True).stdout
        for program, variables in (
            (light / "bin" / "python", OF_A_NEW_ENVIRONMENT),
            (sys.executable, {**ENVIRONMENT, "PYTHONPATH": str(REPOSITORY)}),
        )
    ]
    assert said[0] == said[1]
    assert said[0].count(b"\n") == 3


def test_models_come_from_the_hub_and_go_there(
    light: Path, photos: Path, hub: LoopbackHub, tiny_model: Path, tmp_path: Path
) -> None:
    variables = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}
    hub.publish("lab/camera", tiny_model)
    for words in (
        ("models", "pull", "hf:lab/camera"),
        ("score", str(photos / "cat.jpg"), "--model", "hf:lab/camera", "--offline", "--no-cache"),
        ("models", "push", str(tiny_model), "hf:lab/mine"),
    ):
        command = [str(light / "bin" / "shamisa"), *words]
        done = subprocess.run(command, env={**OF_A_NEW_ENVIRONMENT, **variables}, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stderr)
    assert "encoder.onnx" in hub.head("lab/mine")


def test_training_says_in_one_sentence_what_it_needs(light: Path, photos: Path, tmp_path: Path) -> None:
    command = [str(light / "bin" / "shamisa"), "train", "--data", str(photos), "-o", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 2
    assert done.stderr == "error: Training needs PyTorch. Install it with: pip install 'shamisa[train]'.\n"
    assert not (tmp_path / "run").exists()
