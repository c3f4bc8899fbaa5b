"""No single photograph ends a fit or a training run: it is left out, and named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import save_noise, save_soft
from helpers.program import Finished
from helpers.program import run_here as shamisa
from PIL import Image

from shamisa_cli.core.encoder import onnx_encoder
from shamisa_cli.core.models import catalogue
from shamisa_cli.core.models.resolver import bundled_folders
from shamisa_cli.core.training import contact_sheets, random_crops
from shamisa_cli.core.training.direction import fit, material
from shamisa_cli.core.training.direction.versions import versions
from shamisa_cli.core.training.pretraining import batches as pretraining_batches
from shamisa_cli.core.training.probes import degraded, pseudo_labels
from shamisa_cli.core.training.relational import batches

ERRORS = [RuntimeError("odd"), MemoryError("much"), OSError(5, "Input/output error")]
FITS = {
    "fit-defects": ("fit-defects", "--versions", "2", "--data"),
    "fit-direction": ("fit-direction", "--data"),
    "ordinal": ("fit-probe", "--mos", "mos.csv", "-o", "probe", "--splits", "1", "--ordinal"),
    "pseudo": ("fit-probe", "--mos", "mos.csv", "-o", "probe", "--splits", "1", "--pseudo-photos", "9", "--pseudo"),
}
QUICK = [
    ("fit-defects", degraded, "_pixels"),
    ("fit-defects", degraded, "_degraded"),
    ("fit-defects", onnx_encoder.OnnxEncoder, "embed"),
    ("ordinal", degraded, "_pixels"),
    ("ordinal", degraded, "_degraded_twice"),
]
SLOW = [
    *(("fit-direction", material, stage) for stage in ("sha256_of", "decode", "versions", "_orders", "_measured")),
    *(("pseudo", pseudo_labels, stage) for stage in ("decode", "versions_of", "difference")),
]
STAGES = [*QUICK, *(pytest.param(*stage, marks=pytest.mark.slow) for stage in SLOW)]


@pytest.fixture
def place(tmp_path: Path, tiny_model: Path) -> Path:
    """Photographs to learn from, ratings of some of them, and a model that may be changed."""
    (tmp_path / "photos").mkdir()
    save_soft(tmp_path / "photos", 8, (96, 80))
    rated = save_noise(tmp_path / "rated", [(60, 40)] * 12, blur=0.3)
    (tmp_path / "mos.csv").write_text("image,mos\n" + "".join(f"{path},{path.stem}\n" for path in rated))
    shutil.copytree(tiny_model, tmp_path / "model")
    return tmp_path


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is learned does not matter here."""
    monkeypatch.setattr(fit, "EPOCHS", 2)
    monkeypatch.setattr(fit, "MEMBERS", 1)
    monkeypatch.setattr(material, "versions", lambda pixels, rng: versions(pixels, rng)[:4])


def raising_in_the_middle(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *errors: Exception, at: int = 3
) -> None:
    """Let a function raise these errors at calls that follow each other, of which each is for another picture."""
    original: Callable[..., object] = getattr(owner, name)
    calls: list[object] = []

    def raising(*arguments: object, **settings: object) -> object:
        calls.append(arguments)
        if 0 <= len(calls) - at < len(errors):
            raise errors[len(calls) - at]
        return original(*arguments, **settings)

    monkeypatch.setattr(owner, name, raising)


