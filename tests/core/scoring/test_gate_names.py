"""Pictures with several names: one row for each way in which rules judge them, by their own name where they can."""

from __future__ import annotations

from pathlib import Path

from shamisa_cli.core.scoring.gate import Gate, Rule
from shamisa_cli.core.scoring.gate_names import judged_names


def names(folder: Path, rules: tuple[Rule, ...], *listed: str) -> list[str]:
    gate = Gate(min_score=40, rules=rules, folder=folder)
    return [path.relative_to(folder).as_posix() for path in judged_names(gate, [folder / name for name in listed])]


def test_names_that_are_judged_alike_count_once_by_the_files_own(tmp_path: Path) -> None:
    for place in ("raw/a.jpg", "raw/b.jpg"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(b"x")
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "1.jpg").symlink_to("../raw/b.jpg")
    (tmp_path / "again").symlink_to("raw")
    listed = ("best/1.jpg", "raw/a.jpg", "raw/b.jpg", "again/a.jpg", "again/b.jpg")
    assert names(tmp_path, (Rule(("none/",), level="warn"),), *listed) == ["raw/a.jpg", "raw/b.jpg"]
    assert names(tmp_path, (Rule(("best/",), min_score=40),), *listed) == ["raw/a.jpg", "raw/b.jpg"]
    assert names(tmp_path, (Rule(("best/",), min_score=50),), *listed) == ["best/1.jpg", "raw/a.jpg", "raw/b.jpg"]
    assert names(tmp_path, (Rule(("raw/",), level="off"),), *listed) == [
        "raw/a.jpg", "raw/b.jpg", "again/a.jpg", "again/b.jpg",
    ]  # fmt: skip
    assert names(tmp_path, (Rule(("a*",), max_faults={"focus": 2}),), *listed[:3]) == ["raw/a.jpg", "raw/b.jpg"]
    assert names(tmp_path, (Rule(("best/",), min_score=50),), "best/1.jpg", "gone.jpg") == ["best/1.jpg", "gone.jpg"]
