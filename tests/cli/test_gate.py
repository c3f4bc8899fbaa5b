"""The gate as CI runs it: whole processes, files on disk, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import ENVIRONMENT, run_here

pytestmark = pytest.mark.slow  # every test starts processes that import torch


@pytest.fixture
def project(tmp_path: Path, photos: Path, tiny_model: Path) -> Path:
    """A repository with four pictures and a model of its own."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "shamisa.toml").write_text(f"model = {json.dumps(str(tiny_model))}\n")
    assert photos.parent == tmp_path
    return tmp_path


def test_command_line_goes_over_variable_over_own_file_over_pyproject(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "pyproject.toml").write_text("[tool.shamisa.gate]\nmin-score = 100\n")
    with (project / "shamisa.toml").open("a") as file:
        file.write("[gate]\nmin-score = 0\n")

    def failing(*arguments: str, **variables: str) -> int:
        shown = shamisa("score", "photos", "-f", "github", *arguments, cwd=project, env=ENVIRONMENT | variables)
        assert shown.returncode == (1 if "::error" in shown.stdout else 0), shown.stderr
        return int(shown.stdout.count("::error"))

    assert failing() == 0
    assert failing(SHAMISA_MIN_SCORE="100") == 4
    assert failing("--min-score", "0", SHAMISA_MIN_SCORE="100") == 0


def test_rules_of_the_project_hold_from_every_folder(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "pyproject.toml").write_text(
        "[tool.shamisa.gate]\nmin-score = 100\n"
        "[[tool.shamisa.gate.rules]]\nfiles = 'photos/[01].jpg'\nlevel = 'warn'\n"
        "[[tool.shamisa.gate.rules]]\nfiles = 'photos/2.jpg'\nlevel = 'off'\n"
    )
    shown = shamisa("score", ".", "-f", "github", cwd=project / "photos")
    assert shown.returncode == 1, shown.stderr
    commands = sorted(line.partition(",")[0] for line in shown.stdout.splitlines() if line.startswith("::"))
    assert commands == ["::error file=3.jpg", "::warning file=0.jpg", "::warning file=1.jpg"]
    assert shown.stdout.splitlines()[-1] == "4 checked: 1 failed, 2 with a warning"
    shown = shamisa("score", "photos/0.jpg", "photos/2.jpg", cwd=project)
    assert shown.returncode == 0
    assert "2 checked: 1 with a warning" in shown.stdout


def test_a_picture_that_a_rule_excuses_is_a_warning_in_every_format(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "pyproject.toml").write_text(
        "[tool.shamisa.gate]\nmin-score = 0\n[[tool.shamisa.gate.rules]]\nfiles = 'broken.jpg'\nlevel = 'off'\n"
    )
    (project / "photos" / "broken.jpg").write_bytes(b"no picture")
    for format in ("text", "github"):
        shown = shamisa("score", "photos", "-f", format, cwd=project)
        assert shown.returncode == 0
        assert "5 checked: 1 with a warning\n" in shown.stdout
    (project / "photos" / "other.jpg").write_bytes(b"no picture")
    for format in ("text", "github"):
        shown = shamisa("score", "photos", "-f", format, cwd=project)
        assert shown.returncode == 3
        assert "6 checked: 1 with a warning, 1 not readable\n" in shown.stdout


def test_rules_and_baselines_hold_by_every_way_to_the_pictures(shamisa, project: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "pyproject.toml").write_text(
        "[tool.shamisa.gate]\nbaseline = 'quality.json'\nmax-drop = 1\n"
        "[[tool.shamisa.gate.rules]]\nfiles = '/photos/3.jpg'\nmin-score = 100\n"
    )
    shamisa("score", "photos", "--update-baseline", cwd=project)
    before = (project / "quality.json").read_text()
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(project)
    said = []
    for way in ("photos", str(project / "photos"), str(link / "photos"), str(link / "photos" / "3.jpg")):
        shown = shamisa("score", way, "-f", "github", cwd=project)
        said.append((shown.returncode, shown.stdout.count("::error"), "new" in shown.stderr))
        shamisa("score", way, "--update-baseline", cwd=project)
        assert (project / "quality.json").read_text() == before
    assert said == [(1, 1, False)] * 4


