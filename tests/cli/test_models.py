"""shamisa models, against a Hub on loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from helpers.loopback_hub import TOKEN, LoopbackHub
from helpers.program import ENVIRONMENT, Finished, Program
from PIL import Image

from shamisa_cli.core.models.resolver import DEFAULT_MODEL

CARD = """---
license: mit
tags: [camera]
model-index:
- name: tiny
  results:
  - task: {type: image-quality-assessment}
    dataset: {name: My raters, type: my-raters}
    metrics:
    - {type: spearmanr, value: 0.75, name: SRCC}
---
# tiny

![Scatter](scatter.png) ![elsewhere](https://example.org/x.png) ![outside](../secret.png)
"""
PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def models(shamisa: Program, hub: LoopbackHub, home: Path) -> Program:
    """Run `shamisa models …` with the loopback Hub and a cache of the test's own; keywords go to the environment."""

    def run(*arguments: str | Path, **environment: str) -> Finished:
        settings = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        return shamisa("models", *arguments, env=ENVIRONMENT | settings | environment)

    return run


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with a card, a figure, and files that are nobody's business."""
    copy = Path(shutil.copytree(tiny_model, tmp_path / "tiny"))
    (copy / "README.md").write_text(CARD)
    (copy / "scatter.png").write_bytes(PNG)
    (copy / "notes.txt").write_text("mine")
    (tmp_path / "secret.png").write_bytes(PNG)
    return copy


def sent(hub: LoopbackHub, since: int) -> list[str]:
    return [line for line in hub.requests[since:] if not line.startswith(("GET", "HEAD"))]


def test_list_names_the_bundled_model_with_its_figures_and_asks_nothing(models: Program, hub: LoopbackHub) -> None:
    asked = len(hub.requests)
    shown = models("list")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert DEFAULT_MODEL in shown.stdout
    assert "SRCC 0.8" in shown.stdout
    assert len(hub.requests) == asked


def test_a_pulled_model_is_listed_shown_and_scores_offline(
    models: Program,
    hub: LoopbackHub,
    folder: Path,
    photos: Path,
    home: Path,
    shamisa: Program,
) -> None:
    commit = hub.publish("lab/camera", folder)
    pulled = models("pull", "hf:lab/camera")
    assert pulled.returncode == 0, pulled.stderr
    assert commit in pulled.stdout
    assert f"shamisa score --model hf:lab/camera@{commit}" in pulled.stderr
    fetched = {line.rsplit("/", 1)[-1] for line in hub.requests if "/resolve/" in line}
    assert not fetched & {"notes.txt", "scatter.png"}

    asked = len(hub.requests)
    listed = json.loads(models("list", "--json").stdout)["models"]
    [entry] = [entry for entry in listed if entry["source"] == "hub"]
    assert (entry["name"], entry["revision"], entry["error"]) == ("hf:lab/camera", commit, None)
    assert (entry["has_encoder"], entry["has_probe"]) == (True, True)
    assert entry["metrics"] == [{"name": "SRCC", "value": 0.75, "dataset": "My raters"}]
    assert "My raters: SRCC 0.75" in models("list").stdout
    again = models("pull", "hf:lab/camera", "--offline")
    assert (again.returncode, again.stdout) == (0, pulled.stdout)
    scored = shamisa(
        "score",
        photos,
        "--model",
        f"hf:lab/camera@{commit}",
        "--offline",
        "--format",
        "json",
        env={**ENVIRONMENT, "HF_HOME": str(home), "HF_ENDPOINT": hub.endpoint},
    )
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["model"]["revision"] == commit
    assert len(hub.requests) == asked


def test_a_process_of_its_own_pulls_the_same_in_the_same_words(
    models: Program, process: Program, hub: LoopbackHub, folder: Path, home: Path
) -> None:
    hub.publish("lab/twice", folder)
    here = models("pull", "hf:lab/twice", "--json")
    shutil.move(home, home.with_name("first"))
    there = process(
        "models",
        "pull",
        "hf:lab/twice",
        "--json",
        env=ENVIRONMENT | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home)},
    )
    assert (here.returncode, here.stdout) == (there.returncode, there.stdout)
    # before the last line is the client's own bar, with its clock
    assert here.stderr.splitlines()[-1] == there.stderr.splitlines()[-1]
    assert Path(json.loads(there.stdout)["folder"]).is_relative_to(home)


