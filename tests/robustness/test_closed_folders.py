"""A folder that this user may not enter, and a name that no file system takes, end no run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa

import shamisa_cli
from shamisa_cli.core.errors import ShamisaError
from shamisa_cli.core.existence import closed_on_the_way, exists, is_dir, is_file, is_gone, is_link

NOBODY = 65534
TOO_LONG = "n" * 300
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone can be nobody")


@contextmanager
def nobody() -> Iterator[None]:
    """Context in which this process may do what a user without rights may."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    save_noise(tmp_path / "photos", [(60, 40)] * 2)
    return tmp_path / "photos"


@as_root
@pytest.mark.parametrize("question", [exists, is_file, is_dir, is_link, is_gone])
def test_where_nobody_can_look_nothing_is_known(tmp_path: Path, question: Callable[[Path], bool]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "x.jpg").touch()
    with nobody():
        assert question(closed / "x.jpg") is False


@as_root
@pytest.mark.parametrize(
    "asked",
    [
        lambda closed: shamisa_cli.load_model(str(closed / "model")),
        lambda closed: shamisa_cli.load_model(probe=str(closed / "probe")),
        lambda closed: shamisa_cli.train([], closed / "run", resume=True),
    ],
)
def test_a_model_or_run_in_a_closed_folder_is_not_only_called_missing(
    tmp_path: Path, asked: Callable[[Path], object]
) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ShamisaError):  # imports what nobody may not read where Python is root's own
        asked(tmp_path / "none")
    with nobody(), pytest.raises(ShamisaError, match=r"You may not look into "):
        asked(closed)
    assert closed_on_the_way(closed) == ""  # root may


def test_a_name_that_no_file_has_is_gone(tmp_path: Path) -> None:
    for name in (TOO_LONG, "a\0b", "x.jpg", "file/x"):
        (tmp_path / "file").touch()
        assert is_gone(tmp_path / name)
        assert not exists(tmp_path / name)
    assert not is_gone(tmp_path / "file")


@as_root
@pytest.mark.parametrize("name", ["closed", "closed/inside"])
def test_settings_of_a_folder_that_may_not_be_entered_are_ignored_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # pytest gives them to its user alone
    inside = tmp_path / name
    inside.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    (inside / "shamisa.toml").write_text("[gate]\nmin-score = 50\n")
    (tmp_path / "shamisa.toml").write_text("[gate]\nmin-score = 50\n")  # above what may be the project's root
    monkeypatch.chdir(inside)
    shamisa("config")  # imports what nobody may not read where Python is root's own
    monkeypatch.setattr(os, "chdir", lambda _: None)  # the process stays where it is
    with nobody():
        done = shamisa("config")
    assert done.returncode == 0, done.stderr
    assert f"you may not look into {inside}" in done.stderr
    assert "50" not in done.stdout


def test_one_odd_name_in_a_baseline_ends_no_run(tiny_model: Path, photos: Path) -> None:
    baseline = photos / "scores.json"
    command = ["score", str(photos), "--model", str(tiny_model), "--baseline", str(baseline)]
    assert shamisa(*command, "--update-baseline").returncode == 0
    document = json.loads(baseline.read_text())
    document["scores"] |= {f"{TOO_LONG}.jpg": 50.0, "renamed.jpg": 40.0}
    baseline.write_text(json.dumps(document))
    compared = shamisa(*command, "--max-drop", "5")
    assert compared.returncode == 0, compared.stderr
    assert "0 new, 2 gone" in compared.stderr
    assert shamisa(*command, "--update-baseline").returncode == 0
    assert sorted(json.loads(baseline.read_text())["scores"]) == ["0.jpg", "1.jpg"]


@pytest.mark.parametrize("action", ["--move-to", "--copy-to"])
def test_a_name_too_long_for_a_sidecar_moves_with_the_others(
    tiny_model: Path, photos: Path, tmp_path: Path, action: str
) -> None:
    (photos / "0.jpg").rename(photos / f"{'n' * 250}.jpg")
    rule = ("--below", "100") if action == "--move-to" else ("--keep-best", "100")
    done = shamisa("cull", photos, "--model", tiny_model, *rule, action, tmp_path / "out", "--apply")
    assert done.returncode == 0, done.stderr
    assert len([path for path in (tmp_path / "out").iterdir() if path.suffix == ".jpg"]) == 2