def test_a_link_is_held_to_the_rules_and_the_baseline_of_its_own_name(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "pyproject.toml").write_text(
        "[[tool.shamisa.gate.rules]]\nfiles = 'drafts/'\nlevel = 'off'\n"
        "[[tool.shamisa.gate.rules]]\nfiles = 'hero/'\nmin-score = 100\n"
    )
    for name in ("drafts", "hero"):
        (project / name).mkdir()
    shutil.copy(project / "photos" / "0.jpg", project / "drafts" / "0.jpg")
    (project / "hero" / "cover.jpg").symlink_to("../drafts/0.jpg")
    for inputs in (
        [".", "./hero"],
        ["drafts", "hero"],
        ["drafts/0.jpg", "hero/cover.jpg"],
        ["**/*.jpg"],
        ["**/hero", "drafts"],
        ["[dh]*"],
    ):
        shown = shamisa("score", *inputs, "-f", "github", cwd=project)
        assert shown.returncode == 1, shown.stderr
        assert [line.partition(",")[0] for line in shown.stdout.splitlines() if "::error" in line] == [
            "::error file=hero/cover.jpg"
        ]
    for listed in ("drafts\nhero\n./drafts/0.jpg\n", "drafts/\nhero/cover.jpg\n", "../place/drafts\n../place/hero\n"):
        (project / "list").write_text(listed.replace("place", project.name))
        assert "2 checked: 1 failed" in shamisa("score", "--files-from", "list", "-f", "github", cwd=project).stdout
    (project / "assets").symlink_to("hero")
    (project / "assets2").symlink_to("drafts")
    for inputs in ([".", "--exclude", "photos"], ["**/*.jpg", "--exclude", "photos"], ["[adh]*"]):
        shown = shamisa("score", *inputs, "-f", "github", cwd=project)
        assert "::error file=hero/cover.jpg" in shown.stdout
        assert shown.stdout.splitlines()[-1] == "3 checked: 1 failed"
    for link in ("assets", "assets2"):
        (project / link).unlink()
    (project / "list").write_text(".")
    shown = shamisa("score", "--files-from", "list", "-f", "github", cwd=project)
    assert "::error file=hero/cover.jpg" in shown.stdout

    (project / "pyproject.toml").write_text("[tool.shamisa.gate]\nbaseline = 'quality.json'\nmax-drop = 1\n")
    shamisa("score", ".", "--update-baseline", cwd=project)
    scores = json.loads((project / "quality.json").read_text())["scores"]
    worst, *_, best = sorted((name for name in scores if name.startswith("photos")), key=scores.get)
    (project / best).unlink()
    (project / best).symlink_to(project / worst)
    assert f"{best} scores " in shamisa("score", ".", "-f", "sarif", cwd=project).stdout


def test_a_selection_does_not_hide_what_the_gate_found(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "photos" / "broken.jpg").write_bytes(b"no picture")
    shown = shamisa("score", "photos", "--min-score", "100", "--top", "1", cwd=project)
    assert shown.returncode == 1
    assert "5 checked: 4 failed, 1 not readable" in shown.stdout
    assert "broken.jpg" in shown.stderr  # the selection does not hold it
    shown = shamisa("score", "photos", "--top", "1", "-f", "csv", "-o", "best.csv", cwd=project)
    assert shown.returncode == 3
    assert "broken.jpg" in shown.stderr
    for format in ("github", "junit", "sarif"):
        shown = shamisa("score", "photos", "--min-score", "100", "--top", "1", "-f", format, cwd=project)
        assert (shown.returncode, shown.stdout) == (2, "")
        assert "reports on every picture" in shown.stderr