def test_show_prints_the_essentials_and_the_hash_of_every_file(models: Program, folder: Path) -> None:
    shown = models("show", folder)
    assert shown.returncode == 0, shown.stderr
    for expected in ("mobilenet_v2", "view size 64", "human scale", "1 (worst) … 5 (best)", "My raters: SRCC 0.75"):
        assert expected in shown.stdout
    for path in folder.iterdir():
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}" in shown.stdout
    described = json.loads(models("show", folder, "--json").stdout)
    assert described["encoder"]["preprocessing"]["view_size"] == 64
    assert described["probe"]["encoder_fingerprint"] == described["fingerprint"]
    assert {file["name"] for file in described["files"]} == {path.name for path in folder.iterdir()}


def test_a_probe_alone_is_shown_as_one(models: Program, folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "encoder.safetensors").unlink()
    described = json.loads(models("show", folder, "--json").stdout)
    assert (described["has_encoder"], described["has_probe"], described["encoder"]) == (False, True, None)


def test_a_damaged_model_in_the_cache_is_listed_as_such_and_mended_by_a_pull(
    models: Program, hub: LoopbackHub, folder: Path
) -> None:
    hub.publish("lab/worn", folder)
    place = Path(json.loads(models("pull", "hf:lab/worn", "--json").stdout)["folder"])
    (place / "encoder.safetensors").write_bytes(b"worn")
    listed = models("list")
    assert "damaged" in listed.stdout
    assert "encoder.safetensors is damaged or was altered" in listed.stderr
    assert models("pull", "hf:lab/worn").returncode == 0
    assert "damaged" not in models("list").stdout


def test_a_push_sends_the_models_own_files_and_says_so(models: Program, hub: LoopbackHub, folder: Path) -> None:
    pushed = models("push", folder, "hf:lab/new", HF_TOKEN=TOKEN)
    assert pushed.returncode == 0, pushed.stderr
    files = hub.head("lab/new")
    weights = {"config.json", "encoder.onnx", "encoder.safetensors", "probe.json", "probe.safetensors"}
    assert set(files) == {".gitattributes", "README.md", "scatter.png", *weights}
    for name in {"scatter.png", *weights}:
        assert files[name] == (folder / name).read_bytes()
        assert name in pushed.stdout
    assert "left out" in pushed.stdout
    assert "notes.txt" in pushed.stdout
    assert list(hub.repositories["lab/new"])[-1] in pushed.stdout


@pytest.mark.parametrize("before", [False, True], ids=["new", "an older one is there"])
def test_a_file_that_the_repository_leaves_out_of_a_push_is_named(
    models: Program, hub: LoopbackHub, folder: Path, before: bool
) -> None:
    if before:
        assert models("push", folder, "hf:lab/ignoring", HF_TOKEN=TOKEN).returncode == 0
    hub.ignored.add("probe.safetensors")
    pushed = models("push", folder, "hf:lab/ignoring", HF_TOKEN=TOKEN)
    hub.ignored.clear()
    assert (pushed.returncode, pushed.stdout) == (2, "")
    assert "took all but probe.safetensors" in pushed.stderr


def test_a_pushed_card_has_its_metadata_completed_and_its_text_kept(
    models: Program, hub: LoopbackHub, folder: Path
) -> None:
    from huggingface_hub import ModelCard

    assert models("push", folder, "hf:lab/card", HF_TOKEN=TOKEN).returncode == 0
    card = ModelCard(hub.head("lab/card")["README.md"].decode())
    assert card.data.library_name == "shamisa"
    assert card.data.license == "mit"
    assert card.data.tags == ["camera", "image-quality-assessment", "no-reference", "mobilenet-v2"]
    [result] = card.data.eval_results
    assert (result.dataset_name, result.metric_type, result.metric_value) == ("My raters", "spearmanr", 0.75)
    assert card.text == CARD.partition("\n---\n")[2]
    assert (folder / "README.md").read_text() == CARD


