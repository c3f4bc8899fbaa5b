"""The paper's protocol, cross-dataset tables and the full-reference extension, as a person uses them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.models import save_plain_model
from helpers.program import run_here as run
from PIL import Image, ImageFilter
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge as SklearnRidge

import shamisa_cli
from shamisa_cli.core.encoder.spec import PAPER_FEATURES, EncoderConfig
from shamisa_cli.core.errors import MosTableError, SettingError
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.probe_files import read_probe
from shamisa_cli.core.probe.paper_protocol import run_paper_protocol
from shamisa_cli.core.scoring.pipeline import score_files

SCENES, VERSIONS = 5, 4


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """As a user has it: what one run has computed, the next one reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHAMISA_CACHE", "1")
        patch.setenv("SHAMISA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def plain_model(tmp_path_factory):
    return save_plain_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(plain_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "paper"
    result = run("models", "derive", plain_model, "-o", folder, "--protocol", "paper")
    assert result.returncode == 0, result.stderr
    return folder


def synthetic(folder, seed, scenes=SCENES):
    """Scenes, blurred more and more, and a table of them with scores 1…5; the scores fall with the blur."""
    generator = np.random.default_rng(seed)
    lines = ["image,mos,original"]
    for scene in range(scenes):
        pixels = generator.integers(0, 256, (60 + 4 * scene, 80, 3), dtype=np.uint8)
        original = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.3 * scene))
        original.save(folder / f"{scene}.png")
        for version in range(VERSIONS):
            blur = version + 0.1 * scene
            original.filter(ImageFilter.GaussianBlur(blur)).save(folder / f"{scene}_{version}.png")
            lines.append(f"{scene}_{version}.png,{5 - blur:.2f},{scene}.png")
    (folder / "mos.csv").write_text("\n".join(lines) + "\n")
    return folder / "mos.csv"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return synthetic(tmp_path_factory.mktemp("first"), 0)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return [synthetic(tmp_path_factory.mktemp(name), seed, 4) for name, seed in (("second", 1), ("third", 2))]


def read_table(path):
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    images = [np.array(Image.open(path.parent / row[0])) for row in rows]
    originals = [np.array(Image.open(path.parent / row[2])) for row in rows]
    return images, np.array([float(row[1]) for row in rows]), originals


def test_a_derived_model_reads_as_the_paper_does(model):
    config = ModelFolder.open(model, EncoderConfig).config
    assert config.features == PAPER_FEATURES
    assert config.preprocessing.view_size is None
    assert "5 crops of 224 pixels" in (model / "README.md").read_text()


def test_the_papers_way_of_reading_leaves_nothing_else_to_choose(plain_model, tmp_path):
    result = run("models", "derive", plain_model, "-o", tmp_path / "x", "--protocol", "paper", "--scales", "1")
    assert result.returncode == 2
    assert "fixes the size" in result.stderr


@pytest.mark.parametrize("command", ["fit-probe", "evaluate"])
def test_a_model_that_reads_otherwise_is_refused_with_the_command_that_helps(command, plain_model, table, tmp_path):
    output = ["-o", tmp_path / "p"] if command == "fit-probe" else []
    result = run(command, "--protocol", "paper", "--model", plain_model, "--mos", table, *output)
    assert result.returncode == 2
    assert f"shamisa models derive {plain_model} -o FOLDER --protocol paper" in result.stderr


@pytest.mark.parametrize("option", [["--features", "f.npz"], ["--spacing", "even"], ["--ordinal", "photos"]])
def test_what_the_protocol_does_not_have_is_refused(option, model, table, tmp_path):
    result = run("fit-probe", "--protocol", "paper", "--model", model, "--mos", table, "-o", tmp_path / "p", *option)
    assert result.returncode == 2
    assert f"{option[0]}" in result.stderr
    assert "does not go with --protocol paper" in result.stderr


