from __future__ import annotations

import json
import os
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.scoring.baseline import Baseline, ScoreSource, read_baseline
from shamisa_cli.core.scoring.pipeline import describe_run
from shamisa_cli.core.scoring.toolchain import Toolchain

MADE_WITH = Toolchain(14, 3, {"shamisa": "0.1.0", "pillow": "11.1.0", "onnxruntime": "1.23.2"})
SCORER = ScoreSource("tiny", "0123456789ab", "ba9876543210", {"view_size": 512, "mean": [0.5, 0.5, 0.5]})


def written(
    file: Path, scores: dict[str, float], scorer: ScoreSource = SCORER, made_with: Toolchain = MADE_WITH
) -> Baseline:
    baseline = read_baseline(file).updated(scores, scorer, made_with)
    baseline.write()
    return baseline


def test_what_is_written_is_read_again_whatever_the_names(tmp_path: Path) -> None:
    names = ["b.jpg", "a b.jpg", "گربه.jpg", 'q".jpg', os.fsdecode(b"c\xff.jpg"), "sub/d.jpg"]
    written(tmp_path / "b.json", {str(tmp_path / name): 50.0 + number for number, name in enumerate(names)})
    again = read_baseline(tmp_path / "b.json")
    assert (again.scorer, again.made_with) == (SCORER, MADE_WITH)
    assert [again.score_of(str(tmp_path / name)) for name in names] == [50.0 + n for n in range(len(names))]