def test_what_was_pushed_can_be_pulled_and_a_second_push_changes_what_changed(
    models: Program, hub: LoopbackHub, folder: Path
) -> None:
    assert models("push", folder, "hf:lab/round", HF_TOKEN=TOKEN).returncode == 0
    place = Path(json.loads(models("pull", "hf:lab/round", "--json").stdout)["folder"])
    assert (place / "encoder.safetensors").read_bytes() == (folder / "encoder.safetensors").read_bytes()
    (folder / "README.md").write_text("# Renamed\n")
    assert models("push", folder, "hf:lab/round", HF_TOKEN=TOKEN).returncode == 0
    assert len(hub.repositories["lab/round"]) == 3
    assert hub.head("lab/round")["README.md"].endswith(b"# Renamed\n")


def test_another_encoder_does_not_stay_beside_the_probe_and_graph_of_the_one_before(
    models: Program, hub: LoopbackHub, folder: Path, tmp_path: Path
) -> None:
    assert models("push", folder, "hf:lab/next", HF_TOKEN=TOKEN).returncode == 0
    hub.publish("lab/next", folder, **{"notes.md": b"mine", "encoder.onnx": b"graph", "direction.json": b"{}"})
    lone = tmp_path / "lone"
    shutil.copytree(folder, lone, ignore=shutil.ignore_patterns("probe.*"))
    same = models("push", lone, "hf:lab/next", "--json", HF_TOKEN=TOKEN)
    assert json.loads(same.stdout)["removed"] == [], "the same encoder, whose probe came from elsewhere"
    assert models("derive", folder, "-o", tmp_path / "other", "--view-size", "48").returncode == 0
    pushed = models("push", tmp_path / "other", "hf:lab/next", HF_TOKEN=TOKEN)
    assert (pushed.returncode, pushed.stdout.count("of the encoder or networks before")) == (0, 4), pushed.stderr
    assert set(hub.head("lab/next")) == {
        "README.md", "config.json", "encoder.safetensors", "notes.md", "notes.txt", "scatter.png",
    }  # fmt: skip
    assert models("pull", "hf:lab/next").returncode == 0