@pytest.mark.parametrize(
    ("command", "owner", "stage"), STAGES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_photographs_for_which_a_stage_of_a_fit_raises_are_left_out_by_name(
    place: Path, monkeypatch: pytest.MonkeyPatch, command: str, owner: object, stage: str
) -> None:
    raising_in_the_middle(monkeypatch, owner, stage, *ERRORS)
    more = ("--store", "store") if command == "fit-direction" else ()
    done = shamisa(*FITS[command], "photos", "--model", "model", *more, cwd=place)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert sum(f"photo{number}.png" in done.stderr for number in range(8)) == len(ERRORS), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", FITS)
def test_damaged_tiny_and_flat_photographs_are_left_out_or_learned_from(place: Path, command: str) -> None:
    (place / "photos" / "cut.png").write_bytes((place / "photos" / "photo0.png").read_bytes()[:300])
    Image.new("RGB", (1, 1)).save(place / "photos" / "dot.png")
    Image.new("RGB", (64, 1), "red").save(place / "photos" / "line.png")
    Image.new("RGB", (90, 80), "grey").save(place / "photos" / "flat.png")
    (place / "photos" / "gone.png").symlink_to("nowhere.png")
    done = shamisa(*FITS[command], "photos", "--model", "model", cwd=place)
    assert done.returncode == 3, done.stderr
    assert "cut.png" in done.stderr
    assert "gone.png" in done.stderr
    assert "bug" not in done.stderr
    assert shamisa(*FITS[command], "photos", "--model", "model", "--skip-unreadable", cwd=place).returncode == 0


@pytest.mark.parametrize("command", ["fit-defects", "fit-direction"])
def test_a_pipe_among_the_photographs_is_named_and_not_waited_for(place: Path, command: str) -> None:
    os.mkfifo(place / "pipe.png")
    done = shamisa(*FITS[command], "photos", "--data", "pipe.png", "--model", "model", cwd=place)
    assert done.returncode == 3, done.stderr
    assert "pipe.png is not a regular file" in done.stderr


@pytest.mark.parametrize("command", ["fit-defects", "fit-direction"])
@pytest.mark.parametrize("readable", [4, 2])
def test_too_few_photographs_are_refused_before_the_work_where_it_is_known(
    place: Path, command: str, readable: int
) -> None:
    for number, photo in enumerate(sorted((place / "photos").iterdir())):
        if number >= readable:
            photo.unlink()
    before = {path.name: path.read_bytes() for path in (place / "model").iterdir()}
    done = shamisa(*FITS[command], "photos", "--model", "model", cwd=place)
    assert done.returncode == 2
    assert f"{readable} photographs are named, and" in done.stderr
    assert {path.name: path.read_bytes() for path in (place / "model").iterdir()} == before


@pytest.mark.slow
def test_a_store_that_fails_costs_no_photograph(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = (*FITS["fit-direction"], "photos", "--model", "model")
    assert shamisa(*run, cwd=place).returncode == 0
    direction = (place / "model" / "direction.safetensors").read_bytes()
    raising_in_the_middle(monkeypatch, material, "write_pairs", *ERRORS)
    done = shamisa(*run, "--store", "store", cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is not kept in store") == len(ERRORS)
    assert (place / "model" / "direction.safetensors").read_bytes() == direction
    done = shamisa(*run, "--store", "photos/photo0.png", cwd=place)
    assert done.returncode == 2
    assert "photo0.png" in done.stderr


@pytest.mark.slow
def test_a_damaged_file_of_the_store_is_made_again(place: Path) -> None:
    run = (*FITS["fit-direction"], "photos", "--model", "model", "--store", "store")
    assert shamisa(*run, cwd=place).returncode == 0
    direction = (place / "model" / "direction.safetensors").read_bytes()
    whole = {path: path.read_bytes() for path in (place / "store").iterdir()}
    for path, damaged in zip(
        whole, (b"", b"PK\x03\x04nonsense", b"\0" * 1000, whole[next(iter(whole))][:-200]), strict=False
    ):
        path.write_bytes(damaged)
    done = shamisa(*run, cwd=place)
    assert done.returncode == 0, done.stderr
    assert (place / "model" / "direction.safetensors").read_bytes() == direction
    for path, content in whole.items():
        with np.load(path) as again, np.load(place / "store" / path.name) as before:
            assert all(np.array_equal(again[name], before[name]) for name in before)
        assert len(path.read_bytes()) == len(content)


TASKS = {
    "shamisa": "init = 'none'\nsteps = 3\nprojector_hidden = 32\nprojector_out = 16\n[batch]\ncrop = 32\nphotos = 2\n"
    "scales = 1\ncompositions = 2\nlevels = 2\nretained = 2\n",
    "relational": "init = 'none'\nsteps = 3\n[batch]\nsets = 1\nversions = 2\ncrop = 64\n",
}
TRAINING_STAGES = [
    *((task, random_crops, "decode") for task in TASKS),
    *((task, random_crops.Image, "fromarray") for task in TASKS),
    ("shamisa", pretraining_batches, "random_crop"),
    ("relational", batches, "random_crop"),
    ("relational", batches, "draw_ordered_set"),
    ("relational", batches, "consensus"),
    ("relational", batches, "_cut"),
]


def training(place: Path, task: str, *more: str) -> Finished:
    (place / "settings.toml").write_text(TASKS[task])
    run = ("train", "--task", task, "--data", "photos", "--config", "settings.toml", "--device", "cpu", "-o", "run")
    return shamisa(*run, "--workers", "0", "--checkpoint-every", "1", *more, cwd=place)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "owner", "stage"), TRAINING_STAGES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_photographs_for_which_a_stage_of_training_raises_are_left_out_by_name(
    place: Path, monkeypatch: pytest.MonkeyPatch, task: str, owner: object, stage: str
) -> None:
    raising_in_the_middle(monkeypatch, owner, stage, *ERRORS, at=2)
    done = training(place, task)
    assert done.returncode == 0, done.stderr
    assert (place / "run" / "model" / "config.json").exists() or (place / "run" / "model" / "relational.json").exists()
    left_out = sum("warning" in line and "photos/photo" in line for line in done.stderr.splitlines())
    assert left_out == len(ERRORS), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_photographs_that_training_cannot_read_are_named_once_each(place: Path, workers: str) -> None:
    for number in (0, 2):
        (place / "photos" / f"cut{number}.png").write_bytes(b"\x89PNG\r\n\x1a\ncut")
    (place / "photos" / "cut1.png").symlink_to("nowhere.png")
    done = training(place, "shamisa", "--workers", workers, "--steps", "12")
    assert done.returncode == 0, done.stderr
    for number in range(3):
        assert done.stderr.count(f"photos/cut{number}.png ") == 1, done.stderr


@pytest.mark.parametrize("task", ["shamisa", pytest.param("relational", marks=pytest.mark.slow)])
def test_a_link_to_nowhere_among_photographs_ends_no_training_new_or_resumed(place: Path, task: str) -> None:
    save_soft(place / "rated", 2, (96, 80))
    for folder in ("photos", "rated"):
        (place / folder / "gone.png").symlink_to("nowhere/gone.png")
    for more in ((), ("--resume",)):
        done = training(place, task, "--real", "rated", *more)
        assert done.returncode == 0, done.stderr


def test_a_photograph_that_became_a_link_to_nowhere_is_another_one_for_a_run_that_is_resumed(place: Path) -> None:
    assert training(place, "shamisa").returncode == 0
    (place / "photos" / "photo3.png").unlink()
    (place / "photos" / "photo3.png").symlink_to("nowhere.png")
    resumed = training(place, "shamisa", "--resume")
    assert resumed.returncode == 2
    assert "photographs" in resumed.stderr
    assert "Traceback" not in resumed.stderr


def test_too_many_in_a_row_end_a_run_with_the_reason(place: Path) -> None:
    for path in (place / "photos").iterdir():
        path.write_bytes(b"\x89PNG\r\n\x1a\ncut")
    done = training(place, "shamisa")
    assert done.returncode == 2
    assert "0 of the 8 photographs can be read" in done.stderr
    assert "the last one" in done.stderr


@pytest.mark.parametrize(("task", "error"), list(zip(("relational", "shamisa", "relational"), ERRORS, strict=True)))
def test_a_preview_leaves_out_what_it_cannot_read(
    place: Path, monkeypatch: pytest.MonkeyPatch, task: str, error: Exception
) -> None:
    raising_in_the_middle(monkeypatch, contact_sheets, "middle_crop", error)
    done = shamisa("train", "--task", task, "--data", "photos", "--preview", "sheet.png", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "photo2.png" in done.stderr
    Image.open(place / "sheet.png").verify()


def test_a_cache_that_may_not_be_entered_hides_no_bundled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise PermissionError(13, "Permission denied", "/root/.cache/huggingface/hub")

    monkeypatch.setattr(catalogue, "_cached", refused)
    done = shamisa("models", "list")
    assert done.returncode == 0, done.stderr
    assert [name for name in bundled_folders() if name in done.stdout] == list(bundled_folders())
    assert "/root/.cache/huggingface/hub" in done.stderr


MODELS_STAGES = ["_read", "_revision", "_files"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stage", MODELS_STAGES)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_model_at_which_something_goes_wrong_is_its_row_of_the_list(
    monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception, form: tuple[str, ...]
) -> None:
    raising_in_the_middle(monkeypatch, catalogue, stage, error, at=2)
    done = shamisa("models", "list", *form)
    assert done.returncode == 0, done.stderr
    whole = shamisa("models", "list", *form)
    assert "bug in shamisa (" not in done.stderr
    assert [name for name in bundled_folders() if name in done.stdout] == list(bundled_folders())
    assert "cannot be described" in done.stderr
    assert "cannot be described" not in whole.stderr
