"""Identities cover all that a number depends on: cache, tables, revisions and baselines notice every changed file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from safetensors.numpy import load_file, save_file

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.loading import load_model, load_relational_model
from shamisa_cli.core.models.manifest import sha256_of
from shamisa_cli.core.networks.export.export_model import verify_graphs
from shamisa_cli.core.scoring import provenance
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.pipeline import describe_run, score_files
from shamisa_cli.core.scoring.provenance import FORMULAS
from shamisa_cli.core.scoring.resumable import feature_source
from shamisa_cli.core.scoring.score_table import score_source
from shamisa_cli.core.scoring.scorer import Embedding, image_record


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    save_noise(tmp_path / "photos", [(120, 80)] * 3, blur=2)
    return tmp_path / "photos"


def renew(folder: Path, manifest: str, name: str) -> None:
    """Write a file's hash into its manifest anew, as an attacker would."""
    entries = json.loads((folder / manifest).read_text())
    entries["files"][name] = sha256_of(folder / name)
    (folder / manifest).write_text(json.dumps(entries))


def exchange_graph(folder: Path) -> None:
    """A graph whose features are all another number, made from the honest one."""
    import onnx
    from onnx import helper

    model = onnx.load(folder / "encoder.onnx", load_external_data=False)
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["honest" if name == output else name for name in node.output]
    model.graph.node.append(helper.make_node("Neg", ["honest"], [output]))
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())
    renew(folder, "config.json", "encoder.onnx")


def change_weights(folder: Path) -> None:
    weights = load_file(folder / "encoder.safetensors")
    name = sorted(weights)[0]
    save_file({**weights, name: weights[name] + 1}, folder / "encoder.safetensors")
    renew(folder, "config.json", "encoder.safetensors")


def change_config(folder: Path) -> None:
    entries = json.loads((folder / "config.json").read_text())
    entries["encoder"]["preprocessing"]["view_size"] = 96
    (folder / "config.json").write_text(json.dumps(entries))


def change_probe_weights(folder: Path) -> None:
    weights = load_file(folder / "probe.safetensors")
    save_file({**weights, "weights": weights["weights"] * 2}, folder / "probe.safetensors")
    renew(folder, "probe.json", "probe.safetensors")


def change_probe(folder: Path) -> None:
    entries = json.loads((folder / "probe.json").read_text())
    (folder / "probe.json").write_text(json.dumps({**entries, "bias": entries["bias"] + 1}))


PROBE_CHANGES = (change_probe_weights, change_probe)


def identities(folder: Path) -> dict[str, object]:
    """Everything that names the model `folder` in results, as text; the model need not fit together."""
    model = load_model(str(folder), on_demand=True, device="cpu")
    run = describe_run(model, "model")
    return {
        "revision": model.revision,
        "features": feature_source(model).to_json(),
        "table": score_source(model, "model"),
        "run": run.model.to_json(),
    }


@pytest.mark.parametrize("change", [exchange_graph, change_probe_weights, change_probe])
def test_changing_any_file_of_a_model_changes_what_names_its_results(
    copy: Path, change: Callable[[Path], None]
) -> None:
    before = identities(copy)
    change(copy)
    after = identities(copy)
    same = {name for name, value in before.items() if value == after[name]}
    assert same == ({"features"} if change in PROBE_CHANGES else set())


BUNDLED = Path(__file__).resolve().parents[2] / "weights" / "shamisa-lite2"
JUDGES = ("probe.safetensors", "defects.safetensors", "direction.safetensors")


@pytest.mark.parametrize("name", JUDGES)
def test_every_array_and_every_list_that_judges_is_in_the_revision(tmp_path: Path, name: str) -> None:
    folder, manifest = Path(shutil.copytree(BUNDLED, tmp_path / "copy")), Path(name).stem + ".json"
    arrays, revisions = load_file(folder / name), [load_model(str(folder), on_demand=True, device="cpu").revision]
    for key, array in arrays.items():
        save_file({**arrays, key: np.nextafter(array, np.inf, dtype=array.dtype)}, folder / name)
        renew(folder, manifest, name)
        revisions.append(load_model(str(folder), on_demand=True, device="cpu").revision)
    entries = json.loads((folder / manifest).read_text())
    (folder / manifest).write_text(json.dumps({**entries, "trained_on": "something else"}))
    revisions.append(load_model(str(folder), on_demand=True, device="cpu").revision)
    assert len(set(revisions)) == len(arrays) + 2