@pytest.mark.parametrize("name", ["weights.pkl", "pytorch_model.bin", "nested/checkpoint.PT"])
def test_a_folder_with_a_pickle_is_refused_before_anything_is_sent(
    models: Program, hub: LoopbackHub, folder: Path, name: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\x80\x04N.")
    asked = len(hub.requests)
    pushed = models("push", folder, "hf:lab/pickled", HF_TOKEN=TOKEN)
    assert pushed.returncode == 2
    assert "pickles are never uploaded" in pushed.stderr
    assert len(hub.requests) == asked


def test_a_pickle_that_is_named_safetensors_is_refused(models: Program, hub: LoopbackHub, folder: Path) -> None:
    content = b"\x80\x04N."
    (folder / "probe.safetensors").write_bytes(content)
    record = json.loads((folder / "probe.json").read_text())
    record["files"]["probe.safetensors"] = hashlib.sha256(content).hexdigest()
    (folder / "probe.json").write_text(json.dumps(record))
    asked = len(hub.requests)
    pushed = models("push", folder, "hf:lab/pickled", HF_TOKEN=TOKEN)
    assert (pushed.returncode, "is not a complete safetensors file" in pushed.stderr) == (2, True)
    assert len(hub.requests) == asked


def test_private_is_private_or_nothing(models: Program, hub: LoopbackHub, folder: Path) -> None:
    assert models("push", folder, "hf:lab/hidden", "--private", HF_TOKEN=TOKEN).returncode == 0
    assert "lab/hidden" in hub.private
    assert models("push", folder, "hf:lab/open", HF_TOKEN=TOKEN).returncode == 0
    commits = len(hub.repositories["lab/open"])
    refused = models("push", folder, "hf:lab/open", "--private", HF_TOKEN=TOKEN)
    assert (refused.returncode, "exists and is public" in refused.stderr) == (2, True)
    assert len(hub.repositories["lab/open"]) == commits


@pytest.mark.parametrize(
    ("repository", "environment", "expected"),
    [
        ("hf:lab/new-one", {"HF_TOKEN": "hf_reads_only"}, "does not allow you to write there (HTTP 401)"),
        ("hf:org/forbidden", {"HF_TOKEN": TOKEN}, "does not allow you to write there (HTTP 403)"),
        ("hf:org/busy", {"HF_TOKEN": TOKEN}, "too many requests to the Hub (HTTP 429)"),
        ("hf:org/broken", {"HF_TOKEN": TOKEN}, "answered HTTP 500"),
        ("hf:lab/x@main", {"HF_TOKEN": TOKEN}, "go to the main branch"),
        ("nonsense", {"HF_TOKEN": TOKEN}, "is not the name of a model on the Hub"),
        ("hf:lab/x", {"HF_HUB_OFFLINE": "1"}, "cannot be uploaded offline"),
        ("hf:lab/x", {"SHAMISA_OFFLINE": "1"}, "cannot be uploaded offline"),
        ("hf:lab/x", {"HF_ENDPOINT": "http://127.0.0.1:1"}, "http://127.0.0.1:1 cannot be reached"),
    ],
)
def test_a_push_that_cannot_be_is_a_sentence(
    models: Program, hub: LoopbackHub, folder: Path, repository: str, environment: dict[str, str], expected: str
) -> None:
    asked = len(hub.requests)
    pushed = models("push", folder, repository, **environment)
    assert pushed.returncode == 2
    assert expected in pushed.stderr
    assert "Traceback" not in pushed.stderr
    assert not [line for line in sent(hub, asked) if "/commit/" in line or "/storage/" in line]
    if "OFFLINE" in str(environment):
        assert len(hub.requests) == asked


@pytest.mark.parametrize("line", ["POST /api/repos/create", "POST /api/models/lab/mute/commit"])
def test_a_hub_that_falls_silent_holds_no_push(models: Program, hub: LoopbackHub, folder: Path, line: str) -> None:
    hub.silent.add(line)
    try:
        pushed = models("push", folder, "hf:lab/mute", HF_TOKEN=TOKEN, HF_HUB_DOWNLOAD_TIMEOUT="1")
    finally:
        hub.silent.clear()
    assert (pushed.returncode, "took too long to answer" in pushed.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("show", "nonsense"), "There is no model or probe 'nonsense'"),
        (("show", "hf:lab/nowhere"), "does not exist on the Hub"),
        (("pull", DEFAULT_MODEL), "is not the name of a model on the Hub"),
        (("pull", "hf:org/broken"), "answered HTTP 500"),
        (("push", "nowhere", "hf:lab/x"), "There is no model or probe 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_said_and_exits_2(models: Program, arguments: tuple[str, ...], expected: str) -> None:
    done = models(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr


def test_offline_in_a_projects_settings_holds_here_too(
    models: Program, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shamisa.toml").write_text("offline = true\n")
    monkeypatch.chdir(tmp_path)
    asked = len(hub.requests)
    pulled = models("pull", "hf:lab/camera")
    assert (pulled.returncode, "and offline" in pulled.stderr) == (2, True)
    assert len(hub.requests) == asked


def test_a_relational_model_is_pushed_pulled_shown_and_compares_offline(  # type: ignore[no-untyped-def]
    models: Program, shamisa, hub: LoopbackHub, home: Path, relational_folder: Path, photos: Path
) -> None:
    done = models("push", relational_folder, "hf:ours/pairs", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    card = models("pull", "hf:ours/pairs")
    assert card.returncode == 0, card.stderr
    assert "shamisa compare --model hf:ours/pairs@" in card.stderr
    assert "relational" in models("list").stdout
    shown = models("show", "hf:ours/pairs", "--offline", "--json")
    described = json.loads(shown.stdout)
    assert (described["has_relational"], described["has_encoder"], described["probe"]) == (True, False, None)
    assert described["networks"]["stages"] == [0, 1, 3, 6, 10]
    readme = (Path(described["folder"]) / "README.md").read_text()
    assert "full-reference" in readme
    assert "no-reference" not in readme
    table = models("show", "hf:ours/pairs", "--offline")
    assert "networks" in table.stdout
    settings = ENVIRONMENT | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home)}
    compared = shamisa(
        "compare", photos / "0.jpg", photos / "1.jpg", "--model", "hf:ours/pairs", "--offline", env=settings
    )
    assert compared.returncode == 0, compared.stderr


def test_an_exported_model_scores_as_before(models: Program, shamisa, folder: Path, photos: Path) -> None:  # type: ignore[no-untyped-def]
    config = json.loads((folder / "config.json").read_text())
    del config["files"]["encoder.onnx"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "encoder.onnx").unlink()
    refused = shamisa("score", photos, "--model", folder, "--runtime", "onnx")
    assert refused.returncode == 2
    assert f"shamisa models export {folder}" in refused.stderr
    before = json.loads(shamisa("score", photos, "--model", folder, "-f", "json").stdout)
    exported = models("export", folder, "--json")
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["graph"] == str(folder / "encoder.onnx")
    after = json.loads(shamisa("score", photos, "--model", folder, "-f", "json", "--runtime", "onnx").stdout)
    assert before["model"]["preprocessing"] == after["model"]["preprocessing"]
    assert before["model"]["revision"] != after["model"]["revision"]  # the graph is part of what scores depend on
    for one, other in zip(before["images"], after["images"], strict=True):
        assert abs(one["score"] - other["score"]) < 0.01


def test_a_model_that_judges_every_pixel_says_so(models: Program, folder: Path, tmp_path: Path) -> None:
    assert models("derive", folder, "-o", tmp_path / "native", "--view-size", "native").returncode == 0
    assert "view size native" in models("show", tmp_path / "native").stdout


def test_a_model_that_reads_less_is_derived_and_fitted_on_its_own(
    models: Program, folder: Path, tmp_path: Path
) -> None:
    made = models("derive", folder, "-o", tmp_path / "fast", "--view-size", "64", "--stages", "0,2-4", "--scales", "1")
    assert made.returncode == 0, made.stderr
    shown = json.loads(models("show", tmp_path / "fast", "--json").stdout)
    assert shown["encoder"]["features"]["stages"] == [0, 2, 3, 4]
    assert shown["encoder"]["features"]["scales"] == [1.0]
    assert shown["encoder"]["preprocessing"]["view_size"] == 64
    assert shown["probe"] is None
    for option, value in (
        ("--stages", "3-x"),
        ("--stages", "4-2"),
        ("--stages", "1-2-3"),
        ("--scales", "half"),
        ("--view-size", "small"),
    ):
        refused = models("derive", folder, "-o", tmp_path / "never", option, value)
        assert refused.returncode == 2
        assert f"{option} is {value!r}" in refused.stderr
    assert not (tmp_path / "never").exists()


def test_of_a_model_from_the_hub_a_log_holds_no_bars_and_is_told_of_a_branch_as_last_seen(
    shamisa: Program, hub: LoopbackHub, folder: Path, home: Path, tmp_path: Path
) -> None:
    hub.publish("lab/seen", folder)
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "one.png")

    def score(endpoint: str, *more: str) -> Finished:
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home)}
        return shamisa("score", tmp_path / "one.png", "--model", "hf:lab/seen", *more, env=ENVIRONMENT | settings)

    for more in ([], ["-q"]):
        said = score(hub.endpoint, *more).stderr
        assert "Fetching" not in said
        assert "last seen" not in said
    with hub.answering("lab/seen", None) as endpoint:
        said = score(endpoint).stderr
        assert said.count("warning: The Hub cannot be reached: hf:lab/seen is taken as it was last seen, commit") == 1
        assert "ModelWarning" not in said
        assert score(endpoint, "-q").stderr == ""
