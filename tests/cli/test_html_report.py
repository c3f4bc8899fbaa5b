"""The web page of results: what is written, and what a person meets in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.chromium import Page, chromium
from helpers.report_pages import HOSTILE, MANY, SETTLED, opened, page_of, record, unreadable

from shamisa_cli.core.scoring.gate import Gate


def block(page: str, name: str) -> object:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


SOME = [record("b/2.jpg", 70.0), record("b/10.jpg", 20.0), record("a/x.jpg", 45.0), unreadable("a/broken.jpg")]


def test_the_page_holds_what_was_found_out_about_each_picture() -> None:
    page = page_of(SOME, gate=Gate(min_score=30))
    data = block(page, "data")
    assert isinstance(data, dict)
    pictures = data["pictures"]
    assert [picture["path"] for picture in pictures] == ["b/2.jpg", "b/10.jpg", "a/x.jpg", "a/broken.jpg"]
    assert pictures[0] == {
        "path": "b/2.jpg", "score": 70.0, "interval": [58.0, 75.0], "mos": 3.8, "size": [640, 480],
        "defects": [1.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], "standing": "passed", "group": None,
        "messages": [], "atFullSize": "", "remarks": [], "doubts": "",
    }  # fmt: skip
    assert pictures[1]["standing"] == "failed"
    assert pictures[1]["messages"] == ["scores 20.0, below the minimum of 30"]
    assert pictures[3]["messages"] == ["a/broken.jpg: the file is damaged."]
    assert data["conclusion"] == "4 checked: 1 failed, 1 not readable"
    assert data["summary"]["median"] == 45.0


def test_thumbnails_stand_in_the_order_of_the_records_and_maps_only_where_drawn() -> None:
    without, drawn = block(page_of(SOME), "pictures"), block(page_of(SOME, maps=True), "pictures")
    assert isinstance(without, list)
    assert isinstance(drawn, list)
    assert [thumbnail is not None for thumbnail, *_ in without] == [True, True, True, False]
    assert all(picture_map is None for _, picture_map, _ in without)
    assert [picture_map is not None for _, picture_map, _ in drawn] == [True, True, True, False]


def test_no_file_name_leaves_the_block_of_data() -> None:
    plain, hostile = page_of([record("a.jpg", 50.0)]), page_of([record(path, 50.0) for path in HOSTILE])
    assert hostile.count("<script") == plain.count("<script")
    assert hostile.count("<!--") == plain.count("<!--")
    hostile.encode()  # a byte that is no UTF-8 would not be written
    data = block(hostile, "data")
    assert isinstance(data, dict)
    assert data["pictures"][0]["path"] == HOSTILE[0]
    assert data["pictures"][3]["path"] == HOSTILE[3]
    assert data["pictures"][5]["path"] == "a/\\u202egpj.exe"


def test_the_page_names_nothing_outside_itself() -> None:
    page = page_of(SOME, maps=True)
    assert "default-src 'none'; img-src data:" in page
    assert not re.search(r"""\b(?:src|href)="(?!#)|url\(|@import""", page)
    for name in ("http-equiv", "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://ns.adobe.com/xap/1.0/"):
        page = page.replace(name, "")  # names of namespaces in the script that the page exports
    assert "http" not in page


def test_an_empty_gallery_makes_a_page_of_rows() -> None:
    data = block(page_of([unreadable("only.jpg")]), "data")
    assert isinstance(data, dict)
    assert data["defects"] == []
    assert data["summary"]["mean"] is None


# In a browser

SHOWN = "[...document.querySelectorAll('tbody bdi')].map(name => name.textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def chosen(browser: Page, control: str, value: str) -> list[str]:
    browser.run(f"{control}.value = {json.dumps(value)}; {control}.dispatchEvent(new Event('input'))")
    found: list[str] = browser.run(SHOWN)
    return found


@pytest.mark.slow
def test_the_worst_picture_comes_first_and_headers_sort(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(SOME))
    assert page.run(SHOWN) == ["10.jpg", "x.jpg", "2.jpg", "broken.jpg"]
    header = "document.querySelector('[data-key={}]')"
    score, path, blur = (header.format(key) for key in ("score", "path", "blur"))
    assert page.run(f"{score}.ariaSort") == "ascending"
    page.run(f"{path}.querySelector('button').click()")
    assert page.run(SHOWN) == ["broken.jpg", "x.jpg", "2.jpg", "10.jpg"]
    page.run(f"{blur}.querySelector('button').click()")
    assert page.run(SHOWN) == ["10.jpg", "x.jpg", "2.jpg", "broken.jpg"]
    assert page.run(f"[{blur}.ariaSort, {path}.ariaSort]") == ["descending", None]
    page.run(f"{blur}.querySelector('button').click()")
    assert page.run(SHOWN) == ["2.jpg", "x.jpg", "10.jpg", "broken.jpg"]
    assert chosen(page, "document.querySelector('#sort')", "interval") == ["2.jpg", "x.jpg", "10.jpg", "broken.jpg"]


