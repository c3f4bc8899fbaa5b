"""Command lines of README and docs do what the pages say, on the example photographs.

The lines of a page are run one after the other in one folder, as a reader would who follows the page.
"""

from __future__ import annotations

import csv
import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.documented_commands import COMMANDS, PAGES, REPOSITORY
from helpers.program import ENVIRONMENT, run_here
from PIL import Image

pytestmark = pytest.mark.slow

EXAMPLES = REPOSITORY / "examples" / "photos"
LONG_SIDE = 128
"""Pixels of the copies; a line of docs is about what is done, whatever the size."""

NOT_RUN = {
    r"\bhf:|s3://": "needs the Hugging Face Hub or a bucket (tests/core/models/test_hub.py, tests/core/cluster)",
    r"--ray": "starts a cluster (tests/cli/test_ray.py)",
    r"^train(?!.*--preview)": "takes hours (tests/cli/test_train.py)",
    r"--run |run/model original": "needs a finished training run (tests/cli/test_embedding_map.py, test_train.py)",
    r"^fit-(defects|direction)": "takes many minutes (tests/cli/test_fit_defects.py)",
    r"--pseudo": "degrades every photograph many times (tests/cli/test_fit_probe.py)",
    r"\$\w": "needs the variables of a scheduler (tests/cli/test_part_number.py)",
}
"""Pattern of a command line → why it is not run here."""

FOLDERS = ("photos", "new", "site/before", "site/after", "before", "after", "assets", "originals", "build", "shoot",
           "my-photos", "sharp-photos", "pristine", "versions")  # fmt: skip
TABLES = ("mos.csv", "my-scores.csv", "other-scores.csv", "a.csv", "b.csv", "c.csv", "one/mos.csv", "two/mos.csv",
          "three/mos.csv", "synthetic/mos.csv", "versions/versions.csv")  # fmt: skip
PICTURES = ("original.png", "a.jpg", "b.jpg", "c.jpg", "flower.jpg", "edited.png")
WRITES = {"-o", "--output", "--html", "--maps", "--plot", "--preview", "--gmad-figure"}
GATES = {"--min-score", "--max-drop", "--max-difference", "--strict-pairs"}
STDIN = {"serve": '{"path": "photos/cat.jpg"}\n', "-": "photos/cat.jpg\n"}


def documented(page: Path) -> list[list[str]]:
    """The lines of a page that are run."""
    lines = [words for found, words in COMMANDS if found == page]
    return [words for words in lines if not any(re.search(pattern, " ".join(words)) for pattern in NOT_RUN)]


def lay_out(folder: Path, model: Path) -> None:
    """Copies of the example photographs, tables of scores and a model, under the names that the pages use."""
    small = folder / "photos"
    small.mkdir()
    for path in sorted(EXAMPLES.glob("*.jpg"))[::2]:  # the undistorted ones
        with Image.open(path) as picture:
            picture.thumbnail((LONG_SIDE, LONG_SIDE))
            picture.save(small / path.name, quality=92)
            picture.save(small / f"{path.stem}_low.jpg", quality=1)
    for name in FOLDERS[1:]:
        shutil.copytree(small, folder / name)
    for name in PICTURES:
        with Image.open(small / "flower.jpg") as picture:
            picture.save(folder / name)
    for name in TABLES:
        (folder / name).parent.mkdir(exist_ok=True)
        write_table(folder / name, folder / ("versions" if name.startswith("versions") else "photos"))
    shutil.copytree(model, folder / "run" / "model")
    for name in ("OTHER", "OTHER_MODEL"):
        shutil.copytree(model, folder / name)


def write_table(file: Path, photos: Path) -> None:
    """A table of scores with every column that the pages name."""
    with file.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["image", "mos", "subset", "reference", "photo", "blur", "group", "operator", "severity"])
        for number, path in enumerate(sorted(photos.glob("*_low.jpg"))):
            photo = path.stem.removesuffix("_low")
            original = photos / f"{photo}.jpg"
            score = round(number * 7 % 12 / 12, 3)
            table.writerow([path, score, f"session{number % 2}", original, photo, score, "compression", "JPEG", number])


def test_only_what_has_a_reason_is_not_run() -> None:
    lines = [" ".join(words) for _, words in COMMANDS]
    assert sum(len(documented(page)) for page in PAGES) >= 70
    for pattern in NOT_RUN:
        assert any(re.search(pattern, line) for line in lines), pattern


@pytest.mark.parametrize("page", [page for page in PAGES if documented(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(tmp_path: Path, tiny_model: Path, page: Path) -> None:
    pytest.importorskip("torch")
    lay_out(tmp_path, tiny_model)
    variables = ENVIRONMENT | {"SHAMISA_CACHE": "1", "SHAMISA_CACHE_DIR": str(tmp_path / "cache")}
    for words in documented(page):
        stdin = STDIN.get(words[0]) or STDIN.get(words[-1], "")
        done = run_here(*words, cwd=tmp_path, env=variables, input=stdin)
        line = f"shamisa {' '.join(words)}"
        assert done.returncode in ({0, 1} if GATES & set(words) else {0}), f"{line}\n{done.stdout}\n{done.stderr}"
        for option, name in pairwise(words):
            assert option not in WRITES or (tmp_path / name).exists(), line
