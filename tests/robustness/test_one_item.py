"""No single picture ends a run: whatever a stage raises for it becomes its row."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from helpers.program import run_process

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.cluster import parts
from shamisa_cli.core.cluster.row_makers import ScoreRows
from shamisa_cli.core.cluster.sources import find_sources
from shamisa_cli.core.cluster.store import Store
from shamisa_cli.core.culling import sidecars, transfers
from shamisa_cli.core.fitting import greys
from shamisa_cli.core.models.loading import load_model, load_relational_model
from shamisa_cli.core.relational import comparison, ranking
from shamisa_cli.core.relational.judgement import Comparer, Judgement, PairResult
from shamisa_cli.core.relational.records import Candidate
from shamisa_cli.core.scoring import embedding_map, gmad_figure, heatmap, pipeline, resumable, scorer, thumbnails
from shamisa_cli.core.scoring.feature_table import load_features
from shamisa_cli.core.scoring.score_table import read_scores

STAGES = ("read_file", "decode", "embedded")
ERRORS = [RuntimeError("odd"), MemoryError("much"), OSError(5, "Input/output error")]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    save_noise(tmp_path / "photos", [(120, 80)] * 3, blur=2)
    return tmp_path / "photos"


@pytest.mark.parametrize("error", ERRORS)
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
    assert ("compute less at once" in found[bad]["error"]["message"]) == isinstance(error, MemoryError)


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


def test_odd_names_are_drawn_in_maps(tiny_model: Path, photos: Path, tmp_path: Path) -> None:
    for path, name in zip(sorted(photos.iterdir()), ["a\nb.jpg", "c\x1b[2J.jpg", "d\udcff.jpg"], strict=True):
        path.rename(photos / name)
    done = shamisa("score", photos, "--model", tiny_model, "-f", "csv", "--maps", tmp_path / "maps")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "maps").iterdir())) == 3


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


@pytest.mark.parametrize("moment", [2**34, -(2**34)], ids=["the year 2514", "the year 1425"])
@pytest.mark.parametrize(
    "command",
    ["score -o x.parquet", "score -o x.csv", "embed -o x.npz", "embed -o x.parquet"],
)
def test_a_date_beyond_what_tables_hold_is_a_date_like_others(
    tiny_model: Path, photos: Path, tmp_path: Path, command: str, moment: int
) -> None:
    os.utime(sorted(photos.iterdir())[1], (moment, moment))
    name, *rest = command.split()
    done = shamisa(name, photos, "--model", tiny_model, *rest, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = shamisa(name, photos, "--model", tiny_model, *rest, cwd=tmp_path)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(("command", "name"), [("score", "read"), ("serve", "read"), ("serve", "answer")])
def test_where_no_thread_can_be_started_fewer_jobs_are_advised(
    tiny_model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    original = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith(name):
            raise RuntimeError("can't start new thread")
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    requests = json.dumps({"path": str(sorted(photos.iterdir())[0])}) + "\n"
    named = [command, photos] if command == "score" else [command]
    done = shamisa(*named, "--model", tiny_model, "--jobs", "1000000000", input=requests)
    assert done.returncode == 2
    assert "Give fewer --jobs" in done.stderr


CLAIMS = ("reliability", "defects", "at_100_percent", "interval", "mos", "resized", "over_white", "shift")
"""Fields that say something of a picture which could be read."""


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "serve"])
@pytest.mark.parametrize("command", ["score", "compare"])
def test_nothing_is_said_of_a_picture_that_could_not_be_read(
    tiny_model: Path, relational_folder: Path, photos: Path, form: str, command: str
) -> None:
    broken, good = photos / "broken.jpg", sorted(photos.iterdir())[0]
    broken.write_text("not a picture")
    named = [broken, "--model", tiny_model] if command == "score" else [good, broken, "--model", relational_folder]
    if form == "serve":
        done = shamisa("serve", "--model", tiny_model, input=json.dumps({"path": str(broken)}) + "\n")
    else:
        done = shamisa(command, *named, "-f", form)
    if form == "csv":
        (row,) = csv.DictReader(io.StringIO(done.stdout))
        assert {row.get(name) or None for name in (*CLAIMS, "remarks", "score", "width")} == {None}
        return
    document = json.loads(done.stdout)
    row = document if form != "json" else document["images" if command == "score" else "comparisons"][0]
    assert row["error"]["kind"] == "not-an-image"
    assert {row.get(name) for name in CLAIMS} == {None}


def raising_for(bad: Path, original: Callable[..., object], error: Exception) -> Callable[..., object]:
    """The function, which raises the error where an argument is the bad picture."""

    def raising(*arguments: object, **settings: object) -> object:
        if any(isinstance(each, str | Path) and str(each) == str(bad) for each in arguments):
            raise error
        return original(*arguments, **settings)

    return raising


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: Exception) -> None:
    """Let a function raise at its second call."""
    original: Callable[..., object] = getattr(owner, name)
    calls: list[object] = []

    def raising(*arguments: object, **settings: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return original(*arguments, **settings)

    monkeypatch.setattr(owner, name, raising)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("command", ["embed", "cull", "serve"])
def test_so_it_is_for_every_command_that_reads_pictures_one_by_one(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    command: str, stage: str, error: Exception,
) -> None:  # fmt: skip
    files = sorted(photos.iterdir())
    monkeypatch.setattr(scorer, stage, raising_for(files[1], getattr(scorer, stage), error))
    cached = ["--cache", "--cache-dir", tmp_path / "cache", "--model", tiny_model]
    if command == "embed":
        done = shamisa("embed", photos, "-o", tmp_path / "x.npz", *cached)
        assert (done.returncode, len(load_features(tmp_path / "x.npz").stamps)) == (3, 2)
    elif command == "cull":
        done = shamisa("cull", photos, "--keep-best", "50", "-f", "json", *cached)
        assert done.returncode == 3, done.stderr
        assert len(json.loads(done.stdout)["images"]) == 3
    else:
        requests = "".join(json.dumps({"path": str(path)}) + "\n" for path in files)
        done = shamisa("serve", *cached, input=requests)
        assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["ok", "error", "ok"]
    assert files[1].name in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["score", "score --maps", "embed", "serve"])
def test_a_graph_that_fails_while_it_computes_is_no_bug_of_this_program(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code")

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", fail)
    requests = json.dumps({"path": str(sorted(photos.iterdir())[0])}) + "\n"
    named = {
        "score": ["score", photos, "-f", "json"], "score --maps": ["score", photos, "--maps", tmp_path / "maps"],
        "embed": ["embed", photos, "-o", tmp_path / "x.npz"], "serve": ["serve"],
    }[command]  # fmt: skip
    done = shamisa(*named, "--model", tiny_model, "--runtime", "onnx", "--no-cache", input=requests)
    assert done.returncode == (0 if command == "serve" else 3), done.stderr
    assert "graph fails on it" in " ".join((done.stdout + done.stderr).split())
    assert "bug" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "score photos --html page.html --maps maps --groups", "score photos -o x.parquet", "rank photos",
        "cull photos --keep-best 2 --stars --apply", "cull photos --keep-best 2 --move-to to --apply",
        "embed photos -o x.npz --plot page.html --color-by folder", "embed photos -o x.parquet --plot page.html",
        "evaluate photos --gmad MODEL --gmad-figure x.png", "compare photos/0.jpg photos/1.jpg -f html -o page.html",
        "evaluate --mos mos.csv", "fit-probe --mos mos.csv -o probe", "fit-defects --data photos",
        "fit-direction --data photos",
    ],
)  # fmt: skip
def test_a_run_whose_pictures_are_all_unreadable_says_so(
    tiny_model: Path, relational_folder: Path, photos: Path, command: str
) -> None:
    for path in photos.iterdir():
        path.write_text("no picture")
    (photos.parent / "mos.csv").write_text("image,mos\n" + "".join(f"photos/{n % 3}.jpg,{n}\n" for n in range(12)))
    model = relational_folder if command.split()[0] in ("rank", "compare") else tiny_model
    typed = command.replace("MODEL", str(tiny_model)).split()
    done = shamisa(*typed, "--model", model, cwd=photos.parent)
    assert done.returncode in (2, 3), done.stderr
    assert "bug" not in done.stderr + done.stdout
    assert "RuntimeWarning" not in done.stderr
    assert "photo" in done.stderr + done.stdout


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("stage", ["decode", "encode_thumbnail"])
def test_a_map_of_pictures_is_drawn_without_the_thumbnail_that_fails(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    fail_once(monkeypatch, embedding_map, stage, error)
    page = tmp_path / "page.html"
    done = shamisa("embed", photos, "-o", tmp_path / "x.npz", "--plot", page, "--model", tiny_model)
    assert done.returncode == 0, done.stderr
    assert page.read_text().count("UklGR") == 2  # RIFF, as WebP begins


@pytest.mark.parametrize("error", ERRORS)
def test_pairs_are_drawn_without_the_picture_that_fails(
    tiny_model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail_once(monkeypatch, gmad_figure, "decode", error)
    files = sorted(photos.iterdir())
    assert gmad_figure._decoded(str(files[0])) is not None
    assert gmad_figure._decoded(str(files[1])) is None
    fail_once(monkeypatch, greys, "decode", error)
    encoder = load_model(str(tiny_model)).encoder
    assert [len(greys._embedded(encoder, path)) for path in files] == [1, 0, 1]


@pytest.mark.parametrize("error", [*ERRORS, RecursionError("deep")])
@pytest.mark.parametrize("stage", ["write_mark", "embedded_mark"])
def test_a_sidecar_that_fails_is_named_and_the_others_are_written(
    tiny_model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    fail_once(monkeypatch, sidecars, stage, error)
    done = shamisa("cull", photos, "--keep-best", "50", "--stars", "--apply", "--model", tiny_model)
    assert done.returncode == 3, done.stderr
    assert len(list(photos.glob("*.xmp"))) == 2
    assert "1.jpg.xmp" in done.stdout + done.stderr


def test_a_sidecar_of_very_many_levels_is_left_alone(tiny_model: Path, photos: Path) -> None:
    deep = "<a>" * 20_000 + "</a>" * 20_000
    names = 'xmlns:x="adobe:ns:meta/" xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    text = f"<x:xmpmeta {names}><r:RDF><r:Description/></r:RDF>{deep}</x:xmpmeta>"
    (photos / "1.jpg.xmp").write_text(text)
    done = shamisa("cull", photos, "--keep-best", "50", "--stars", "--apply", "--model", tiny_model)
    assert done.returncode == 3, done.stderr
    assert (photos / "1.jpg.xmp").read_text() == text
    assert len(list(photos.glob("*.xmp"))) == 3
    assert "bug" not in done.stdout + done.stderr


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("action", ["copy", "move"])
def test_a_transfer_that_fails_is_named_and_the_others_are_made(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, error: Exception
) -> None:
    fail_once(monkeypatch, transfers, action, error)
    to = tmp_path / "to"
    below = {"copy": "0", "move": "100"}[action]  # copies are of what is kept
    done = shamisa("cull", photos, "--below", below, f"--{action}-to", to, "--apply", "--model", tiny_model)
    assert done.returncode == 3, done.stderr
    assert len(list(to.glob("*.jpg"))) == 2
    assert "1.jpg" in done.stdout + done.stderr


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("odd")])
def test_a_map_that_fails_is_not_blamed_on_a_small_picture(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    save_noise(tmp_path / "photos", [(50, 40)], blur=2)
    monkeypatch.setattr(heatmap, "write_drawing", fail)
    done = shamisa("score", tmp_path / "photos", "--maps", tmp_path / "maps", "--model", tiny_model, "-f", "json")
    (row,) = json.loads(done.stdout)["images"]
    assert row["error"]["kind"] == "internal"
    assert str(error.args[-1]) in row["error"]["message"]


@pytest.mark.parametrize("name", ["http://host//a.jpg", "./a//b.jpg", "a/./b.jpg", "FTP://x/y.png"])
def test_a_server_answers_with_the_name_that_was_asked_for(tiny_model: Path, name: str) -> None:
    done = shamisa("serve", "--model", tiny_model, input=json.dumps({"path": name, "id": 3}) + "\n")
    answer = json.loads(done.stdout)
    assert (answer["path"], answer["id"], answer["status"]) == (name, 3, "error")
    assert ("address on the web" in answer["error"]["message"]) == ("://" in name)


@pytest.mark.parametrize("command", ["score", "cull", "embed", "compare", "rank"])
def test_quiet_changes_no_exit_code_and_hides_no_picture_that_was_not_read(
    tiny_model: Path, relational_folder: Path, photos: Path, tmp_path: Path, command: str
) -> None:
    broken, good = photos / "broken.jpg", sorted(photos.iterdir())[0]
    broken.write_text("not a picture")
    named = {
        "score": [photos], "cull": [photos, "--below", "10"], "embed": [photos, "-o", tmp_path / "x.npz"],
        "compare": [good, broken], "rank": [good, good, broken],
    }[command]  # fmt: skip
    model = relational_folder if command in ("compare", "rank") else tiny_model
    loud, quiet = (shamisa(command, *named, "--model", model, *more) for more in ([], ["--quiet"]))
    assert loud.returncode == quiet.returncode == 3
    assert broken.name in quiet.stderr
    assert quiet.stdout == ""


class OneFails:
    """A model that compares, and raises an error at the second pair."""

    def __init__(self, model: Comparer, error: Exception) -> None:
        self.identity, self._model, self._error, self._pairs = model.identity, model, error, 0

    def _next(self) -> Comparer:
        self._pairs += 1
        if self._pairs == 2:
            raise self._error
        return self._model

    def judge(self, a: Pixels, b: Pixels) -> Judgement:
        return self._next().judge(a, b)

    def relate(self, a: Pixels, b: Pixels, *, maps: bool = True) -> PairResult:
        return self._next().relate(a, b, maps=maps)


@pytest.fixture(scope="module")
def comparer(relational_folder: Path) -> Comparer:
    return load_relational_model(str(relational_folder), device="cpu")


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("stage", ["read_image", "relate", "watch"])
def test_a_candidate_at_which_something_goes_wrong_is_its_row_alone(
    comparer: Comparer, photos: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    files = sorted(photos.iterdir())
    reference = comparison.read_image(files[0], str(files[0]))
    if stage == "read_image":
        monkeypatch.setattr(comparison, stage, raising_for(files[1], comparison.read_image, error))

    def watch(candidate: Candidate, *_: object) -> None:
        if stage == "watch" and candidate.path == str(files[1]):
            raise error

    model = OneFails(comparer, error) if stage == "relate" else comparer
    found = list(comparison.compare_with(model, reference, [(str(path), path) for path in files], watch=watch))
    assert [record.status for record in found] == ["ok", "error", "ok"]
    assert found[1].error is not None
    assert files[1].name in found[1].error.message


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("good_reads", [0, 1, None])
def test_a_version_that_is_lost_while_ranking_comes_last(
    comparer: Comparer, photos: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, good_reads: int | None
) -> None:
    files = sorted(photos.iterdir())
    original, reads = comparison.read_image, []

    def reading(source: Path, name: str, **settings: int) -> object:
        reads.append(source)
        if good_reads is not None and source == files[2] and reads.count(source) > good_reads:
            raise error
        return original(source, name, **settings)

    monkeypatch.setattr(ranking, "read_image", reading)
    model = OneFails(comparer, error) if good_reads is None else comparer
    ranked = ranking.rank_pictures(model, [(str(path), path) for path in files])
    assert [entry.path for entry in ranked.pictures if entry.error] == [str(files[2])]
    assert sorted(entry.path for entry in ranked.pictures if entry.rank) == [str(files[0]), str(files[1])]
    assert ranked.pairs == 1


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError("much")])
@pytest.mark.parametrize("stage", ["decode", "embedded"])
def test_a_picture_at_which_something_goes_wrong_is_one_row_of_a_part(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    bad = sorted(photos.iterdir())[1]
    monkeypatch.setattr(parts, stage, raising_for(bad, getattr(parts, stage), error))
    (part,) = parts.split_into_parts(find_sources([photos]), 1)
    done = parts.write_part(part, ScoreRows(load_model(str(tiny_model)), "model"), Store(str(tmp_path / "out")))
    assert (done.rows, done.unreadable) == (3, 1)
    assert bad.name in done.errors[0]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("command", ["evaluate", "fit-probe"])
def test_a_rated_picture_at_which_something_goes_wrong_is_left_out_by_name(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, stage: str, error: Exception
) -> None:
    files = save_noise(tmp_path / "photos", [(60, 40)] * 12, blur=0.3)
    (tmp_path / "mos.csv").write_text("image,mos\n" + "".join(f"photos/{path.name},{path.stem}\n" for path in files))
    monkeypatch.setattr(scorer, stage, raising_for(files[1], getattr(scorer, stage), error))
    more = ["-o", tmp_path / "probe"] if command == "fit-probe" else ["-f", "json"]
    cached = ("--cache", "--cache-dir", tmp_path / "cache")
    run = (command, "--mos", tmp_path / "mos.csv", "--model", tiny_model, *cached, *more)
    done = shamisa(*run)
    assert done.returncode == 3, done.stderr
    assert files[1].name in done.stderr
    assert "Traceback" not in done.stderr
    assert shamisa(*run, "--skip-unreadable").returncode == 0


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("stage", ["page", "maps"])
def test_what_is_drawn_of_a_picture_is_its_row_alone(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    owner, name = (thumbnails.Thumbnails, "add") if stage == "page" else (heatmap.MapWriter, "__call__")
    original, calls = getattr(owner, name), []

    def raising(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return original(*arguments)

    monkeypatch.setattr(owner, name, raising)
    more = ["--html", tmp_path / "page.html"] if stage == "page" else ["--maps", tmp_path / "maps"]
    done = shamisa("score", photos, "--model", tiny_model, "-f", "json", *more)
    assert done.returncode == 3, done.stderr
    assert sum(image["score"] is None for image in json.loads(done.stdout)["images"]) == 1


@pytest.mark.parametrize(
    "command",
    [
        "score photos -f text", "score photos -f csv", "score photos -f github",
        "cull photos --below 9 -f text", "cull photos --below 9 -f csv", "cull photos --below 9 -f json",
        "cull photos --below 9 --list kept", "embed photos -o x.npz", "embed photos -o x.parquet",
        "evaluate --mos mos.csv", "fit-probe --mos mos.csv -o probe",
    ],
)  # fmt: skip
def test_where_memory_is_lacking_for_a_picture_every_command_says_what_helps(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    files = save_noise(tmp_path / "photos", [(60, 40)] * 12, blur=0.3)
    (tmp_path / "mos.csv").write_text("image,mos\n" + "".join(f"photos/{path.name},{path.stem}\n" for path in files))
    monkeypatch.setattr(scorer, "decode", raising_for(files[1].relative_to(tmp_path), scorer.decode, MemoryError()))
    done = shamisa(*command.split(), "--model", tiny_model, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "compute less at once" in " ".join((done.stdout + done.stderr).split())


def test_a_table_of_scores_says_what_helps_where_memory_is_lacking(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = sorted(photos.iterdir())[1]
    monkeypatch.setattr(scorer, "decode", raising_for(bad, scorer.decode, MemoryError()))
    assert shamisa("score", photos, "--model", tiny_model, "-o", tmp_path / "x.parquet").returncode == 3
    [reason] = [record.error.message for record in read_scores(tmp_path / "x.parquet") if record.error]
    assert "compute less at once" in reason