@pytest.mark.slow
def test_a_probe_of_the_paper_scores_pictures_by_the_mean_of_their_crops(model, table, tmp_path):
    folder = tmp_path / "probe"
    result = run(
        "fit-probe", "--protocol", "paper", "--model", model, "--mos", table, "-o", folder,
        "--group-column", "original", "--splits", 3,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "the paper's protocol: median" in result.stdout
    assert "splits by groups, held out; PLCC and RMSE after a 4-parameter logistic" in result.stdout
    images, mos, _ = read_table(table)
    loaded = load_model(str(model), probe=str(folder))
    crops = np.stack([loaded.encoder.embed_crops(pixels) for pixels in images])
    assert crops.shape == (len(images), 5, 2560)
    probe = read_probe(folder)
    expected = SklearnRidge(alpha=probe.alpha, solver="svd").fit(
        crops.reshape(-1, 2560).astype(np.float64), np.repeat((mos - mos.min()) / np.ptp(mos), 5)
    )
    scored = next(iter(score_files(loaded, [table.parent / "1_2.png"])))
    mean = expected.predict(loaded.encoder.embed_crops(images[VERSIONS + 2]).astype(np.float64)).mean()
    assert scored.mos == pytest.approx(mos.min() + np.ptp(mos) * mean, abs=1e-4)
    card = (folder / "README.md").read_text()
    assert "2560 per crop, not standardised; 5 crops per picture" in card
    assert "By the paper's protocol" in card


def test_plcc_is_of_the_predictions_themselves_without_groups(model, table):
    result = run("evaluate", "--protocol", "paper", "--model", model, "--mos", table, "--splits", 2)
    assert result.returncode == 0, result.stderr
    assert "splits by pictures, held out; PLCC and RMSE of the unmapped predictions" in result.stdout


@pytest.mark.slow
def test_differences_from_the_reference_are_judged_by_the_same_protocol(model, table):
    result = run(
        "evaluate", "--protocol", "paper", "--model", model, "--mos", table, "--reference-column", "original",
        "--splits", 3, "-f", "json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["protocol"], document["full_reference"], document["grouped"]) == ("paper", True, True)
    overall = document["results"][0]
    assert overall["count"] == SCENES * VERSIONS

    encoder = load_model(str(model)).encoder
    images, mos, originals = read_table(table)
    differences = np.stack(
        [
            np.abs(encoder.embed_crops(pixels) - encoder.embed_crops(original))
            for pixels, original in zip(images, originals, strict=True)
        ]
    )
    scenes = [str(row // VERSIONS) for row in range(len(mos))]
    expected = run_paper_protocol(differences, mos, groups=scenes, splits=3)
    assert overall["srcc"] == pytest.approx(expected.spread("srcc").median)
    assert overall["plcc"] == pytest.approx(expected.spread("plcc").median, abs=1e-6)


def test_a_reference_of_another_size_is_left_out_with_a_sentence(model, table):
    wrong = table.parent / "wrong.csv"
    wrong.write_text(table.read_text().replace("4_3.png,1.60,4.png", "4_3.png,1.60,0.png"))
    arguments = ["evaluate", "--protocol", "paper", "--model", model, "--mos", wrong, "--splits", 2]
    result = run(*arguments, "--reference-column", "original", "--group-column", "original")
    assert result.returncode == 3
    assert "4_3.png is 80×76 pixels and its reference" in result.stderr
    assert " 19 " in result.stdout


@pytest.mark.slow
def test_a_cross_dataset_table_has_a_row_for_each_data_set_fitted_on(model, table, others):
    arguments = ["evaluate", "--cross", table, *others, "--protocol", "paper", "--model", model, "--splits", 2]
    result = run(*arguments, "--group-column", "original")
    assert result.returncode == 0, result.stderr
    blocks = [line for line in result.stdout.splitlines() if "fitted on" in line]
    assert [block.split(":")[0].strip() for block in blocks] == ["SRCC", "PLCC"]
    assert "PLCC after a 4-parameter logistic" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith((" first", " second", " third"))]
    names = [row[0] for row in rows]
    assert len(rows) == 6
    assert all(name.endswith("/mos") for name in names)
    assert all(row[2 + place % 3].startswith("(") for place, row in enumerate(rows))

    result = run(*arguments, "-f", "json")
    document = json.loads(result.stdout)
    assert len(document["results"]) == 9
    cell = document["results"][1]
    assert cell["within"] is False
    assert cell["count"] == 16
    assert float(rows[0][3]) == pytest.approx(cell["srcc"], abs=6e-4)
    encoder = load_model(str(model)).encoder
    one, mos, _ = read_table(table)
    two, other_mos, _ = read_table(others[0])
    fitted = SklearnRidge(alpha=document["tables"][0]["alpha"], solver="svd").fit(
        np.concatenate([encoder.embed_crops(pixels) for pixels in one]).astype(np.float64), np.repeat(mos, 5)
    )
    prediction = [fitted.predict(encoder.embed_crops(pixels).astype(np.float64)).mean() for pixels in two]
    assert cell["srcc"] == pytest.approx(spearmanr(prediction, other_mos).statistic)


def test_the_default_protocol_makes_cross_dataset_tables_too(plain_model, table, others):
    result = run("evaluate", "--cross", table, others[0], "--model", plain_model, "--splits", 2)
    assert result.returncode == 0, result.stderr
    assert "default protocol" in result.stdout


@pytest.mark.slow
def test_a_table_of_impairment_is_turned(model, table, others):
    turned = others[0].parent / "dmos.csv"
    header, *lines = others[0].read_text().splitlines()
    cells = [line.split(",") for line in lines]
    turned.write_text("\n".join([header, *(f"{image},{9 - float(mos)},{ref}" for image, mos, ref in cells)]) + "\n")
    arguments = ["--protocol", "paper", "--model", model, "--splits", 2, "-f", "json"]
    plain = json.loads(run("evaluate", "--cross", table, others[0], *arguments).stdout)
    result = run("evaluate", "--cross", table, turned, "--dmos", turned, *arguments)
    assert result.returncode == 0, result.stderr
    for before, after in zip(plain["results"], json.loads(result.stdout)["results"], strict=True):
        assert after["srcc"] == pytest.approx(before["srcc"])


def test_tables_that_share_pictures_are_warned_of(plain_model, table):
    copy = table.parent / "copy.csv"
    copy.write_text(table.read_text())
    result = run("evaluate", "--cross", table, copy, "--model", plain_model, "--splits", 2)
    assert "share 20 pictures" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name a table of human scores with --mos FILE"),
        (["a.csv"], "Name a table of human scores with --mos FILE"),
        (["a.csv", "--mos", "b.csv"], "needs --cross"),
        (["--mos", "b.csv", "--dmos", "b.csv"], "--dmos goes with --cross"),
        (["--cross"], "at least two tables"),
        (["--cross", "--mos", "a.csv"], "without --mos"),
        (["--mos", "{table}", "--group-column", "original"], "goes with --cross or --protocol paper"),
        (["--mos", "{table}", "--protocol", "paper", "--dmos", "a.csv"], "use --lower-is-better"),
        (["--cross", "{table}", "{table}"], "is named twice"),
        (["--cross", "{table}", "{other}", "--dmos", "a.csv"], "not one of the tables"),
        (["--cross", "{table}", "{other}", "--group-column", "scene"], "'scene' is missing"),
    ],
)
def test_commands_that_mean_nothing_are_answered_with_a_sentence(arguments, sentence, plain_model, table, others):
    filled = [argument.format(table=table, other=others[0]) for argument in arguments]
    result = run("evaluate", "--model", plain_model, *filled)
    assert result.returncode == 2
    assert sentence in result.stderr


def test_from_python_tables_are_named_by_their_files_as_in_every_other_function(plain_model, table, others):
    model = shamisa_cli.load_model(plain_model)
    files = {"first": table, "second": str(others[0])}
    read = {name: shamisa_cli.read_mos_table(file) for name, file in files.items()}
    by_file, by_table = (
        shamisa_cli.evaluate_across(model, tables, "default", splits=2, lower_is_better=["second"])
        for tables in (files, read)
    )
    assert by_file.cross == by_table.cross
    assert by_file.cross.row("first")[1].agreement.srcc < 0  # the scores of the second do not count impairment
    alone = shamisa_cli.evaluate_by_protocol(model, table, "default", splits=2)
    assert alone.table.paths == read["first"].paths


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lower_is_better": ["second "]}, "lower_is_better names 'second '; the tables are 'first', 'second'."),
        ({"lower_is_better": "first, second"}, "lower_is_better names 'first, second'"),
        ({"lower_is_better": ["mos.csv"]}, "lower_is_better names 'mos.csv'"),
        ({"tables": {"a": 1, "b": 2}}, "tables['a'] is 1 (int)"),
        ({"tables": {"first": "a.csv", "second": "b.csv"}}, "a.csv does not exist"),
    ],
)
def test_from_python_a_name_that_no_table_has_and_what_is_no_table_are_refused(
    plain_model, table, others, change, said
):
    given = {"tables": {"first": table, "second": others[0]}, "protocol": "default"} | change
    with pytest.raises((SettingError, MosTableError)) as refused:
        shamisa_cli.evaluate_across(shamisa_cli.load_model(plain_model), **given)
    assert said in str(refused.value)
