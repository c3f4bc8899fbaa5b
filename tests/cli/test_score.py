from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.program import run_here
from PIL import Image

pytestmark = pytest.mark.slow  # every test starts processes


def test_a_batch_with_a_bad_file_is_scored_and_exits_3(shamisa, tiny_model: Path, photos: Path) -> None:  # type: ignore[no-untyped-def]
    (photos / "broken.jpg").write_bytes(b"no picture")
    shown = shamisa("score", photos, "--model", tiny_model, "--format", "json")
    assert shown.returncode == 3, shown.stderr
    document = json.loads(shown.stdout)
    assert [image["status"] for image in document["images"]] == ["ok"] * 4 + ["error"]
    assert document["summary"]["errors"] == 1
    assert document["model"]["name"] == "tiny"

    table = shamisa("score", photos, "--model", tiny_model, "--skip-unreadable")
    assert table.returncode == 0
    assert "broken.jpg" in table.stdout
    assert "\x1b" not in table.stdout
    assert re.fullmatch(r"4 of 5 pictures scored \(1 unreadable\) in [\d.]+ s\.\n", table.stderr)


def test_the_gate_lists_and_jobs(shamisa, tiny_model: Path, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    listed = "\0".join(str(path) for path in sorted(photos.glob("*.jpg"), reverse=True))
    one = shamisa("score", "-", "--model", tiny_model, "-f", "jsonl", "--jobs", "1", input=listed)
    rows = [json.loads(line) for line in one.stdout.splitlines()]
    assert one.returncode == 0
    assert [Path(row["path"]).name for row in rows] == ["3.jpg", "2.jpg", "1.jpg", "0.jpg"]

    bar = sorted(row["score"] for row in rows)[2]
    (tmp_path / "list.txt").write_text(f"{photos}\n{tmp_path / 'gone.jpg'}\n")
    output = tmp_path / "scores.json"
    options = ["--model", tiny_model, "--jobs", "4", "--min-score", repr(bar), "-o", output, "--sort", "score"]
    gate = shamisa("score", "--files-from", tmp_path / "list.txt", *options)
    assert gate.returncode == 1
    images = json.loads(output.read_text())["images"]
    assert [image["status"] for image in images] == ["failed", "failed", "ok", "ok", "error"]
    assert {image["path"]: image["score"] for image in images[:4]} == {row["path"]: row["score"] for row in rows}


def test_scores_agree_whichever_library_computes(shamisa, tiny_model: Path, photos: Path) -> None:  # type: ignore[no-untyped-def]
    tables = {}
    for runtime in ("auto", "torch", "onnx"):
        shown = shamisa("score", photos, "--model", tiny_model, "-f", "json", "--runtime", runtime, "--device", "cpu")
        assert shown.returncode == 0, shown.stderr
        tables[runtime] = json.loads(shown.stdout)
    assert tables["auto"] == tables["onnx"]
    for one, other in zip(tables["torch"]["images"], tables["onnx"]["images"], strict=True):
        assert abs(one["score"] - other["score"]) < 0.01


def test_ctrl_c_leaves_no_half_written_output(tiny_model: Path, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "scores.csv"
    command = [sys.executable, "-m", "shamisa_cli", "score", "-", "--model", tiny_model, "-o", output]
    # A shell that runs the tests in the background has them ignore Ctrl-C, and so would the command.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write("\n".join(str(link) for link in _many_names(photos, tmp_path)))
    process.stdin.close()
    while process.poll() is None and not _files_in(output.parent):
        os.sched_yield()  # until the temporary file of the output is there
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert _files_in(output.parent) == []


def test_a_reader_that_leaves_early_is_no_error(tiny_model: Path, photos: Path, tmp_path: Path) -> None:
    names = " ".join(str(link) for link in _many_names(photos, tmp_path)[:300])
    program = f"{sys.executable} -m shamisa_cli score {names} --model {tiny_model} -f jsonl | head -n 1"
    shown = subprocess.run(program, shell=True, capture_output=True, text=True, check=False, timeout=120)
    assert len(shown.stdout.splitlines()) == 1
    assert shown.stderr == ""


def _files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _many_names(photos: Path, tmp_path: Path) -> list[Path]:
    folder = tmp_path / "many"
    folder.mkdir()
    names = [folder / f"{number}.jpg" for number in range(3000)]
    for name in names:
        os.link(photos / "0.jpg", name)
    return names


def test_embed_writes_what_was_asked_and_resumes(shamisa, tiny_model: Path, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from shamisa_cli.core.scoring.feature_table import load_features

    (photos / "broken.jpg").write_bytes(b"no picture")
    output = tmp_path / "features.parquet"
    named = [photos / name for name in ("0.jpg", "2.jpg", "broken.jpg")]
    first = shamisa("embed", *named, "--model", tiny_model, "-o", output)
    assert first.returncode == 3
    assert "broken.jpg" in first.stderr
    assert [Path(path).name for path in load_features(output).paths] == ["0.jpg", "2.jpg"]

    second = shamisa("embed", photos, "--model", tiny_model, "-o", output, "--skip-unreadable")
    assert second.returncode == 0
    assert "2 reused from an earlier run" in second.stderr
    assert second.stdout == ""
    assert len(load_features(output).paths) == 4


def test_maps_are_drawn_beside_the_scores(shamisa, tiny_model: Path, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (photos / "broken.jpg").write_bytes(b"no picture")
    plain = shamisa("score", photos, "--model", tiny_model, "-f", "json")
    drawn = shamisa("score", photos, "--model", tiny_model, "-f", "json", "--maps", tmp_path / "maps")
    assert drawn.returncode == 3
    assert drawn.stdout == plain.stdout
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [f"{number}.jpg.png" for number in range(4)]


def test_a_page_holds_every_picture_beside_the_usual_output(
    shamisa, tiny_model: Path, photos: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    (photos / "broken.jpg").write_bytes(b"no picture")
    page, maps = tmp_path / "new" / "report.html", tmp_path / "maps"
    options = ("--model", tiny_model, "-f", "json", "--html", page, "--min-score", 0)
    done = shamisa("score", photos, *options, "--maps", maps)
    assert done.returncode == 3, done.stderr
    assert len(json.loads(done.stdout)["images"]) == 5
    blocks = re.findall(r'<script type="application/json" id="\w+">(.*?)</script>', page.read_text(), re.DOTALL)
    data, pictures = map(json.loads, blocks)
    assert [Path(picture["path"]).name for picture in data["pictures"]] == [
        "0.jpg", "1.jpg", "2.jpg", "3.jpg", "broken.jpg",
    ]  # fmt: skip
    assert [[bool(part) for part in each[:2]] for each in pictures] == [[True, True]] * 4 + [[False, False]]
    assert list(page.parent.iterdir()) == [page]


def test_a_page_needs_a_file_of_its_own(shamisa, tiny_model: Path, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for options, reason in (
        (("--html", photos), "--html must name a file"),
        (("--html", tmp_path / "x.html", "-o", tmp_path / "x.html"), "Give each its own"),
    ):
        done = shamisa("score", photos, "--model", tiny_model, *options)
        assert done.returncode == 2
        assert reason in done.stderr


def test_maps_cannot_go_into_a_file(shamisa, tiny_model: Path, photos: Path) -> None:  # type: ignore[no-untyped-def]
    done = shamisa("score", photos, "--model", tiny_model, "--maps", photos / "0.jpg")
    assert done.returncode == 2
    assert "--maps must name a folder" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_picture_too_large_for_the_memory_is_its_row_and_is_named(tiny_model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (7000, 5000)).save(tmp_path / "large.png")
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)\n"
    whole = "from shamisa_cli.core.encoder import onnx_encoder; onnx_encoder.can_be_tiled = lambda _: False\n"
    program = f"{limited}{whole}from shamisa_cli.cli.app import main; sys.argv[0] = 'shamisa'; main()"
    command = [sys.executable, "-c", program, "score", tmp_path / "large.png", "--model", tiny_model, "--device", "cpu"]
    shown = subprocess.run(
        [*command, "--view-size", "native", "-f", "json"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 3, shown.stderr
    (record,) = json.loads(shown.stdout)["images"]
    assert record["error"]["kind"] == "too-large"
    assert "large.png: there is not enough memory for it." in record["error"]["message"]
    assert "Traceback" not in shown.stderr


def test_pictures_that_need_more_than_max_memory_are_refused_and_the_others_scored(tmp_path: Path) -> None:
    Image.new("RGB", (1200, 1000)).save(tmp_path / "large.png")
    Image.new("RGB", (120, 100)).save(tmp_path / "small.png")
    result = run_here("score", tmp_path, "--max-memory", 2, "-f", "json", "--no-cache")
    assert result.returncode == 3
    errors = {Path(record["path"]).name: record["error"] for record in json.loads(result.stdout)["images"]}
    assert errors["small.png"] is None
    assert errors["large.png"]["kind"] == "too-large"
    assert run_here("score", tmp_path, "--no-cache").returncode == 0