def test_one_changed_picture_is_one_changed_line(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    written(file, {str(tmp_path / f"{name}.jpg"): 50.123456 for name in "cab"})
    before = file.read_text().splitlines()
    assert [line.strip() for line in before[-5:-2]] == ['"a.jpg": 50.12,', '"b.jpg": 50.12,', '"c.jpg": 50.12']
    written(file, {str(tmp_path / "b.jpg"): 60.0})
    after = file.read_text().splitlines()
    assert [line for line in after if line not in before] == ['    "b.jpg": 60.0,']
    assert len(after) == len(before)


def test_names_do_not_depend_on_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    written(tmp_path / "b.json", {str(tmp_path / "sub" / "a.jpg"): 50.0})
    monkeypatch.chdir(tmp_path / "sub")
    assert read_baseline(Path("../b.json")).score_of("a.jpg") == 50.0


def test_pictures_not_scored_now_keep_theirs_unless_they_are_gone_or_the_model_is_another(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    (tmp_path / "kept.jpg").touch()
    written(file, {str(tmp_path / name): 50.0 for name in ("kept.jpg", "gone.jpg")})
    assert written(file, {str(tmp_path / "new.jpg"): 60.0}).scores == {"kept.jpg": 50.0, "new.jpg": 60.0}
    other = replace(SCORER, revision="another")
    assert written(file, {str(tmp_path / "new.jpg"): 70.0}, other).scores == {"new.jpg": 70.0}


def test_scores_of_another_model_regressor_or_preprocessing_are_refused(tmp_path: Path) -> None:
    baseline = written(tmp_path / "b.json", {})
    baseline.require(SCORER, MADE_WITH)
    baseline.require(replace(SCORER, name="renamed"), MADE_WITH)
    for change, said in (
        ({"revision": "x"}, "Use the model they were made with"),
        ({"regressor": "x"}, "probe x"),
        ({"preprocessing": {"view_size": None, "mean": [0.5, 0.5, 0.5]}}, "view_size 512 → None"),
    ):
        with pytest.raises(ModelError, match=said):
            baseline.require(replace(SCORER, **change), MADE_WITH)


@pytest.mark.parametrize("change", [{"reading": 15}, {"formulas": 4}])
def test_scores_of_a_version_that_reads_or_computes_otherwise_are_refused_and_not_kept(
    tmp_path: Path, change: dict[str, int]
) -> None:
    file, later = tmp_path / "b.json", replace(MADE_WITH, packages={"shamisa": "0.2.0"}, **change)
    (tmp_path / "a.jpg").touch()
    baseline = written(file, {str(tmp_path / "a.jpg"): 50.0})
    with pytest.raises(ModelError, match=r"made by shamisa 0\.1\.0 .* and this is shamisa 0\.2\.0") as caught:
        baseline.require(SCORER, later)
    assert caught.value.remedy == "rewrite-baseline"
    updated = written(file, {str(tmp_path / "b.jpg"): 60.0}, made_with=later)
    assert (updated.scores, updated.made_with) == ({"b.jpg": 60.0}, later)


def test_scores_of_other_decoders_are_compared_and_the_change_is_named_until_none_is_left(tmp_path: Path) -> None:
    file, later = tmp_path / "b.json", replace(MADE_WITH, packages=MADE_WITH.packages | {"pillow": "11.2.0"})
    (tmp_path / "a.jpg").touch()
    baseline = written(file, {str(tmp_path / "a.jpg"): 50.0})
    baseline.require(SCORER, later)
    assert baseline.changes_to(MADE_WITH) == ""
    assert baseline.changes_to(replace(later, packages=dict(later.packages) | {"shamisa": "9", "rawpy": "1"})) == (
        "pillow 11.1.0 → 11.2.0"
    )
    partly = written(file, {str(tmp_path / "b.jpg"): 60.0}, made_with=later)
    assert partly.scores == {"a.jpg": 50.0, "b.jpg": 60.0}
    for current in (MADE_WITH, later):  # each of the two made one of the scores
        assert partly.changes_to(current) == f"pillow 11.1.0 and 11.2.0 → {current.packages['pillow']}"
    with_torch = {name: number for name, number in MADE_WITH.packages.items() if name != "onnxruntime"} | {"torch": "2"}
    assert "onnxruntime" in baseline.changes_to(replace(MADE_WITH, packages=with_torch))
    assert "torch none → 2" in baseline.changes_to(replace(MADE_WITH, packages=with_torch))
    assert (
        written(file, {str(tmp_path / name): 60.0 for name in ("a.jpg", "b.jpg")}, made_with=later).made_with == later
    )


def test_a_baseline_of_an_older_version_is_used_and_stays_one_while_it_holds_older_scores(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    (tmp_path / "a.jpg").touch()
    replace(written(file, {str(tmp_path / "a.jpg"): 50.0}), made_with=None).write()
    older = read_baseline(file)
    older.require(SCORER, MADE_WITH)
    assert older.changes_to(MADE_WITH) == ""
    assert older.updated({str(tmp_path / "b.jpg"): 60.0}, SCORER, MADE_WITH).made_with is None
    assert older.updated({str(tmp_path / "a.jpg"): 60.0}, SCORER, MADE_WITH).made_with == MADE_WITH


def test_a_regressor_is_known_by_its_numbers(model: Model) -> None:
    assert model.probe is not None
    run = describe_run(model, "model")
    mine = ScoreSource.of_model(run.model, model.encoder_digest, model.probe)
    assert ScoreSource.of_model(run.model, model.encoder_digest, replace(model.probe, alpha=9.0)) == mine
    assert ScoreSource.of_model(run.model, model.encoder_digest, replace(model.probe, bias=3.5)) != mine
    assert (
        ScoreSource.of_model(run.model, model.encoder_digest, replace(model.probe, weights=-model.probe.weights))
        != mine
    )


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "model": {}, "scores": {}}', "\ufffe",
     json.dumps({"schema": 1, "model": {"name": "t", "revision": "r", "regressor": "x", "preprocessing": {}},
                 "scores": {"a.jpg": "50"}}),
     json.dumps({"schema": 1, "model": {"name": "t", "revision": "r", "regressor": "x", "preprocessing": {}},
                 "scores": {"a.jpg": 95.0, "b.jpg": 60.65}}).replace("b.jpg", "a.jpg"),  # merged line by line
     *(json.dumps({"schema": 1, "model": {"name": "t", "revision": "r", "regressor": "x", "preprocessing": {}},
                   "scores": {}, "made_with": made_with})
       for made_with in (3, {}, {"reading": "14", "formulas": 3, "packages": {}},
                         {"reading": 14, "formulas": 3, "packages": {"pillow": 11}}))],
)  # fmt: skip
def test_another_file_is_no_baseline_and_the_error_says_what_to_do(tmp_path: Path, text: str) -> None:
    file = tmp_path / "b.json"
    file.write_text(text)
    with pytest.raises(SettingError, match=r"b\.json is not a baseline .*delete it") as caught:
        read_baseline(file)
    assert caught.value.remedy == "new-baseline"


def test_a_name_with_its_accents_in_another_form_is_known(tmp_path: Path) -> None:
    (tmp_path / "é").mkdir()
    there, known = str(tmp_path / "é" / "a.jpg"), unicodedata.normalize("NFD", "é/a.jpg")
    Path(there).touch()
    baseline = Baseline(tmp_path / "b.json", {known: 50.0, "gone.jpg": 1.0})
    assert baseline.score_of(there) == 50
    assert baseline.changed_names([there]) == (0, 1)
    both = replace(baseline, scores={known: 50.0, "é/a.jpg": 60.0})
    assert both.score_of(there) == 60  # its own before another's
