"""Tables, sets of tables and folders in which a picture is there twice: as a copy, or as a link beside its file."""

from __future__ import annotations

import csv
import os
import shutil

import numpy as np
import pytest
from helpers.models import FEW_FEATURES, random_encoder, save_tiny_model
from helpers.program import run_here as run
from PIL import Image

import shamisa_cli as shamisa
from shamisa_cli.core.probe.pseudo import PseudoSettings
from shamisa_cli.core.training.direction.material import make_pairs
from shamisa_cli.core.training.probes.degraded import degrade_and_embed, degraded_pairs
from shamisa_cli.core.training.probes.pseudo_labels import pseudo_labels

PICTURES = 24
KINDS = {"copies": shutil.copy, "links": os.symlink}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(model_folder):
    return shamisa.load_model(str(model_folder))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """For each kind a table of pictures with random ratings, each picture under two names."""
    folder = tmp_path_factory.mktemp("rated")
    generator = np.random.default_rng(3)
    found = {}
    for kind, make in KINDS.items():
        place = folder / kind
        place.mkdir()
        rows = [("image", "mos", "scene", "other")]
        for number in range(PICTURES):
            coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((64, 48)).save(place / f"{number}.png")
            make(place / f"{number}.png", place / f"again{number}.png")
            rating = f"{generator.uniform(1, 5):.3f}"
            other = f"{(number or PICTURES) - 1}.png"
            rows += [
                (f"{number}.png", rating, f"s{number}", other),
                (f"again{number}.png", rating, f"t{number}", other),
            ]
        with (place / "mos.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
        found[kind] = place / "mos.csv"
    return found


def pictures_of(table, rows):
    return {table.paths[row].name.removeprefix("again") for row in rows}


def apart(table, result):
    """Whether every picture is, in each split, either held out with all of its names or not at all."""
    everything = set(range(len(table)))
    return all(
        pictures_of(table, split.rows).isdisjoint(pictures_of(table, everything - set(split.rows.tolist())))
        for split in result.splits
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("group", [None, "scene"])
def test_a_picture_under_two_names_is_not_fitted_on_and_held_out_and_it_is_said(kind, group, model, tables):
    table = shamisa.read_mos_table(tables[kind], group_column=group)
    fitted = shamisa.fit_probe(table, None, model, shamisa.ProbeSettings(splits=4))
    assert apart(table, fitted.result)
    assert any(
        "24 of the 48 rows of the table are pictures that other rows name too" in each for each in fitted.warnings
    )
    assert any("holds out only 5 of 24 pictures" in each for each in fitted.warnings)
    found = shamisa.evaluate_by_protocol(model, table, "default", splits=4)
    assert apart(table, found.result)
    assert any("24 of the 48 rows" in each for each in found.warnings)
    once = table.take([row for row, path in enumerate(table.paths) if "again" not in path.name])
    for honest in (shamisa.fit_probe(once, None, model), shamisa.evaluate_by_protocol(model, once, "default")):
        assert not any("other rows" in each or "another row" in each for each in honest.warnings)


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_on_the_pictures_of_the_fit_is_said_to_be_so(kind, model, model_folder, tables, tmp_path):
    table = shamisa.read_mos_table(tables[kind])
    once = [row for row, path in enumerate(table.paths) if "again" not in path.name]
    half, rest, copies = (table.take(rows) for rows in (once[:12], once[12:], [row + 1 for row in once[:12]]))
    shamisa.fit_probe(half, tmp_path / "p", model, shamisa.ProbeSettings(splits=2))
    probed = shamisa.load_model(str(model_folder), probe=tmp_path / "p")

    def known(asked):
        return [each for each in shamisa.evaluate(asked, probed).warnings if "fitted on" in each]

    ends = sorted(probed.probe.scale.ends)
    told = sum(ends[0] < mos < ends[1] for mos in probed.probe.fitted)
    assert told >= 8
    for asked in (half, copies):
        assert [each.split(" that ")[0] for each in known(asked)] == [f"At least {told} of the 12 pictures are some"]
    assert known(rest) == []
    assert [each.split(" that ")[0] for each in known(table.take(once))] == [
        f"At least {told} of the 24 pictures are some"
    ]


def test_evaluate_says_that_the_probe_knows_the_ratings(model_folder, tables, tmp_path):
    fitted = run("fit-probe", "--mos", tables["links"], "-o", tmp_path / "p", "--splits", 2, "--model", model_folder)
    assert fitted.returncode == 0, fitted.stderr
    asked = ["evaluate", "--mos", tables["links"], "--model", model_folder]
    unknown = " ".join(run(*asked).stderr.split())
    assert "Whether the probe was fitted on some of these pictures is not known" in unknown
    result = run(*asked, "--probe", tmp_path / "p")
    assert "is not known" not in " ".join(result.stderr.split())
    assert result.returncode == 0, result.stderr
    assert "that the probe was fitted on, whose ratings it knows" in " ".join(result.stderr.split())


def test_intervals_are_calibrated_on_other_pictures_than_they_are_counted_on(model, tables, monkeypatch):
    from shamisa_cli.core.fitting import probe

    table, asked = shamisa.read_mos_table(tables["copies"]), {}
    monkeypatch.setattr(probe, "measure_coverage", lambda *_, **settings: asked.update(settings))
    shamisa.fit_probe(table, None, model, shamisa.ProbeSettings(splits=10))
    names = {}
    for path, group in zip(table.paths, asked["groups"], strict=True):
        names.setdefault(path.name.removeprefix("again"), set()).add(group)
    assert [len(each) for each in names.values()] == [1] * PICTURES


@pytest.mark.parametrize("command", ["fit-probe", "evaluate by splits", "evaluate as it is", "evaluate --cross"])
def test_every_command_that_takes_ratings_says_that_pictures_have_two_names(command, model_folder, tables, tmp_path):
    arguments = {
        "fit-probe": ["fit-probe", "--mos", tables["links"], "-o", tmp_path / "p", "--splits", 2],
        "evaluate by splits": ["evaluate", "--mos", tables["links"], "--reference-column", "other", "--splits", 2],
        "evaluate as it is": ["evaluate", "--mos", tables["links"]],
        "evaluate --cross": ["evaluate", "--cross", tables["links"], tables["copies"], "--splits", 2],
    }[command]
    result = run(*arguments, "--model", model_folder)
    assert result.returncode == 0, result.stderr
    assert "24 of the 48 rows of the table are pictures that other rows name too" in " ".join(result.stderr.split())


@pytest.mark.parametrize("command", ["fit-probe", "evaluate by splits", "evaluate as it is", "evaluate --cross"])
def test_every_command_that_takes_ratings_names_a_picture_that_is_odd(command, model_folder, tables, tmp_path):
    shutil.copytree(tables["copies"].parent, tmp_path / "rated")
    shutil.copytree(tables["copies"].parent, tmp_path / "others")
    for number in (3, 5):
        with Image.open(tmp_path / "rated" / f"{number}.png") as image:
            image.putalpha(100)
            image.save(tmp_path / "rated" / f"{number}.png")
    table = tmp_path / "rated" / "mos.csv"
    arguments = {
        "fit-probe": ["fit-probe", "--mos", table, "-o", tmp_path / "p", "--splits", 2],
        "evaluate by splits": ["evaluate", "--mos", table, "--reference-column", "other", "--splits", 2],
        "evaluate as it is": ["evaluate", "--mos", table],
        "evaluate --cross": ["evaluate", "--cross", table, tmp_path / "others" / "mos.csv", "--splits", 2],
    }[command]
    result = run(*arguments, "--model", model_folder)
    said = " ".join(result.stderr.split())
    assert f"{tmp_path}/rated/3.png has transparent parts" in said
    assert "1 other picture is odd too." in said


def test_tables_that_share_pictures_under_any_name_are_told_of_in_python_too(model, tables):
    copies, links = (shamisa.read_mos_table(table) for table in tables.values())
    names = {name: [row for row, path in enumerate(copies.paths) if ("again" in path.name) == name] for name in (0, 1)}
    first, second = copies.take(names[0]), copies.take(names[1])
    half = links.take([row for row, path in enumerate(links.paths) if "again" not in path.name][:10])
    found = shamisa.evaluate_across(model, {"a": first, "b": second, "c": half}, "default", splits=2)
    few = [
        f"{name}: Each split holds out only {held} of {n} pictures" for name, held, n in (("a", 5, 24), ("c", 2, 10))
    ]
    assert all(any(each.startswith(start) for each in found.warnings) for start in few)
    shared = [each for each in found.warnings if "share" in each]
    assert shared == ["a and b share 24 pictures: a probe is tested on pictures it was fitted on."]
    again = shamisa.evaluate_across(model, {"a": first, "b": first, "c": half}, "default", splits=2)
    assert again.warnings == found.warnings


def test_a_model_judged_by_few_pictures_is_said_to_be_so_however_many_rows_they_have(model_folder, tables):
    result = run("evaluate", "--mos", tables["copies"], "--model", model_folder)
    assert result.returncode == 0
    assert "The figures are of 24 pictures, so they say little" in " ".join(result.stderr.split())


def test_a_copy_of_a_photograph_is_left_out_of_a_fit_together_with_it(tables):
    encoder = random_encoder(FEW_FEATURES)
    folder = tables["copies"].parent
    photos = [folder / name for name in ("0.png", "1.png", "again0.png", "again1.png", "2.png")]
    assert degrade_and_embed(encoder, photos, versions=2).photo.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 4, 4]
    assert set(degraded_pairs(encoder, photos[:4]).photo.tolist()) == {0, 1}
    labels = pseudo_labels(encoder, photos[:4], PseudoSettings(photos=4, versions=1))
    assert len(set(labels.photo.tolist())) == 2
    pairs = make_pairs(encoder, "any", photos[:3], seed=1)
    assert set(pairs.photo.tolist()) == {0, 1}


def test_defects_are_not_judged_on_copies_of_what_was_learned_from(model_folder, tables, tmp_path):
    folder = tables["copies"].parent
    shutil.copytree(model_folder, tmp_path / "m")
    named = [folder / f"{prefix}{number}.png" for number in range(4) for prefix in ("", "again")]
    with pytest.raises(shamisa.SettingError, match="4 different photographs"):
        shamisa.fit_defects(tmp_path / "m", named, versions=2)
