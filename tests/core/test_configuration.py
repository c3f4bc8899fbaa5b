from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shamisa_cli.core.configuration import Configuration, read_configuration
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.scoring.gate import Rule

KNOWN = ("model", "jobs", "view-size", "gate.min-score", "gate.max-drop")


def read(folder: Path, **files: str) -> Configuration:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    (folder / ".git").mkdir(exist_ok=True)
    return read_configuration(folder, KNOWN)


def test_shamisa_toml_goes_over_pyproject_key_by_key(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        pyproject="[tool.shamisa]\njobs = 1\nmodel = 'a'\n[tool.shamisa.gate]\nmin-score = 40",
        shamisa="jobs = 2\n[gate]\nmax-drop = 3",
    )
    assert [file.name for file in found.files] == ["pyproject.toml", "shamisa.toml"]
    assert {name: (one.value, one.file.name) for name, one in found.values.items()} == {
        "jobs": (2, "shamisa.toml"),
        "model": ("a", "pyproject.toml"),
        "gate.min-score": (40, "pyproject.toml"),
        "gate.max-drop": (3, "shamisa.toml"),
    }


def test_the_nearest_file_counts_and_nothing_above_the_repository(tmp_path: Path) -> None:
    (tmp_path / "shamisa.toml").write_text("jobs = 9")
    project = tmp_path / "project"
    deep = project / "photos" / "holiday"
    deep.mkdir(parents=True)
    read(project, pyproject="[tool.shamisa]\njobs = 1")
    (project / "photos" / "pyproject.toml").write_text("[tool.other]\n")
    assert read_configuration(deep, KNOWN).files == (project / "pyproject.toml",)
    assert read(project, pyproject="[tool.other]").files == ()


def test_rules_are_read_in_order_and_are_relative_to_their_file(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        shamisa="""
            [[gate.rules]]
            files = "drafts/"
            level = "warn"
            [[gate.rules]]
            files = ["*.png", "*.gif"]
            min-score = 30
            max-drop = 2.5
        """,
    )
    assert found.rules == (
        Rule(("drafts/",), level="warn"),
        Rule(("*.png", "*.gif"), min_score=30.0, max_drop=2.5),
    )
    assert found.rules_folder == tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle = 'a'", "there is no setting 'modle'; did you mean 'model'?"),
        ("view_size = 5", "did you mean 'view-size'?"),
        ("min-score = 40", "did you mean 'gate.min-score'?"),
        ("[gate]\nmin_scor = 40", "there is no setting 'gate.min_scor'; did you mean 'gate.min-score'?"),
        ("[gate]\nrule = []", "did you mean 'gate.rules'?"),
        ("qqqq = 1", "Known are gate.max-drop, gate.min-score, gate.rules, jobs, model, view-size."),
        ("gate = 40", "gate is 40; it should be a table"),
        ("[gate]\nrules = 4", "each rule is a table"),
        ("[[gate.rules]]\nlevel = 'off'", "gate.rules[1].files is None"),
        ("[[gate.rules]]\nfiles = 'a'\nlevels = 'off'", "gate.rules[1]: there is no setting 'levels'; did you mean"),
        ("[[gate.rules]]\nfiles = 'a'\nlevel = 'warning'", "level is 'warning'; it can be off, warn, error"),
        ("[[gate.rules]]\nfiles = 'a'\nmin-score = 140", "min-score is 140; it should be a number from 0 to 100"),
        ("[[gate.rules]]\nfiles = 'a'\nmax-drop = true", "max-drop is True; it should be a number from 0"),
        ("jobs = ", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_what_may_have_been_meant(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingError) as error:
        read(tmp_path, shamisa=text)
    assert str(tmp_path / "shamisa.toml") in str(error.value)
    assert said in str(error.value)


OTHER_USER = 12_345


@pytest.fixture
def of_others(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Paths that another user owns; changing owners needs root."""
    theirs: set[Path] = set()
    real = {name: getattr(Path, name) for name in ("stat", "lstat")}

    def told(name: str) -> Callable[..., object]:
        def owner(path: Path, **settings: bool) -> object:
            found = real[name](path, **settings)
            fields = list(found)
            fields[4] = OTHER_USER if path in theirs else os.geteuid()
            return os.stat_result(fields)

        return owner

    for name in real:
        monkeypatch.setattr(Path, name, told(name))
    return theirs


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
def test_a_file_of_another_user_is_ignored_and_named(tmp_path: Path, of_others: set[Path]) -> None:
    theirs = tmp_path / "shamisa.toml"
    of_others.add(theirs)
    found = read(tmp_path, shamisa="model = './evil'", pyproject="[tool.shamisa]\njobs = 1")
    assert found.ignored == (theirs,)
    assert set(found.values) == {"jobs"}
    trusted = read_configuration(tmp_path, KNOWN, [str(tmp_path)])
    assert (set(trusted.values), trusted.ignored) == ({"jobs", "model"}, ())
    assert read_configuration(tmp_path, KNOWN, ["*"]).files == trusted.files
    assert read_configuration(tmp_path, KNOWN, ["", str(tmp_path / "other")]).ignored == (theirs,)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
def test_without_a_project_nothing_counts_above_the_first_folder_of_others(
    tmp_path: Path, of_others: set[Path]
) -> None:
    shared, own = tmp_path / "shared", tmp_path / "shared" / "own"
    own.mkdir(parents=True)
    (tmp_path / "shamisa.toml").write_text("jobs = 1")
    assert read_configuration(own, KNOWN).files == (tmp_path / "shamisa.toml",)
    of_others.add(shared)
    assert read_configuration(own, KNOWN) == Configuration()
    (shared / "shamisa.toml").write_text("jobs = 2")
    of_others.add(shared / "shamisa.toml")
    (shared / "pyproject.toml").write_text("[tool.other]")
    of_others.add(shared / "pyproject.toml")
    assert read_configuration(own, KNOWN) == Configuration(ignored=(shared / "shamisa.toml",))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
def test_a_link_is_as_foreign_as_the_one_who_made_it(tmp_path: Path, of_others: set[Path]) -> None:
    (tmp_path / "elsewhere.toml").write_text("jobs = 1")
    link = tmp_path / "shamisa.toml"
    link.symlink_to(tmp_path / "elsewhere.toml")
    of_others.add(link)
    assert read(tmp_path).ignored == (link,)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            "files = ['fine/', '/']",
            "The pattern '/' cannot be used: it names nothing. Write it as in a .gitignore file",
        ),
        ("files = '*'\nforbid = ['dull']", "There is no remark 'dull'; it can be "),
    ],
)
def test_a_rule_that_cannot_be_used_is_named_with_its_file_and_what_to_do(tmp_path: Path, rule: str, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(tmp_path, shamisa=f"[[gate.rules]]\nfiles = '*'\n[[gate.rules]]\n{rule}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'shamisa.toml'}: gate.rules[2]: {told}")
    assert str(caught.value).endswith(".")