def test_a_baseline_is_written_held_and_written_again(shamisa, project: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "pyproject.toml").write_text("[tool.shamisa.gate]\nbaseline = 'quality.json'\nmax-drop = 1\n")
    file = project / "quality.json"
    missing = shamisa("score", "photos", cwd=project)
    assert missing.returncode == 2
    assert "There is no baseline" in missing.stderr
    assert "--update-baseline" in missing.stderr

    first = shamisa("score", ".", "--update-baseline", cwd=project / "photos")
    assert first.returncode == 0, first.stderr
    document = json.loads(file.read_text())
    assert list(document["scores"]) == [f"photos/{number}.jpg" for number in range(4)]
    assert set(document["model"]) == {"name", "revision", "regressor", "preprocessing"}
    before = file.read_bytes()

    same = shamisa("score", "photos", "--min-score", "0", cwd=project)
    assert same.returncode == 0, same.stderr
    assert "4 checked, all passed" in same.stdout
    assert file.read_bytes() == before

    ordered = sorted(document["scores"], key=document["scores"].get)
    shutil.copy(project / ordered[0], project / ordered[-1])
    fallen = shamisa("score", "photos", "-f", "sarif", "-o", "out.sarif", cwd=project)
    assert fallen.returncode == 1, fallen.stderr
    assert "4 checked: 1 failed." in fallen.stderr
    (result,) = json.loads((project / "out.sarif").read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("max-drop", "error")
    assert result["message"]["text"].startswith(f"{ordered[-1]} scores ")

    other = shamisa("score", "photos", "--view-size", "48", cwd=project)
    assert other.returncode == 2
    assert "view_size 64 → 48" in other.stderr
    assert other.stdout == ""

    assert shamisa("score", project / ordered[-1], "--update-baseline", cwd=tmp_path).returncode == 0
    after = json.loads(file.read_text())["scores"]
    assert after.keys() == document["scores"].keys()
    assert {name for name in after if after[name] != document["scores"][name]} == {ordered[-1]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-drop", "2"], "--baseline"),
        (["--update-baseline"], "--baseline"),
        (["--baseline", "photos/0.jpg", "--max-drop", "2"], "is not a baseline"),
        (["--baseline", "b.json"], "--max-drop"),
        (["--min-score", "nan"], "--min-score is nan"),
    ],
)
def test_contradictions_are_refused_before_anything_is_scored(shamisa, project: Path, arguments, said) -> None:  # type: ignore[no-untyped-def]
    shown = shamisa("score", "photos", *arguments, cwd=project)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr


def test_no_picture_is_no_pass(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "empty").mkdir()
    for named in (["empty"], ["*.png"], ["-"]):
        shown = shamisa("score", *named, "-f", "github", "--min-score", "1", cwd=project, input="")
        assert (shown.returncode, shown.stdout) == (2, "")
        assert "error: " in shown.stderr


def test_what_could_not_be_read_fails_with_3_and_is_annotated(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "photos" / "broken.jpg").write_bytes(b"no picture")
    shown = shamisa("score", "photos", "-f", "github", "--min-score", "0", cwd=project)
    assert shown.returncode == 3
    assert shown.stdout.startswith("::error file=photos/broken.jpg,title=Unreadable picture::")
    skipped = shamisa("score", "photos", "-f", "github", "--min-score", "0", "--skip-unreadable", cwd=project)
    assert skipped.returncode == 0
    assert skipped.stdout.startswith("::warning file=photos/broken.jpg,")


