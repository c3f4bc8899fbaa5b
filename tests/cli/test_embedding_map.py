"""embed --plot: the command, and the map that a person meets in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from helpers.chromium import Page, chromium
from PIL import Image

from shamisa_cli.cli.reporters.html.map_page import write_map
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.scoring.embedding_map import Colouring, EmbeddingMap
from shamisa_cli.core.scoring.thumbnails import encode_thumbnail

HOSTILE = "a/</script><script>document.title='taken'</script>/<img src=x onerror=document.title='taken'>.jpg"
PLACES = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
PATHS = ("left.jpg", HOSTILE, "right.jpg", "top.jpg")


def page_of(*colourings: Colouring, places: np.ndarray = PLACES, paths: tuple[str, ...] = PATHS) -> str:
    stream = StringIO()
    found = EmbeddingMap(paths, places, colourings, "tsne")
    pixels = np.full((30, 40, 3), (250, 0, 0), np.uint8)
    small = {path: encode_thumbnail(pixels, 40) for path in paths[:3]}
    write_map(found, ModelIdentity("tiny", "0123", {}), small, stream)
    return stream.getvalue()


KIND = Colouring("kind", ("blur", "noise", "blur", None))
SCORE = Colouring("score", (0.0, 50.0, 100.0, None))


def block(page: str, name: str) -> dict:  # type: ignore[type-arg]
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])  # type: ignore[no-any-return]


def test_the_page_holds_places_values_and_pictures() -> None:
    page = page_of(SCORE, KIND)
    data = block(page, "data")
    assert (data["x"], data["y"]) == ([-1, 0, 1, 0], [0, 0, 0, 1])
    assert data["colourings"] == [
        {"kind": "numbers", "column": "score", "values": [0, 50, 100, None], "low": 0, "high": 100},
        {"kind": "texts", "column": "kind", "names": ["blur", "noise"], "values": [0, 1, 0, None]},
    ]
    assert [bool(picture) for picture in block(page, "pictures")] == [True, True, True, False]
    assert "<script>document.title" not in page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def opened(browser: Page, tmp_path: Path) -> Callable[..., Page]:
    def open_page(page: str) -> Page:
        (tmp_path / "map.html").write_text(page, encoding="utf-8")
        browser.open((tmp_path / "map.html").as_uri())
        frame(browser)
        return browser

    return open_page


def frame(page: Page) -> None:
    """Wait until what was asked for is drawn."""
    page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def middle(page: Page) -> tuple[float, float]:
    """Where the middle of the map is on the page."""
    frame = "document.getElementById('map').getBoundingClientRect()"
    x, y = page.run(f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])({frame})")
    return x, y


def pointed(page: Page) -> str:
    """The text beside the pointer when it is on the middle of the map; empty where there is none."""
    x, y = middle(page)
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    return str(page.run("document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText"))


def test_pointing_at_a_picture_shows_it_with_name_and_value(opened: Callable[..., Page]) -> None:
    page = opened(page_of(SCORE, places=PLACES, paths=("left.jpg", "middle.jpg", "right.jpg", "top.jpg")))
    shown = pointed(page)
    assert "middle.jpg" in shown
    assert "score: 50" in shown
    assert page.run("document.querySelector('#tip img').src").startswith("data:image/webp;base64,")
    assert page.run("document.querySelector('#tip img').naturalWidth") == 40
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    assert page.run("document.getElementById('tip').hidden")
    assert page.complaints == []
    assert page.requests == [page.run("location.href")]


def test_names_of_files_never_run(opened: Callable[..., Page]) -> None:
    page = opened(page_of(KIND))
    assert "<img src=x" in pointed(page)
    assert page.run("document.title") == "Map of pictures"
    assert page.complaints == []


def test_arrow_keys_go_from_picture_to_picture_and_say_it(opened: Callable[..., Page]) -> None:
    page = opened(page_of(KIND, paths=("left.jpg", "middle.jpg", "right.jpg", "top.jpg")))
    page.run("document.getElementById('map').focus()")
    pointed(page)
    said = []
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft"):
        page.press(key)
        said.append(page.run("document.getElementById('told').textContent"))
    assert said == ["right.jpg, kind: blur", "middle.jpg, kind: noise", "left.jpg, kind: blur"]
    page.press("Escape")
    assert page.run("document.getElementById('tip').hidden")


def test_the_legend_names_values_and_shows_one_alone(opened: Callable[..., Page]) -> None:
    page = opened(page_of(KIND, SCORE))
    rows = "[...document.querySelectorAll('#legend button')]"
    assert page.run(f"{rows}.map((row) => row.innerText.replace(/\\s+/g, ' ').trim())") == [
        "blur 2", "noise 1", "no value 1",
    ]  # fmt: skip
    page.run(f"{rows}[0].click()")
    assert page.run(f"{rows}[0].getAttribute('aria-pressed')") == "true"
    assert pointed(page) == ""  # the one in the middle is noise
    page.run("Object.assign(document.getElementById('column'), { value: 1 }).dispatchEvent(new Event('input'))")
    assert page.run("[...document.querySelectorAll('#ticks span:not(.here)')].map((tick) => tick.textContent)") == [
        "0", "25", "50", "75", "100",
    ]  # fmt: skip
    assert "score: 50" in pointed(page)
    assert page.run("document.querySelector('#ticks .here').textContent") == "50"
    assert "1 without a value" in page.run("document.getElementById('legend').innerText")


def test_the_wheel_zooms_around_the_pointer_and_0_shows_all(opened: Callable[..., Page]) -> None:
    page = opened(page_of(KIND))
    ink = (
        "(() => { const c = document.getElementById('points'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 128;"
        " return n; })()"
    )
    whole = page.run(ink)
    x, y = middle(page)
    page.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-2000)
    frame(page)
    assert 0 < page.run(ink) < whole / 2  # only the one in the middle is left
    page.run("document.getElementById('map').focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="0")
    frame(page)
    assert page.run(ink) == whole


def test_thousands_of_pictures_have_room(opened: Callable[..., Page]) -> None:
    generator = np.random.default_rng(0)
    names = tuple(f"{number}.jpg" for number in range(6000))
    score = Colouring("score", tuple(generator.uniform(0, 100, 6000).tolist()))
    page = opened(page_of(score, places=generator.normal(0, 0.3, (6000, 2)), paths=names))
    assert page.run("document.getElementById('map').getAttribute('aria-label')") == "Map of 6,000 pictures by score"
    assert page.complaints == []


def test_the_command_draws_a_map_coloured_by_a_table(
    shamisa: Callable, photos: Path, tiny_model: Path, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("image,kind\n" + "".join(f"photos/{n}.jpg,{'even' if n % 2 == 0 else 'odd'}\n" for n in range(4)))
    target = tmp_path / "map.html"
    made = []
    for _ in range(2):
        answer = shamisa(
            "embed", photos, "-o", tmp_path / "f.parquet", "--model", tiny_model, "--plot", target,
            "--table", table, "--color-by", "kind", "--color-by", "score", "--color-by", "folder",
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        made.append(target.read_text())
    data = block(made[0], "data")
    assert [each["column"] for each in data["colourings"]] == ["kind", "score", "folder"]
    assert data["colourings"][0]["names"] == ["even", "odd"]
    assert data["paths"] == [str(photos / f"{number}.jpg") for number in range(4)]
    assert len(set(zip(data["x"], data["y"], strict=True))) == 4
    assert block(made[1], "data")["x"] == data["x"]
    with Image.open(photos / "0.jpg") as picture:
        assert picture.size == (120, 80)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--plot", "map.png"], "must name an .html file"),
        (["--plot", "map.html", "--color-by", "operator"], "There is no column 'operator'"),
        (["--color-by", "score"], "--color-by goes with --plot"),
        (["--plot", "map.html", "--projection", "umap"], "pip install 'shamisa[umap]'"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_any_work(
    shamisa: Callable, photos: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    if "umap" in options:
        try:
            import umap  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("umap-learn is installed")
    answer = shamisa("embed", photos, "-o", tmp_path / "f.parquet", *options, cwd=tmp_path)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert not (tmp_path / "f.parquet").exists()
