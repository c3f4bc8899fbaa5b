"""The page of `compare -o page.html`, in a browser: slider, maps, list, hostile names, contrast."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.chromium import Page, chromium
from helpers.report_pages import HOSTILE, SETTLED, opened

from shamisa_cli.cli.reporters.base import ComparisonRun
from shamisa_cli.cli.reporters.html.comparison_page import write_comparison_page
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ErrorRecord, ModelIdentity
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.page_images import ComparisonImages
from shamisa_cli.core.relational.records import AXES, DIFFERENCE, MAPS, Candidate

pytestmark = pytest.mark.slow

WORSE = Candidate(
    "after/a.jpg", "before/a.png", score=-30.0, difference=32.0, direction=-0.94, like_jpeg_quality=60,
    groups=dict.fromkeys(GROUPS, 0.0) | {"blur": 2.0}, axes=dict.fromkeys(AXES, -0.2), overall=0.5,
    width=640, height=480, file_bytes=40_000, reference_bytes=100_000,
)  # fmt: skip
SAME = replace(WORSE, path="after/b.jpg", reference="before/b.png", score=-0.5, difference=1.0, direction=-0.5)
BROKEN = Candidate(
    "after/c.jpg", "before/c.png", status="error", error=ErrorRecord("damaged", "after/c.jpg: the file is damaged.")
)
NAMES = "[...document.querySelectorAll('#list bdi')].map(name => name.textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def page_of(candidates: list[Candidate], gate: ComparisonGate | None = None) -> str:
    """The page of these candidates; references are dark, versions light, and all that is compared differs by 50."""
    stream = io.StringIO()
    reference, version = (np.full((480, 640, 3), level, dtype=np.uint8) for level in (40, 210))
    maps = {name: np.zeros((60, 80), dtype=np.float32) for name in MAPS} | {DIFFERENCE: np.full((60, 80), 50.0)}
    with ComparisonImages() as images:
        for candidate in candidates:
            if candidate.score is not None:
                images(replace(candidate, maps=maps), reference, version)
        run = ComparisonRun(
            ModelIdentity("tiny", "0123"), gate or ComparisonGate(), added=(Path("after/new.jpg"),), images=images
        )
        write_comparison_page(candidates, run, stream)
    return stream.getvalue()


def level_at(page: Page, across: float) -> int:
    """Grey level, 0…255, of what is drawn on the stage at this share of its width."""
    place = page.run(
        "(box => [box.left, box.top + box.height / 2, box.width])(document.querySelector('#stage')"
        ".getBoundingClientRect())"
    )
    from PIL import Image

    with Image.open(io.BytesIO(page.picture())) as shot:
        pixel = shot.convert("L").getpixel((round(place[0] + across * place[2]), round(place[1])))
    assert isinstance(pixel, int)
    return pixel


def test_the_slider_shows_the_original_on_its_left_and_the_version_on_its_right(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of([WORSE]))
    page.run(SETTLED)
    assert (level_at(page, 0.25) < 60, level_at(page, 0.75) > 190) == (True, True)
    page.run("document.querySelector('#slider').focus()")
    for _ in range(4):
        page.press("End")
    page.run(SETTLED)
    assert level_at(page, 0.75) < 60
    assert (page.complaints, page.requests[1:]) == ([], [])


def test_the_difference_map_is_white_where_everybody_sees_a_change(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of([WORSE]))
    page.run("document.querySelector('[data-mode=difference]').click()")
    page.run(SETTLED)
    assert level_at(page, 0.25) > 240
    assert page.run("document.querySelector('#map').alt").startswith("Black: no difference")


def test_the_worst_comes_first_and_what_was_not_compared_says_why(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of([SAME, WORSE, BROKEN]))
    assert page.run(NAMES) == ["after/c.jpg", "after/a.jpg", "after/b.jpg"]
    assert "damaged" in page.run("document.querySelector('#words').textContent")
    page.run("document.querySelector('#next').click()")
    assert page.run("document.querySelector('#title').textContent") == "after/a.jpg"
    assert "60 % less" in page.run("document.querySelector('#facts').textContent")
    assert "after/new.jpg" in page.run("document.querySelector('#unpaired').textContent")
    page.run("(shown => (shown.value = 'same', shown.dispatchEvent(new Event('input'))))"
             "(document.querySelector('#shown'))")  # fmt: skip
    assert page.run(NAMES) == ["after/b.jpg"]


def test_failures_of_the_gate_are_counted_at_the_top(browser: Page, tmp_path: Path) -> None:
    failed = replace(WORSE, status="failed")
    page = opened(browser, tmp_path, page_of([failed, SAME], ComparisonGate(min_score=-10)))
    assert "1 below the minimum of -10" in page.run("document.querySelector('#summary').textContent")


def test_no_name_runs_and_nothing_is_requested(browser: Page, tmp_path: Path) -> None:
    text = page_of([replace(WORSE, path=name, reference=name) for name in HOSTILE])
    page = opened(browser, tmp_path, text.encode("utf-8", "backslashreplace").decode())
    for _ in HOSTILE:
        page.run("document.querySelector('#next').click()")
    assert page.run("document.title") == "Pictures compared"
    assert len(page.run(NAMES)) == len(HOSTILE)
    assert (page.complaints, len(page.requests)) == ([], 1)


def test_one_reference_of_many_candidates_is_in_the_page_once() -> None:
    one = page_of([WORSE])
    many = page_of([replace(WORSE, path=f"after/{number}.jpg") for number in range(20)])
    assert many.count('\n"') == one.count('\n"')


@pytest.mark.parametrize("width", [1400, 700, 390])
def test_the_slider_is_as_wide_as_the_picture_and_its_handle_stands_on_the_line(
    browser: Page, tmp_path: Path, width: int
) -> None:
    page = opened(browser, tmp_path, page_of([WORSE]), width=width)
    page.run(SETTLED)
    picture, slider = (
        page.run(f"(box => [box.left, box.right])(document.querySelector('{name}').getBoundingClientRect())")
        for name in ("#stage", "#slider")
    )
    assert slider == pytest.approx([picture[0] - 8, picture[1] + 8], abs=1)


@pytest.mark.parametrize("width", [1400, 700, 390])
def test_nothing_is_wider_than_the_window(browser: Page, tmp_path: Path, width: int) -> None:
    page = opened(browser, tmp_path, page_of([WORSE, SAME, BROKEN]), width=width)
    page.run(SETTLED)
    assert page.run("document.documentElement.scrollWidth") <= width