@pytest.mark.parametrize("change", [exchange_graph, change_probe_weights, change_probe])
def test_a_comparison_names_the_model_that_tells_which_picture_is_better(
    relational_folder: Path, tiny_model: Path, copy: Path, change: Callable[[Path], None]
) -> None:
    change(copy)
    names = [load_relational_model(str(relational_folder), scorer=str(each)).identity for each in (tiny_model, copy)]
    assert names[0].name == names[1].name == "pairs"
    assert names[0].revision.partition("+")[0] == names[1].revision.partition("+")[0]
    assert names[0].revision.endswith(f"+{load_model(str(tiny_model), on_demand=True).revision}")
    assert names[0] != names[1]


@pytest.mark.parametrize("change", [change_weights, change_config])
def test_a_probe_of_other_weights_or_another_configuration_is_refused(
    copy: Path, change: Callable[[Path], None]
) -> None:
    change(copy)
    with pytest.raises(ModelError, match="was fitted on encoder"):
        load_model(str(copy), device="cpu")


def test_an_exchanged_graph_neither_reads_nor_fills_the_cache_of_the_honest_model(
    tiny_model: Path, copy: Path, photos: Path, tmp_path: Path
) -> None:
    exchange_graph(copy)
    files = sorted(photos.iterdir())
    honest, false = (load_model(str(folder), device="cpu", runtime="onnx") for folder in (tiny_model, copy))
    without = [record.score for record in score_files(honest, files)]
    with Cache(tmp_path / "cache") as cache:
        other = [record.score for record in score_files(false, files, cache=cache)]
        again = [record.score for record in score_files(honest, files, cache=cache)]
    assert other != without
    assert again == without


def test_a_baseline_and_a_table_of_features_refuse_a_model_whose_graph_was_exchanged(
    tiny_model: Path, copy: Path, photos: Path, tmp_path: Path
) -> None:
    exchange_graph(copy)
    base, table = tmp_path / "base.json", tmp_path / "features.npz"
    mos = tmp_path / "mos.csv"
    mos.write_text("image,mos\n" + "".join(f"{file},{n}\n" for n, file in enumerate(sorted(photos.iterdir()) * 8)))
    assert shamisa("score", photos, "--model", copy, "--baseline", base, "--update-baseline").returncode == 0
    compared = shamisa("score", photos, "--model", tiny_model, "--baseline", base, "--max-drop", "5")
    assert compared.returncode == 2
    assert "cannot be compared" in compared.stderr
    assert shamisa("embed", photos, "--model", copy, "-o", table).returncode == 0
    fitted = shamisa("fit-probe", "--mos", mos, "--model", tiny_model, "--features", table, "-o", tmp_path / "probe")
    assert fitted.returncode == 2