def test_the_action_hands_its_inputs_on_and_none_of_them_is_run(  # type: ignore[no-untyped-def]
    project: Path, tmp_path: Path, installed_program
) -> None:
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((Path(__file__).resolve().parents[2] / "action.yml").read_text())
    cache, install, check = action["runs"]["steps"]
    assert "run" not in cache
    assert "${{" not in install["run"] + check["run"]

    def run(**inputs: str) -> subprocess.CompletedProcess[str]:
        given = {
            name: inputs.get(name.replace("-", "_"), str(one.get("default", "")))
            for name, one in action["inputs"].items()
        }
        variables = {
            name: given[expression.removeprefix("${{ inputs.").removesuffix(" }}")]
            for name, expression in check["env"].items()
        }
        environment = ENVIRONMENT | variables | {
            "RUNNER_TEMP": str(installed_program), "GITHUB_WORKSPACE": str(project),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }  # fmt: skip
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", check["run"]]
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    good = run(paths="photos/0.jpg\n\nphotos/[12].jpg\n", min_score="0")
    assert (good.returncode, good.stdout) == (0, "3 checked, all passed\n"), good.stderr
    assert "3 checked, all passed" in (tmp_path / "summary.md").read_text()
    bad = run(paths="photos", min_score="100")
    assert bad.returncode == 1
    assert bad.stdout.count("::error file=photos/") == 4
    hostile = run(paths="--help\n$(touch ran); touch ran\n", min_score="0")
    assert hostile.returncode == 2
    assert not os.path.exists(project / "ran")  # noqa: PTH110


def test_a_renamed_picture_is_said_to_be_new_and_gone(tiny_model: Path, tmp_path: Path) -> None:
    save_noise(tmp_path / "site", [(64, 64)] * 3, blur=1)
    baseline = ["--baseline", tmp_path / "quality.json", "--model", tiny_model]
    assert run_here("score", tmp_path / "site", *baseline, "--update-baseline").returncode == 0
    same = run_here("score", tmp_path / "site", *baseline, "--max-drop", "5")
    assert "gone" not in same.stderr
    first = sorted((tmp_path / "site").iterdir())[0]
    first.rename(first.with_name("renamed.png"))
    done = run_here("score", tmp_path / "site", *baseline, "--max-drop", "5")
    assert done.returncode == 0, done.stderr
    assert "quality.json: 1 new, 1 gone." in done.stderr


def test_an_update_over_no_picture_keeps_the_baseline(tiny_model: Path, tmp_path: Path) -> None:
    save_noise(tmp_path / "photos", [(64, 64)])
    update = ("score", "photos", "--baseline", "quality.json", "--update-baseline")
    assert run_here(*update, "--model", str(tiny_model), cwd=tmp_path).returncode == 0
    before = (tmp_path / "quality.json").read_bytes()
    done = run_here(*update, "--since", "2099-01-01", "--allow-empty", "--model", "shamisa-lite0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "quality.json").read_bytes() == before
    assert "stays as it is" in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "csv", "junit", "github", "sarif"])
def test_a_job_in_which_no_picture_changed_succeeds_if_that_is_allowed(tiny_model: Path, form: str) -> None:
    command = ["score", "-", "--min-score", "40", "--model", tiny_model, "-f", form]
    refused = run_here(*command, input="")
    assert refused.returncode == 2
    allowed = run_here(*command, "--allow-empty", input="")
    assert allowed.returncode == 0, allowed.stderr
    assert "0 pictures scored" in allowed.stderr
    assert run_here(*command, "--allow-empty", "missing.jpg", input="").returncode in (2, 3)
    assert run_here("score", "--allow-empty", "--model", tiny_model).returncode == 2


@pytest.mark.parametrize(
    "summary", ["/dev/full", "missing/summary.md", "site"], ids=["full disk", "no folder", "folder"]
)
def test_a_summary_of_the_step_that_cannot_be_written_is_a_warning_and_the_gate_decides(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, summary: str
) -> None:
    save_noise(tmp_path / "site", [(64, 64)] * 2, blur=1)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", summary)
    run = ("score", "site", "--model", tiny_model, "-f", "github", "--min-score")
    failed, passed = (run_here(*run, limit, cwd=tmp_path) for limit in ("100", "0"))
    assert (failed.returncode, passed.returncode) == (1, 0), failed.stderr + passed.stderr
    assert failed.stdout.splitlines()[-1] == "2 checked: 2 failed"
    assert f"warning: {summary}, the summary of the step (GITHUB_STEP_SUMMARY), could not be written: " in failed.stderr
    assert "stdout" not in failed.stderr
