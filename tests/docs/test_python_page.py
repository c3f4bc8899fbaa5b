"""docs/python.md: every example runs, and every public name is on it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from helpers.loopback_hub import TOKEN, LoopbackHub
from helpers.pictures import save_small_examples
from helpers.program import ENVIRONMENT, run_code_here

import shamisa_cli

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")


def test_every_public_name_is_on_the_page() -> None:
    table = PAGE.partition("## All names")[2]
    assert set(re.findall(r"`(\w+)`", table)) == set(shamisa_cli.__all__) - {"__version__"}


def test_every_public_name_leads_somewhere_and_says_what_it_is() -> None:
    for name in set(shamisa_cli.__all__) - {"__version__", "IMAGE_SUFFIXES"}:
        assert getattr(shamisa_cli, name).__doc__, name


@pytest.mark.slow
def test_the_examples_run(tmp_path: Path, hub: LoopbackHub) -> None:
    photos = tmp_path / "examples" / "photos"
    save_small_examples(photos)  # the examples are about what is called, whatever the size
    with (tmp_path / "my-scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mos"])
        writer.writerows(
            [f"examples/photos/{photo.name}", 1 + place % 7] for place, photo in enumerate(sorted(photos.iterdir()))
        )
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL))

    settings = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": TOKEN,
    }
    done = run_code_here(code, cwd=tmp_path, env=ENVIRONMENT | settings | {"HF_TOKEN": TOKEN})

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 8
