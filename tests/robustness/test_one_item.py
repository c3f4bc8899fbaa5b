"""No single picture ends a run: whatever a stage raises for it becomes its row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from helpers.program import run_process

from shamisa_cli.core.scoring import pipeline, resumable, scorer
from shamisa_cli.core.scoring.feature_table import load_features

STAGES = ("read_file", "decode", "embedded")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    save_noise(tmp_path / "photos", [(120, 80)] * 3, blur=2)
    return tmp_path / "photos"


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError("much"), OSError(5, "Input/output error")])
@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_raises_for_one_of_three_pictures_becomes_its_row(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    bad = sorted(photos.iterdir())[1]
    original = getattr(scorer, stage)

    def raising(*arguments: object, **settings: object) -> object:
        if any(isinstance(each, Path) and each == bad for each in arguments):
            raise error
        return original(*arguments, **settings)

    monkeypatch.setattr(scorer, stage, raising)
    done = shamisa("score", photos, "--model", tiny_model, "-f", "json", "--cache", "--cache-dir", tmp_path / "cache")
    assert done.returncode == 3, done.stderr
    found = {Path(image["path"]): image for image in json.loads(done.stdout)["images"]}
    assert [path for path, image in found.items() if image["score"] is None] == [bad]
    assert bad.name in found[bad]["error"]["message"]


def test_a_map_that_cannot_be_written_is_its_pictures_row_alone(tiny_model: Path, photos: Path, tmp_path: Path) -> None:
    first = sorted(photos.iterdir())[0]
    maps = tmp_path / "maps"
    run = ["score", photos, "--model", tiny_model, "-f", "json", "--maps", maps]
    assert shamisa(*run).returncode == 0
    for name in [path for path in maps.iterdir() if path.stem.startswith(first.stem)]:
        name.unlink()
        name.mkdir()
    done = shamisa(*run)
    assert done.returncode == 3, done.stderr
    scores = [image["score"] for image in json.loads(done.stdout)["images"]]
    assert sum(score is None for score in scores) == 1


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "a\nb.jpg", "photos/../../" + "y" * 5000, "nul\0.jpg"])
def test_a_name_that_no_file_can_have_is_one_row_of_a_list(
    tiny_model: Path, photos: Path, tmp_path: Path, name: str
) -> None:
    listed = tmp_path / "list"
    names = [str(path) for path in sorted(photos.iterdir())]
    separator = "\0" if "\n" in name else "\n"
    listed.write_text(separator.join([names[0], name, names[1]]) + separator)
    done = shamisa("score", "--files-from", listed, "--model", tiny_model, "-f", "json")
    assert done.returncode in (2, 3)
    assert "bug" not in done.stderr + done.stdout


def test_a_file_that_appears_while_features_are_made_is_embedded(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, elsewhere = sorted(photos.iterdir())[1], tmp_path / "elsewhere.png"
    late.rename(elsewhere)
    listed = tmp_path / "list"
    listed.write_text("\n".join(str(path) for path in [*photos.iterdir(), late]))
    original = pipeline.embed_files

    def embed_late(*arguments: object, **settings: object) -> object:
        elsewhere.rename(late)
        return original(*arguments, **settings)

    monkeypatch.setattr(resumable, "embed_files", embed_late)
    table = tmp_path / "features.npz"
    done = shamisa("embed", "--files-from", listed, "--model", tiny_model, "-o", table)
    assert done.returncode == 0, done.stderr
    assert len(load_features(table).stamps) == 3


@pytest.mark.parametrize("line", ['{"id": 1e999, "path": "x"}', '{"id": -1e999}', "[" * 100_000, '{"id": "\\ud800"}'])
def test_a_server_answers_every_line_and_goes_on(tiny_model: Path, photos: Path, line: str) -> None:
    good = json.dumps({"id": 2, "path": str(sorted(photos.iterdir())[0])})
    done = run_process("serve", "--model", tiny_model, input=f"{line}\n{good}\n")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert answers[0]["status"] == "error"
    assert (answers[1]["id"], answers[1]["status"]) == (2, "ok")
