"""Reviewing pictures on the page: grid, keyboard, marks, export and two side by side, in a browser."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.chromium import Page, chromium
from helpers.report_pages import HOSTILE, MANY, SETTLED, opened, page_of, record

from shamisa_cli.cli.output import FORMULA_STARTS, CsvTable
from shamisa_cli.core.culling.xmp import read_rating
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.records import GroupPlace

pytestmark = pytest.mark.slow

NAMES = "[...document.querySelectorAll('.tile bdi')].map(name => name.textContent)"
FOCUS = "document.activeElement.querySelector('bdi')?.textContent"
TALLY = "document.querySelector('#tally').textContent"
SHOOT = [
    replace(record(f"{folder}/{number}.jpg", 10.0 * number), group=GroupPlace(number // 2 + 1, 2, number % 2 == 1))
    for folder, number in (("a", 0), ("a", 1), ("a", 2), ("b", 3), ("b", 4), ("b", 5))
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def grid(browser: Page, folder: Path, page: str, width: int = 1400) -> Page:
    shown = opened(browser, folder, page, width=width)
    shown.run("(button => (button.disabled = false, button.click()))(document.querySelector('#clear-marks'))")
    shown.run("document.querySelector('#as-grid').click()")
    shown.run(SETTLED)
    return shown


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.press(key)


def test_the_keyboard_moves_marks_and_opens(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT))
    assert page.run(NAMES) == [f"{number}.jpg" for number in range(6)]
    page.run("document.querySelector('.tile').focus()")
    press(page, "x", "ArrowRight", "ArrowRight", " ", "4", "End", "5")
    assert page.run(FOCUS) == "5.jpg"
    assert page.run(TALLY) == "1 kept, 1 rejected, 2 with stars"
    press(page, "ArrowLeft", "x", "0")
    assert page.run(TALLY) == "1 kept, 1 rejected, 2 with stars"
    press(page, "Enter", "x", "ArrowLeft", " ")
    assert page.run("document.querySelector('dialog').open") is True
    assert page.run(TALLY) == "2 kept, 2 rejected, 2 with stars"
    page.press("Escape")
    page.run(SETTLED)
    assert page.run(FOCUS) == "3.jpg"
    assert "kept" in page.run("document.activeElement.ariaLabel")
    assert page.complaints == []


def test_an_arrow_leads_into_the_grid_from_where_the_mouse_left_it(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT))
    for left in ("document.activeElement.blur()", "document.querySelector('#as-grid').focus()"):
        page.run(left)
        press(page, "ArrowDown", "ArrowRight", "x")
        page.run(SETTLED)
    assert page.run(FOCUS) == "2.jpg"
    assert page.run(TALLY) == "0 kept, 2 rejected, 0 with stars"


def test_an_arrow_leads_to_a_picture_in_view_after_scrolling(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(MANY))
    page.run("scrollTo(0, document.body.scrollHeight / 2)")
    page.run("new Promise(done => setTimeout(done, 300))")
    press(page, "ArrowDown")
    assert page.run("document.activeElement.className") == "tile"
    assert 0 <= page.run("document.activeElement.getBoundingClientRect().top") < 1000
    assert page.run("scrollY") > 500


def test_arrows_move_in_the_table(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT))
    page.run("document.querySelector('#as-table').click(), document.querySelector('tbody tr button').focus()")
    press(page, "ArrowUp", "ArrowDown", "ArrowDown", "x")
    assert page.run("document.activeElement.closest('tr').textContent").startswith("2.jpg")
    assert page.run(TALLY) == "0 kept, 1 rejected, 0 with stars"
    assert page.complaints == []


def test_marks_outlive_the_page_and_are_exported(browser: Page, tmp_path: Path) -> None:
    text = page_of(SHOOT)
    page = grid(browser, tmp_path, text)
    page.run("document.querySelector('.tile').focus()")
    press(page, "x", "ArrowRight", " ", "3", "ArrowRight", "5")
    page = opened(browser, tmp_path, text)
    assert page.run(TALLY) == "1 kept, 1 rejected, 2 with stars"
    rows = list(csv.DictReader(io.StringIO(page.run("report.exports.csv()"))))
    assert rows == [
        {"path": "a/0.jpg", "score": "0", "verdict": "reject", "stars": ""},
        {"path": "a/1.jpg", "score": "10", "verdict": "keep", "stars": "3"},
        {"path": "a/2.jpg", "score": "20", "verdict": "", "stars": "5"},
    ]
    assert page.run("report.exports.kept()") == "a/1.jpg\n"
    assert page.run("report.exports.rejected()") == "a/0.jpg\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "a/2.jpg.xmp").write_text("mine")
    subprocess.run(["sh", "-c", page.run("report.exports.script()")], cwd=tmp_path, check=True, capture_output=True)
    assert read_rating(tmp_path / "a/0.jpg.xmp") == -1
    assert read_rating(tmp_path / "a/1.jpg.xmp") == 3
    assert (tmp_path / "a/2.jpg.xmp").read_text() == "mine"
    page.run("document.querySelector('#clear-marks').click()")
    assert page.run(TALLY) == "Nothing marked"


def mark_all(page: Page, key: str) -> None:
    page.run("document.querySelectorAll('.tile').forEach(tile => (tile.focus(), tile.dispatchEvent("
             f"new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))))")  # fmt: skip


def test_what_a_spreadsheet_would_compute_is_text_in_the_exported_table_as_in_every_table(
    browser: Page, tmp_path: Path
) -> None:
    names = [f"{start}1+1.jpg" for start in FORMULA_STARTS if start.isprintable()]
    names += ["'=1+1.jpg", "''＝1.jpg", "'quoted'.jpg", 'a,b"c.jpg', "plain.jpg"]
    page = grid(browser, tmp_path, page_of([record(name, 50.0) for name in names]))
    mark_all(page, " ")
    exported = [row["path"] for row in csv.DictReader(io.StringIO(page.run("report.exports.csv()")))]
    stream = io.StringIO()
    table = CsvTable(stream)
    for name in names:
        table.writerow([name])
    assert exported == [row[0] for row in csv.reader(io.StringIO(stream.getvalue()))]


def test_a_name_that_the_page_cannot_hold_is_in_no_exported_list_and_that_is_said(
    browser: Page, tmp_path: Path
) -> None:
    names = ["a\nb.jpg", "x\udcff.jpg", "\u202egpj.exe", "c\\nd.jpg", "-rf.jpg", "plain 照片.jpg"]
    page = grid(browser, tmp_path, page_of([record(name, 50.0) for name in names]))
    mark_all(page, " ")
    kept = ["c\\nd.jpg", "./-rf.jpg", "plain 照片.jpg"]
    assert page.run("report.exports.kept()").splitlines() == kept
    for name in names:
        (tmp_path / name).touch()
    before = {file.name for file in tmp_path.iterdir()}
    subprocess.run(["sh", "-s"], input=page.run("report.exports.script()").encode(), cwd=tmp_path, check=True)
    assert {file.name for file in tmp_path.iterdir()} - before == {f"{Path(name).name}.xmp" for name in kept}
    assert len(page.run("report.exports.csv()").splitlines()) == 1 + len(kept)
    for button in ("csv", "kept", "rejected", "xmp"):
        page.run(
            f"document.querySelector('#tally').textContent = '', document.querySelector('#export-{button}').click()"
        )
        assert page.run(TALLY).startswith("3 marked pictures left out")
    page.run("document.querySelector('#clear-marks').click()")
    assert page.run(TALLY) == "Nothing marked"


def test_no_name_runs_in_a_shell_or_a_spreadsheet(browser: Page, tmp_path: Path) -> None:
    names = [*HOSTILE, "=1+1.jpg", "a'$(touch taken)`touch taken`\".jpg", "-rf.jpg"]
    page = grid(browser, tmp_path, page_of([record(name, 50.0) for name in names]))
    page.run("document.querySelectorAll('.tile').forEach(tile => (tile.focus(), tile.dispatchEvent("
             "new KeyboardEvent('keydown', {key: 'x', bubbles: true}))))")  # fmt: skip
    assert page.run(TALLY) == f"0 kept, {len(names)} rejected, 0 with stars"
    (tmp_path / "run").mkdir()
    script = page.run("report.exports.script()").encode("utf-8", "replace")
    subprocess.run(["sh", "-s"], input=script, cwd=tmp_path / "run", check=False, capture_output=True)
    assert not (tmp_path / "run" / "taken").exists()
    paths = [row["path"] for row in csv.DictReader(io.StringIO(page.run("report.exports.csv()")))]
    assert not any(path.startswith(("=", "+", "-", "@")) for path in paths)
    assert page.run("document.title") == "Picture quality"
    assert page.complaints == []


def test_two_pictures_are_compared_side_by_side(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT))
    page.run("document.querySelector('.tile').focus()")
    press(page, "c", "ArrowRight", "Enter")
    captions = "[...document.querySelectorAll('#views figcaption')].map(each => each.textContent)"
    assert page.run(captions) == ["a/0.jpg, 0.0", "a/1.jpg, 10.0"]
    page.press("ArrowRight")
    assert page.run(captions) == ["a/0.jpg, 0.0", "a/2.jpg, 20.0"]
    page.press("c")
    assert page.run(captions) == []


def test_pictures_are_filtered_by_folder_group_and_mark(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT))
    page.run("document.querySelector('.tile').focus()")
    press(page, " ")

    def chosen(control: str, value: str) -> list[str]:
        page.run(f"{control}.value = {json.dumps(value)}; {control}.dispatchEvent(new Event('input'))")
        page.run(SETTLED)
        found: list[str] = page.run(NAMES)
        return found

    control = "document.querySelector('#{}')".format
    assert chosen(control("folder"), "b/") == ["3.jpg", "4.jpg", "5.jpg"]
    assert chosen(control("group"), "best") == ["3.jpg", "5.jpg"]
    page.run("document.querySelector('#reset').click()")
    page.run(SETTLED)
    assert len(page.run(NAMES)) == 6
    assert chosen(control("marked"), "keep") == ["0.jpg"]
    assert chosen(control("marked"), "none") == [f"{number}.jpg" for number in range(1, 6)]


def test_pictures_whose_score_is_unreliable_are_filtered(browser: Page, tmp_path: Path) -> None:
    small = replace(SHOOT[1], width=100, height=80)
    page = grid(browser, tmp_path, page_of([SHOOT[0], small]))
    for value, expected in (("low", ["1.jpg"]), ("ok", ["0.jpg"]), ("", ["0.jpg", "1.jpg"])):
        page.run(f"(box => (box.value = '{value}', box.dispatchEvent(new Event('input'))))"
                 "(document.querySelector('#reliability'))")  # fmt: skip
        page.run(SETTLED)
        assert page.run(NAMES) == expected
    assert opened(browser, tmp_path, page_of(SHOOT)).run("document.querySelector('#reliability-label').hidden")


def test_the_large_view_shows_the_sharpest_part_at_its_own_size(browser: Page, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    look = AtFullSize(2.1, 0.0, 0.3, (10, 20, 128, 128), pixels)
    page = grid(browser, tmp_path, page_of([replace(SHOOT[0], at_full_size=look), SHOOT[1]]))
    page.run("document.querySelector('.tile').focus()")
    page.press("Enter")
    page.run(SETTLED)
    tile = "document.querySelector('.tile-100 img')"
    assert page.run(f"{tile}.decode().then(() => {tile}.clientWidth)") == 128
    assert "focus 2.1" in page.run("document.querySelector('.tile-100 figcaption').textContent")
    page.press("ArrowRight")
    assert page.run(tile) is None


LOADED = """new Promise(done => { const look = () => [...document.querySelectorAll('.tile img')].every(
image => image.complete && image.naturalWidth) ? done('all') : setTimeout(look, 50); look() })"""
FAST = """new Promise(done => { let frame = 0; const step = () => { scrollBy(0, 600);
if (++frame < 60) requestAnimationFrame(step); else done(scrollY) }; step() })"""


def test_thumbnails_beside_the_page_are_shown(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT, folder=tmp_path / "ré port-pictures"))
    assert page.run(LOADED) == "all"
    assert all("-pictures/" in address for address in page.requests[1:])
    assert page.complaints == []


def test_a_fast_scroll_does_not_read_what_it_passes(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(MANY * 4, folder=tmp_path / "pictures"))
    assert page.run(FAST) > 3000
    assert page.run(LOADED) == "all"
    read = {address for address in page.requests if "pictures/" in address}
    assert 0 < len(read) < len(MANY) * 3


def test_only_tiles_near_the_window_exist(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(MANY * 4))
    page.run(SETTLED)
    assert 0 < page.run("document.querySelectorAll('.tile').length") < len(MANY) * 2
    page.run("document.querySelector('.tile').focus()")
    page.press("End")
    page.run(SETTLED)
    assert page.run(FOCUS) is not None
    assert page.run("document.querySelectorAll('.tile').length") < len(MANY) * 2


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_no_tile_is_wider_than_the_window(browser: Page, tmp_path: Path, width: int) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT), width)
    assert page.run("document.documentElement.scrollWidth") <= width


CONTRAST = """
(() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const isText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  const poor = [];
  for (const node of document.querySelectorAll("body *:not(script, style, option)")) {
    if (!isText(node) || node.disabled || !node.checkVisibility()) continue;
    const pair = [luminance(channels(getComputedStyle(node).color)), luminance(behind(node))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) poor.push(`${node.tagName}#${node.id} ${ratio.toFixed(2)}: ${node.textContent.slice(0, 30)}`);
  }
  return poor;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["as-table", "as-grid"])
def test_every_text_has_the_contrast_that_wcag_asks_for(browser: Page, tmp_path: Path, scheme: str, view: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page = opened(browser, tmp_path, page_of(SHOOT))
    page.run(f"document.querySelector('#{view}').click()")
    page.run(SETTLED)
    assert page.run(CONTRAST) == []
    browser.call("Emulation.setEmulatedMedia", features=[])


def test_every_control_of_the_grid_has_a_name(browser: Page, tmp_path: Path) -> None:
    page = grid(browser, tmp_path, page_of(SHOOT))
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "combobox", "listbox", "option", "toolbar", "group")
    controls = [node for node in nodes if node.get("role", {}).get("value") in roles]
    assert {"listbox", "option", "toolbar"} <= {node["role"]["value"] for node in controls}
    named = [node for node in controls if node["role"]["value"] != "group"]
    assert [node for node in named if not node["name"]["value"].strip()] == []