def test_a_gate_refuses_earlier_scores_of_another_way_of_reading_and_says_what_to_do(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ("score", photos, "--model", tiny_model, "--baseline", tmp_path / "base.json")
    assert shamisa(*gate, "--update-baseline").returncode == 0
    assert "version" not in shamisa(*gate, "--max-drop", "5").stderr
    monkeypatch.setattr(provenance, "_version", lambda _package: "99.9")
    other_packages = shamisa(*gate, "--max-drop", "5")
    assert other_packages.returncode == 0, other_packages.stderr
    assert "→ 99.9" in other_packages.stderr
    monkeypatch.setattr(provenance, "READING", 99)
    refused = shamisa(*gate, "--max-drop", "5")
    assert refused.returncode == 2
    assert "reading 99" in refused.stderr
    assert "write the baseline again with --update-baseline." in refused.stderr
    assert shamisa(*gate, "--update-baseline").returncode == 0
    assert shamisa(*gate, "--max-drop", "5").returncode == 0


def test_a_gate_uses_earlier_scores_of_an_older_file_and_says_once_what_is_not_checked(
    tiny_model: Path, photos: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base.json"
    gate = ("score", photos, "--model", tiny_model, "--baseline", base)
    assert shamisa(*gate, "--update-baseline").returncode == 0
    document = json.loads(base.read_text())
    del document["made_with"]
    base.write_text(json.dumps(document))
    done = shamisa(*gate, "--max-drop", "5")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("does not say which version made its scores") == 1


def test_verify_tells_a_graph_that_is_not_of_the_weights(tiny_model: Path, copy: Path) -> None:
    assert verify_graphs(tiny_model) == ("encoder.onnx",)
    shown = shamisa("models", "show", tiny_model, "--verify")
    assert "as the weights" in shown.stdout
    exchange_graph(copy)
    refused = shamisa("models", "show", copy, "--verify")
    assert refused.returncode == 2
    assert "different features" in refused.stderr


def test_a_changed_formula_takes_a_new_number_so_that_cached_records_are_made_again(tiny_model: Path) -> None:
    # If these change, raise FORMULAS: records that the cache holds were made with the formula before.
    model = load_model(str(tiny_model), device="cpu")
    features = np.random.default_rng(3).normal(size=model.encoder.feature_length).astype(np.float32)
    features *= 0.01
    record = image_record(model, Embedding("x.jpg", features, 4, 3))
    assert FORMULAS == 3
    assert (record.score, record.mos) == (pytest.approx(48.372, abs=0.001), pytest.approx(2.935, abs=0.001))


def made_graph(folder: Path, *nodes: object, length: int) -> None:
    """A graph that claims to be the model's, and computes something of its own."""
    from onnx import TensorProto, helper

    honest = load_graph(folder)
    count = helper.make_tensor("count", TensorProto.INT64, [1], [length])
    graph = helper.make_graph(nodes, "made", honest.graph.input, honest.graph.output[:1], initializer=[count])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=honest.ir_version)
    model.metadata_props.extend(honest.metadata_props)
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())
    renew(folder, "config.json", "encoder.onnx")


@pytest.mark.parametrize("made", ["too few", "one number", "the picture itself"])
def test_a_graph_that_is_no_encoder_is_refused_in_a_sentence(
    tiny_model: Path, photos: Path, tmp_path: Path, made: str
) -> None:
    from onnx import helper

    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    output = load_graph(copy).graph.output[0].name
    nodes = {
        "too few": [helper.make_node("ConstantOfShape", ["count"], [output])],
        "one number": [
            helper.make_node("ConstantOfShape", ["count"], ["all"]),
            helper.make_node("ReduceMax", ["all"], [output], keepdims=0),
        ],
        "the picture itself": [helper.make_node("Cast", ["pixels"], [output], to=1)],
    }[made]
    made_graph(copy, *nodes, length=100)
    for command in (("score", photos, "--model", copy), ("models", "show", copy, "--verify")):
        done = shamisa(*command)
        assert done.returncode == 2, done.stdout
        assert "bug" not in done.stderr


@pytest.mark.parametrize(("kind", "size"), [("BF16", 2), ("F8_E4M3", 1)])
@pytest.mark.parametrize(
    ("manifest", "name"), [("probe.json", "probe.safetensors"), ("config.json", "encoder.safetensors")]
)
def test_weights_of_a_type_that_numpy_lacks_are_refused_in_a_sentence(
    tiny_model: Path, photos: Path, tmp_path: Path, kind: str, size: int, manifest: str, name: str
) -> None:
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    header = json.dumps({"weights": {"dtype": kind, "shape": [2], "data_offsets": [0, 2 * size]}}).encode()
    (copy / name).write_bytes(len(header).to_bytes(8, "little") + header + bytes(2 * size))
    renew(copy, manifest, name)
    done = shamisa("score", photos, "--model", copy)
    assert done.returncode == 2
    assert "bug" not in done.stderr


def load_graph(folder: Path) -> Any:
    import onnx

    return onnx.load(folder / "encoder.onnx", load_external_data=False)
