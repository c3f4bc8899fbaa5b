"""The last line on stderr of each command that reads pictures: how many it did, how long, and where the result is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import ENVIRONMENT, Program

CULL = ("cull", "photos", "--keep-best", "50%")
COMMANDS = {
    "score": (("score", "photos"), r"4 of 5 pictures scored \(1 unreadable, 1 left out\) in TIME"),
    "cull": (CULL, r"4 of 5 pictures scored \(1 unreadable, 1 left out\) in TIME"),
    "cull list": ((*CULL, "--list", "kept"), r"4 of 5 pictures scored \(1 unreadable, 1 left out\) in TIME"),
    "embed": (("embed", "photos"), r"4 of 5 pictures embedded \(1 unreadable, 1 left out\) in TIME"),
    "evaluate": (("evaluate", "--mos", "mos.csv"), r"10 of 11 pictures evaluated \(1 unreadable\) in TIME"),
    "compare": (("compare", "photos/0.jpg", "photos"), r"4 of 5 pictures compared \(1 not compared\) in TIME"),
    "rank": (("rank", "photos"), r"4 of 5 pictures ranked \(1 not ranked, 1 left out\) in TIME"),
    "ladder": (("compare", "photos/0.jpg", "--ladder", "jpeg"), r"\d+ versions compared in TIME"),
}
PLACES = {"cull": "decisions", "cull list": "paths", "embed": r"\d[\d,]* features of each"}

each_command = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture
def shoot(photos: Path) -> Path:
    """A folder with four pictures, one that is torn and a film in photos/, and a table of human scores."""
    (photos / "torn.jpg").write_bytes(b"")
    (photos / "film.mp4").write_bytes(b"")
    rated = [*save_noise(photos.parent / "rated", [(80, 60)] * 10), photos / "torn.jpg"]
    rows = [f"{path.relative_to(photos.parent)},{mark}" for mark, path in enumerate(rated)]
    (photos.parent / "mos.csv").write_text("\n".join(["image,mos", *rows]) + "\n")
    return photos.parent


def typed(name: str, tiny_model: Path, *more: str | Path) -> list[str | Path]:
    """A command line, with the small model where one without a probe of relations will do."""
    words, _ = COMMANDS[name]
    own_model = words[0] in ("compare", "rank")
    output = ("-o", "out.npz") if name == "embed" and "-o" not in more else ()
    return [*words, *(() if own_model else ("--model", tiny_model)), *output, *more]


@each_command
def test_a_run_ends_with_one_line_about_it(shamisa: Program, tiny_model: Path, shoot: Path, name: str) -> None:
    output = {"embed": "out.npz"}.get(name, "out.json")
    ran = shamisa(*typed(name, tiny_model, "-o", output), cwd=shoot)
    assert (shoot / output).exists(), ran.stderr
    expected = COMMANDS[name][1].replace("TIME", r"[\d.]+ s") + rf"; {PLACES.get(name, 'results')} in {output}\."
    assert re.fullmatch(expected, ran.stderr.splitlines()[-1])


@each_command
def test_quiet_says_only_which_picture_could_not_be_read(
    shamisa: Program, tiny_model: Path, shoot: Path, name: str
) -> None:
    ran = shamisa(*typed(name, tiny_model, "--quiet"), cwd=shoot)
    assert ran.returncode == (0 if name == "ladder" else 3)
    said = ran.stderr.splitlines()
    assert len(said) == (0 if name == "ladder" else 1)
    assert all(line.startswith("warning: photos/torn.jpg") for line in said)
    listed = name == "cull list"  # paths for other programs are what was asked for
    assert bool(ran.stdout) == listed


def test_a_part_is_said_to_be_one_also_where_the_environment_asks_for_it(
    shamisa: Program, tiny_model: Path, shoot: Path
) -> None:
    done = shamisa("score", "photos", "--model", tiny_model, cwd=shoot, env=ENVIRONMENT | {"SHAMISA_SHARD": "1/2"})
    assert re.search(r"\d pictures? of part 1 of 2 scored", done.stderr.splitlines()[-1])


def test_what_was_in_the_cache_is_said(shamisa: Program, tiny_model: Path, shoot: Path) -> None:
    caching = ("--cache", "--cache-dir", "cache")
    for name in ("score", "cull", "embed", "evaluate"):
        done = [shamisa(*typed(name, tiny_model, *caching), cwd=shoot).stderr.splitlines()[-1] for _ in range(2)]
        known = "reused from an earlier run" if name == "embed" else "from the cache"
        assert f" {10 if name == 'evaluate' else 4} {known}" in done[1].replace("(", " ")