@pytest.mark.slow
def test_filters_narrow_the_list_and_say_how_many_are_left(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(SOME, gate=Gate(min_score=30)))
    control = "document.querySelector('#{}')"
    assert chosen(page, control.format("text"), "B/ jpg") == ["10.jpg", "2.jpg"]
    assert page.run("document.querySelector('#count').textContent") == "2 of 4 pictures"
    assert chosen(page, control.format("from"), "60") == ["2.jpg"]
    page.run("document.querySelector('#reset').click()")
    assert chosen(page, control.format("standing"), "failed") == ["10.jpg"]
    assert chosen(page, control.format("standing"), "found") == ["10.jpg", "broken.jpg"]
    assert chosen(page, control.format("standing"), "") == ["10.jpg", "x.jpg", "2.jpg", "broken.jpg"]
    assert chosen(page, control.format("severity"), "2") == ["10.jpg", "x.jpg", "2.jpg", "broken.jpg"]
    assert chosen(page, control.format("defect"), "blur") == ["10.jpg", "x.jpg"]
    assert chosen(page, control.format("text"), "nothing is called that") == []
    assert page.run("document.querySelector('#nothing').hidden") is False


@pytest.mark.slow
def test_a_bar_of_the_distribution_shows_its_pictures_and_the_address_keeps_the_view(
    browser: Page, tmp_path: Path
) -> None:
    page = opened(browser, tmp_path, page_of(MANY))
    expected = {each.path.removeprefix("shoot/") for each in MANY if 40 <= (each.score or 0) < 45}
    page.run("document.querySelectorAll('#histogram button')[8].click()")
    assert set(page.run(SHOWN)) == expected
    pressed = "[...document.querySelectorAll('#histogram [aria-pressed=true]')].map(bar => bar.ariaLabel)"
    assert page.run(pressed) == [f"40 to 45: {len(expected)} pictures"]
    fragment = page.run("location.hash")
    again = opened(browser, tmp_path, page_of(MANY), fragment)
    assert set(again.run(SHOWN)) == expected


@pytest.mark.slow
def test_the_keyboard_opens_a_picture_with_its_map_and_comes_back(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(SOME, maps=True))
    page.run("document.querySelector('tbody button').focus()")
    page.press("Enter")
    assert page.run("document.querySelector('dialog').open") is True
    assert page.run("document.querySelector('#details-title').textContent") == "b/10.jpg"
    images = "Promise.all([...document.querySelectorAll('#views img')].map(i => i.decode().then(() => i.naturalWidth)))"
    assert page.run(images) == [64, 64]
    assert page.run("document.querySelectorAll('#views img')[1].alt") == (
        "Map of where b/10.jpg gains and loses points"
    )
    page.press("ArrowRight")
    assert page.run("document.querySelector('#details-title').textContent") == "a/x.jpg"
    page.press("Escape")
    assert page.run("document.querySelector('dialog').open") is False
    page.run(SETTLED)
    assert page.run("document.activeElement.ariaLabel") == "Details of a/x.jpg"


@pytest.mark.slow
def test_hostile_names_are_only_shown_and_nothing_is_asked_of_the_network(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of([record(path, 50.0) for path in HOSTILE], maps=True))
    for index in range(len(HOSTILE)):
        page.run(f"document.querySelectorAll('tbody button')[{index}].click()")
        page.run("document.querySelector('dialog').close()")
    assert page.run("document.title") == "Picture quality"
    assert page.run("document.querySelectorAll('tbody tr').length") == len(HOSTILE)
    assert page.run(SHOWN.replace("tbody", "#details-title")) != []
    assert page.complaints == []
    assert page.requests == [(tmp_path / "report.html").as_uri()]


@pytest.mark.slow
def test_the_policy_of_the_page_refuses_scripts_and_requests_that_are_not_its_own(
    browser: Page, tmp_path: Path
) -> None:
    page = opened(browser, tmp_path, page_of(SOME))
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title=1'}))")
    assert page.run("document.title") == "Picture quality"
    assert page.run("fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)") == "TypeError"
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 1000, 390])
def test_nothing_is_wider_than_the_window(browser: Page, tmp_path: Path, width: int) -> None:
    records = [record("a/" + "very-long-name" * 20 + ".jpg", 50.0), *MANY]
    page = opened(browser, tmp_path, page_of(records, gate=Gate(min_score=30)), width=width)
    assert page.run("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_only_pictures_near_the_window_are_decoded(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(MANY))
    page.run(SETTLED)
    loaded = page.run("document.querySelectorAll('tbody img[src]').length")
    assert 0 < loaded < len(MANY) / 2


@pytest.mark.slow
def test_every_control_has_a_name(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(MANY, gate=Gate(min_score=30)))
    page.run(SETTLED)
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "textbox", "searchbox", "spinbutton", "combobox", "table", "rowheader", "columnheader")
    controls = [node for node in nodes if node.get("role", {}).get("value") in roles]
    assert {"table", "rowheader", "columnheader", "searchbox", "spinbutton"} <= {
        node["role"]["value"] for node in controls
    }
    assert [node for node in controls if not node["name"]["value"].strip()] == []


@pytest.mark.slow
def test_rows_out_of_sight_are_counted_and_reached(browser: Page, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(MANY))
    page.run(SETTLED)
    assert page.run("document.querySelector('#list').ariaRowCount") == str(len(MANY) + 1)
    assert page.run("[...document.querySelectorAll('tbody tr')].at(-1).ariaRowIndex") == str(len(MANY) + 1)
    page.run("[...document.querySelectorAll('tbody button')].at(-2).focus()")
    page.press("Tab")
    page.run(SETTLED)
    last = page.run("[...document.querySelectorAll('tbody button')].at(-1).ariaLabel")
    assert page.run("document.activeElement.ariaLabel") == last
    rows = [node for node in page.call("Accessibility.getFullAXTree")["nodes"] if node["role"]["value"] == "rowheader"]
    assert any(row["name"]["value"].startswith(last.removeprefix("Details of shoot/")) for row in rows)
