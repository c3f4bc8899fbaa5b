"""fit-probe and evaluate, as a person uses them, on a small untrained encoder and drawn pictures."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.models import save_plain_model
from helpers.program import run_here as run
from PIL import Image

from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.fitting.doubts import doubts
from shamisa_cli.core.fitting.recipe import ProbeSettings
from shamisa_cli.core.models.folder import save_probe
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.probe_files import read_probe
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.model_folders import save_encoder
from shamisa_cli.core.probe.metrics import agreement
from shamisa_cli.core.probe.mos_table import read_mos_table
from shamisa_cli.core.probe.protocol import ProtocolResult, SplitResult
from shamisa_cli.core.probe.pseudo import PseudoSettings
from shamisa_cli.core.probe.sessions import SessionSettings
from shamisa_cli.core.scoring import table_features
from shamisa_cli.core.scoring.feature_formats import FileStamp
from shamisa_cli.core.scoring.feature_table import save_features
from shamisa_cli.core.scoring.pipeline import embed_files, score_files
from shamisa_cli.core.scoring.resumable import feature_source

PICTURES = 24


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """As a user has it: what one run has computed, the next one reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHAMISA_CACHE", "1")
        patch.setenv("SHAMISA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_plain_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A folder of pictures whose score, 1…5, falls with their noise, and a table of them."""
    folder = tmp_path_factory.mktemp("scored")
    generator = np.random.default_rng(0)
    lines = ["image,mos,scene,kind"]
    for number in range(PICTURES):
        noise = number / PICTURES
        pixels = 128 + 100 * noise * generator.standard_normal((40, 48, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{5 - 4 * noise:.3f},scene{number % 6},{'odd' if number % 2 else 'even'}")
    (folder / "mos.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def probe(model, scored, tmp_path_factory):
    folder = tmp_path_factory.mktemp("probes") / "noise"
    result = run("fit-probe", "--mos", scored / "mos.csv", "-o", folder, "--model", model, "--splits", 3)
    assert result.returncode == 0, result.stderr
    return folder


def stored_features(model, paths, target):
    loaded = load_model(str(model))
    rows = [embedding.features for embedding in embed_files(loaded.encoder, paths)]
    stamps = [FileStamp.of(path) for path in paths]
    save_features(target, stamps, len(rows[0]), [np.stack(rows)], feature_source(loaded))
    return target


def test_a_probe_folder_is_complete_and_scores(probe, model):
    assert {path.name for path in probe.iterdir()} == {"probe.json", "probe.safetensors", "README.md", "scatter.png"}
    loaded = load_model(str(model), probe=str(probe))
    assert loaded.probe is not None
    assert loaded.probe.scale.ends == (pytest.approx(1.167), 5.0)
    card = (probe / "README.md").read_text()
    assert "shamisa fit-probe --mos mos.csv --output noise" in card
    assert "| pictures | 24 |" in card


def test_the_table_goes_to_stdout_with_a_row_for_each_subset(model, scored, tmp_path):
    result = run(
        "fit-probe", "--mos", scored / "mos.csv", "-o", tmp_path / "p", "--model", model,
        "--splits", 2, "--subset-column", "kind", "--group-column", "scene",
        "--mos-range", "1,5", "--lower-is-better",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if "±" in line}
    assert rows["all"][1] == "24"
    assert rows["even"][1] == rows["odd"][1] == "12"
    assert float(rows["all"][2]) > 0.8
    assert "--probe" in result.stderr
    made = read_probe(tmp_path / "p")
    assert (made.scale.ends, made.scale.lower_is_better) == ((5, 1), True)
    assert "splits of groups" in (tmp_path / "p" / "README.md").read_text()


def test_small_subsets_are_doubted_though_the_table_is_large_enough(model, scored, tmp_path):
    rows = (scored / "mos.csv").read_text().splitlines()
    small = [f"{rows[0]},part", *(f"{row},{'few' if place < 2 else 'many'}" for place, row in enumerate(rows[1:]))]
    (scored / "parts.csv").write_text("\n".join(small))
    arguments = ("--mos", scored / "parts.csv", "--subset-column", "part", "--model", model)
    fit = run("fit-probe", *arguments, "--splits", 2, "-o", tmp_path / "p").stderr
    assert "with fewer than 10 pictures held out by some split say little: 0 of few, 5 of many" in " ".join(fit.split())
    judged = run("evaluate", *arguments, "--probe", tmp_path / "p").stderr
    assert "with fewer than 30 pictures judged say little: 2 of few, 22 of many." in " ".join(judged.split())


def test_few_groups_are_doubted_however_many_pictures_they_have(model, scored, tmp_path):
    table = scored / "mos.csv"
    arguments = ("--model", model, "--splits", 2, "--group-column", "scene")
    fit = run("fit-probe", "--mos", table, *arguments, "-o", tmp_path / "p").stderr
    shutil.copy(table, scored / "again.csv")
    for stderr in (fit, run("evaluate", "--cross", table, scored / "again.csv", *arguments).stderr):
        said = "Each split holds out only 1 of 6 groups, so the figures say little. They would say more with 25 groups"
        assert said in " ".join(stderr.split())
    assert "Too few groups were held out for intervals that hold 90 % of ratings, which take 19" in " ".join(
        fit.split()
    )
    assert read_probe(tmp_path / "p").interval is None


def test_stored_features_give_the_same_probe_as_the_pictures(model, scored, probe, tmp_path):
    paths = [scored / f"{number}.png" for number in reversed(range(PICTURES))]
    features = stored_features(model, paths, tmp_path / "features.npz")
    result = run(
        "fit-probe", "--mos", scored / "mos.csv", "-o", tmp_path / "p", "--model", model,
        "--splits", 3, "--features", features,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(read_probe(tmp_path / "p").weights, read_probe(probe).weights)


def test_stored_features_that_lack_a_picture_are_refused(model, scored, tmp_path):
    features = stored_features(model, [scored / f"{number}.png" for number in range(20)], tmp_path / "features.npz")
    result = run(
        "fit-probe", "--mos", scored / "mos.csv", "-o", tmp_path / "p", "--model", model, "--features", features
    )
    assert result.returncode == 2
    assert "20.png and 3 more" in result.stderr
    assert not (tmp_path / "p").exists()


def test_features_of_another_encoder_are_refused(model, scored, tmp_path):
    features = stored_features(model, [scored / f"{number}.png" for number in range(PICTURES)], tmp_path / "f.npz")
    other = tmp_path / "other"
    config = EncoderConfig("mobilenet_v2", FeatureSpec(stages=(0, 2)), Preprocessing(view_size=64))
    save_encoder(other, config, build_backbone("mobilenet_v2").state_dict(), name="other", card="", origin="test")
    result = run(
        "fit-probe", "--mos", scored / "mos.csv", "-o", tmp_path / "p", "--model", other, "--features", features
    )
    assert result.returncode == 2
    assert "were made by tiny" in result.stderr


def test_pictures_that_cannot_be_read_are_named_and_left_out(model, scored, tmp_path):
    table = scored / "with_missing.csv"
    table.write_text((scored / "mos.csv").read_text() + "gone.png,3,scene0,odd\n")
    arguments = ["fit-probe", "--mos", table, "--model", model, "--splits", 2]
    result = run(*arguments, "-o", tmp_path / "strict")
    assert result.returncode == 3
    assert "gone.png" in result.stderr
    assert (tmp_path / "strict" / "probe.json").exists()
    assert run(*arguments, "-o", tmp_path / "lenient", "--skip-unreadable").returncode == 0


def test_a_table_of_pictures_that_are_not_there_makes_no_probe(model, tmp_path):
    table = tmp_path / "mos.csv"
    table.write_text("image,mos\n" + "".join(f"{number}.png,{number}\n" for number in range(12)))
    result = run("fit-probe", "--mos", table, "-o", tmp_path / "p", "--model", model)
    assert result.returncode == 2
    assert "0 of the 12 pictures" in result.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--mos-column", "score"], "column 'score' is missing"),
        (["--mos-range", "5,1"], "--mos-range is '5,1'"),
        (["--mos-range", "1"], "two increasing numbers"),
        (["--mos-range", "0,nan"], "two increasing numbers"),
        *(
            (["--mos-range", ends], f"--mos-range is '{ends}'")
            for ends in (
                "0,1e308",
                "-1e308,1e308",
                "0,1e13",
                "0,1e-300",
                "50,50.00000000000001",
            )
        ),
        *(
            ([option, number], option)
            for option in ("--ordinal-weight", "--pseudo-weight")
            for number in ("1e308", "inf", "1e7", "-1")
        ),
        (["--mos-range", "2,3"], "ratings are not from 2 to 3"),
        (["--group-column", "kind"], "2 groups"),
        (["--model", "no-such-model"], "no-such-model"),
    ],
)
def test_mistakes_are_told_before_any_picture_is_read(scored, model, tmp_path, options, told):
    arguments = ["fit-probe", "--mos", scored / "mos.csv", "-o", tmp_path / "p", "--model", model, *options]
    result = run(*arguments)
    assert result.returncode == 2
    assert told in result.stderr
    assert not (tmp_path / "p").exists()


def test_a_folder_of_other_things_is_not_written_into(scored, model, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    result = run("fit-probe", "--mos", scored / "mos.csv", "-o", tmp_path, "--model", model)
    assert result.returncode == 2
    assert "Name a new one" in result.stderr
    result = run("fit-probe", "--mos", scored / "mos.csv", "-o", tmp_path / "README.md", "--model", model)
    assert result.returncode == 2
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_folder_of_another_model_is_refused_before_the_work(model, scored, tmp_path, monkeypatch):
    features = FeatureSpec(stages=(0, 2))
    other = save_plain_model(tmp_path / "other", EncoderConfig("mobilenet_v2", features, Preprocessing(view_size=64)))
    monkeypatch.setattr(table_features, "embed_files", None)  # nothing is embedded
    done = run("fit-probe", "--mos", scored / "mos.csv", "--model", model, "-o", other)
    assert done.returncode == 2
    assert f"{other} is the folder of another model" in done.stderr
    assert "Name a new folder" in done.stderr


def test_evaluate_shows_figures_with_intervals(model, scored, probe):
    result = run("evaluate", "--mos", scored / "mos.csv", "--model", model, "--probe", probe, "--subset-column", "kind")
    assert result.returncode == 0, result.stderr
    rows = [line.split()[0] for line in result.stdout.splitlines() if "[" in line]
    assert rows == ["all", "even", "odd"]


def test_evaluate_as_json_is_what_machines_read(model, scored, probe):
    arguments = ["evaluate", "--mos", scored / "mos.csv", "--model", model, "--probe", probe, "--format", "json"]
    document = json.loads(run(*arguments).stdout)
    assert document["schema"] == 1
    assert document["model"]["name"] == "tiny"
    assert document["errors"] == []
    (everything,) = document["results"]
    assert everything["subset"] is None
    assert everything["count"] == PICTURES
    assert everything["srcc"] > 0.9
    low, high = everything["srcc_interval"]
    assert low <= everything["srcc"] <= high

    flipped = json.loads(run(*arguments, "--lower-is-better").stdout)
    assert flipped["results"][0]["srcc"] == pytest.approx(-everything["srcc"])


def test_evaluate_says_which_pictures_it_left_out(model, scored, probe, tmp_path):
    table = scored / "evaluate_missing.csv"
    table.write_text((scored / "mos.csv").read_text() + "gone.png,3,scene0,odd\n")
    target = tmp_path / "result.json"
    result = run("evaluate", "--mos", table, "--model", model, "--probe", probe, "--format", "json", "-o", target)
    assert result.returncode == 3
    document = json.loads(target.read_text())
    assert document["results"][0]["count"] == PICTURES
    assert document["errors"][0]["kind"] == "missing"


def test_a_model_without_a_probe_cannot_be_evaluated(model, scored):
    result = run("evaluate", "--mos", scored / "mos.csv", "--model", model)
    assert result.returncode == 2
    assert "has no probe" in result.stderr


def test_a_probe_in_its_models_folder_becomes_a_section_of_the_models_card(model, scored, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    for _ in range(2):
        result = run("fit-probe", "--mos", scored / "mos.csv", "-o", folder, "--model", folder, "--splits", 2)
        assert result.returncode == 0, result.stderr
    metadata, _, card = (folder / "README.md").read_text().partition("\n---\n")
    assert metadata.count("name: SRCC") == 1
    assert card.startswith("# tiny\n")
    assert card.count("## A probe for tiny") == 1


def test_a_fitted_probe_gives_an_interval_around_each_score(model, scored, tmp_path):
    arguments = ["--mos", scored / "mos.csv", "--model", model, "--splits", 6, "--interval", 0.8]
    result = run("fit-probe", *arguments, "-o", tmp_path / "probe")
    assert result.returncode == 0, result.stderr
    interval = read_probe(tmp_path / "probe").interval
    assert interval is not None
    assert interval.level == 0.8
    loaded = load_model(str(model), probe=str(tmp_path / "probe"), device="cpu")
    for record in score_files(loaded, sorted(scored.glob("*.png"))):
        low, high = record.interval
        assert 0 <= low < high <= 100


def test_few_ratings_give_scores_that_spread_and_a_word_on_the_figures(model, scored, tmp_path):
    lines = (scored / "mos.csv").read_text().splitlines()
    (scored / "few.csv").write_text("\n".join([lines[0], *lines[1::2]]) + "\n")
    result = run("fit-probe", "--mos", scored / "few.csv", "-o", tmp_path / "p", "--model", model)
    assert result.returncode == 0, result.stderr
    assert "holds out only 2 of 12 pictures" in result.stderr
    output = run("score", scored, "--model", model, "--probe", tmp_path / "p", "-f", "json").stdout
    scores = [record["score"] for record in json.loads(output)["images"]]
    assert max(scores) - min(scores) > 50


def test_a_probe_that_gives_one_number_is_said_to_do_so(model, scored, probe, tmp_path):
    made = read_probe(probe)
    save_probe(tmp_path / "flat", replace(made, weights=made.weights * 1e-4))
    result = run("evaluate", "--mos", scored / "mos.csv", "--model", model, "--probe", tmp_path / "flat")
    assert "SRCC" in result.stdout
    assert "nearly the same score to every picture" in result.stderr
    honest = run("evaluate", "--mos", scored / "mos.csv", "--model", model, "--probe", probe)
    assert "nearly the same" not in honest.stderr


def test_held_out_predictions_of_nearly_one_number_are_doubted():
    rows = np.arange(60)
    truth = rows / 60
    figures = agreement(truth, truth)
    for slope, said in ((0.01, True), (0.9, False)):
        split = SplitResult(1.0, figures, {}, rows, slope * truth, truth)
        found = doubts(ProtocolResult((split,)), truth, [Path(str(row)) for row in rows], rows)
        assert any("nearly the same score" in sentence for sentence in found) is said


def test_impairment_ratings_get_one_sign_and_a_hint_at_the_option(model, scored, probe, tmp_path):
    lines = (scored / "mos.csv").read_text().splitlines()[1:]
    rows = [f"{name},{5 - float(mos):.3f}" for name, mos, *_ in (line.split(",") for line in lines)]
    (scored / "dmos.csv").write_text("\n".join(["image,mos", *rows]) + "\n")
    arguments = ["evaluate", "--mos", scored / "dmos.csv", "--model", model, "--probe", probe]
    result = run(*arguments, "-f", "json")
    assert "--lower-is-better" in result.stderr
    figures = json.loads(result.stdout)["results"][0]
    assert figures["srcc"] < -0.5
    assert figures["plcc"] < -0.5
    assert "--lower-is-better" not in run(*arguments, "--lower-is-better").stderr
    scorer = tmp_path / "scorer"
    shutil.copytree(model, scorer)
    for mos, said in (("dmos.csv", True), ("mos.csv", False)):
        run("fit-probe", "--mos", scored / "mos.csv", "-o", scorer, "--model", scorer, "--splits", 2)
        result = run("fit-probe", "--mos", scored / mos, "-o", tmp_path / mos, "--model", scorer, "--splits", 2)
        assert result.returncode == 0, result.stderr
        assert ("--lower-is-better" in result.stderr) is said


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough rated pictures to tell what is usual: coloured areas, whose score falls with their noise."""
    folder = tmp_path_factory.mktemp("many")
    generator = np.random.default_rng(1)
    lines = ["image,mos"]
    for number in range(130):
        areas = generator.integers(40, 216, (5, 6, 3)).repeat(8, axis=0).repeat(8, axis=1)
        noise = 40 * number / 130 * generator.standard_normal((40, 48, 1))
        Image.fromarray((areas + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{5 - number / 33:.3f}")
    (folder / "mos.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_probe_of_ones_own_knows_its_pictures_in_black_and_white(model, many, tmp_path):
    folder = tmp_path / "p"
    result = run("fit-probe", "--mos", many / "mos.csv", "-o", folder, "--model", model, "--splits", 2)
    assert result.returncode == 0, result.stderr
    assert "unlike those fitted on in colour or in black and white" in (folder / "README.md").read_text()
    for number in range(40):
        Image.open(many / f"{number}.png").convert("L").save(tmp_path / f"{number}.png")
    loaded = load_model(str(model), probe=str(folder))
    records = list(score_files(loaded, [tmp_path / f"{number}.png" for number in range(40)]))
    assert sum(record.familiar for record in records) >= 36


def test_pictures_that_are_gone_cannot_be_turned_to_black_and_white_and_that_is_said(model, many, tmp_path):
    shutil.copytree(many, tmp_path / "rated")
    pictures = [tmp_path / "rated" / f"{number}.png" for number in range(130)]
    features = stored_features(model, pictures, tmp_path / "f.npz")
    for picture in pictures[10:]:
        picture.unlink()
    result = run(
        "fit-probe", "--mos", tmp_path / "rated" / "mos.csv", "-o", tmp_path / "p", "--model", model,
        "--splits", 2, "--features", features,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "black-and-white photographs as unreliable" in " ".join(result.stderr.split())
    familiarity = read_probe(tmp_path / "p").familiarity
    assert familiarity is not None
    assert familiarity.grey is None


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        *((ProbeSettings, {"mos_range": ends}) for ends in ((0.0, 1e308), (5.0, 1.0), (0.0, math.nan), "1,5")),
        *((ProbeSettings, {"interval": share}) for share in (0, 1, 1.5, -1, 2**70, math.nan, "0.9", 0.009, 0.9999)),
        *((ProbeSettings, {"ordinal_weight": weight}) for weight in (1e308, math.nan, -1)),
        *((ProbeSettings, {name: 0}) for name in ("splits", "session", "pseudo", "protocol", "spacing")),
        *((PseudoSettings, {name: -1}) for name in ("photos", "weight", "drop", "versions")),
        *((SessionSettings, {name: -1}) for name in ("share", "penalty", "offset_penalty")),
        *((SessionSettings, {name: 0}) for name in ("penalty", "offset_penalty")),
        *((kind, {"share" if kind is SessionSettings else "drop": 1.01}) for kind in (SessionSettings, PseudoSettings)),
    ],
)
def test_settings_out_of_their_range_are_refused_by_name_before_any_work_in_python(settings, wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        settings(**wrong)


@pytest.mark.parametrize("others", [(), ("copy.png",), ("copy.bmp",)])
def test_degraded_pairs_of_one_photograph_are_refused_in_a_sentence(model, scored, tmp_path, others):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("one.png", *others):
        Image.open(scored / "3.png").save(photos / name)
    result = run("fit-probe", "--mos", scored / "mos.csv", "--model", model, "--ordinal", photos, "-o", tmp_path / "p")
    assert result.returncode == 2
    assert "Degraded pairs take two different photographs at least" in " ".join(result.stderr.split())
    assert not (tmp_path / "p").exists()


def test_a_probe_without_intervals_says_so_however_often_its_pictures_are_held_out(model, scored, tmp_path):
    fit = ("fit-probe", "--mos", scored / "mos.csv", "--model", model)
    for splits, level, said in ((20, 0.9, False), (20, 0.95, True), (2, 0.9, True)):
        folder = tmp_path / f"{splits} {level}"
        result = run(*fit, "-o", folder, "--splits", splits, "--interval", level)
        assert result.returncode == 0
        sentence = f"Too few pictures were held out for intervals that hold {100 * level:g} % of ratings"
        assert (sentence in " ".join(result.stderr.split())) is said
        assert (read_probe(folder).interval is None) is said


def test_a_table_whose_pictures_are_not_there_takes_no_memory_for_them(model, tmp_path, monkeypatch):
    table = tmp_path / "mos.csv"
    table.write_text("image,mos\n" + "".join(f"{number}.png,{number}\n" for number in range(2000)))
    asked = []
    monkeypatch.setattr(table_features, "_room", lambda *shape: asked.append(shape) or np.empty(shape, np.float32))
    result = run("fit-probe", "--mos", table, "--model", model, "-o", tmp_path / "p")
    assert result.returncode == 2
    assert "0 of the 2000 pictures could be read" in result.stderr
    assert [pictures for pictures, *_ in asked] == [0]


def test_a_table_too_large_for_the_memory_is_said_with_its_numbers():
    with pytest.raises(SettingError, match=r"of 1,000,000,000 pictures, 5,000,000 numbers of each, .*fewer rows"):
        table_features._room(10**9, 5, 10**6)


def test_a_picture_that_comes_while_the_others_are_read_is_fitted_too(model, scored, tmp_path, monkeypatch):
    table = read_mos_table(shutil.copytree(scored, tmp_path / "scored") / "mos.csv")
    late, elsewhere = table.paths[3], tmp_path / "late.png"
    late.rename(elsewhere)
    original = table_features.embed_files

    def embed_late(*arguments, **settings):
        if elsewhere.exists():
            elsewhere.rename(late)
        return original(*arguments, **settings)

    monkeypatch.setattr(table_features, "embed_files", embed_late)
    read = table_features.read_table(load_model(str(model)), table)
    assert read.errors == ()
    np.testing.assert_array_equal(read.rows[3], table_features.read_table(load_model(str(model)), table).rows[3])
