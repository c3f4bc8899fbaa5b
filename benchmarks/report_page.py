"""Time an HTML report of 10,000 pictures in headless Chromium, with thumbnails in the page and beside it.

    python benchmarks/report_page.py FOLDER

FOLDER holds photographs; the first 60 are used again and again. Prints sizes, and the times to open the page, to
reverse its order, to change to the grid, of the frames while it scrolls, and of keys that move and mark, to the last
picture. Fails if the page complains, asks the network for anything, or exports other marks.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))

from helpers.chromium import Page, chromium  # noqa: E402  beside the tests
from helpers.report_pages import SETTLED, record  # noqa: E402

from shamisa_cli import decode, discover  # noqa: E402
from shamisa_cli.cli.reporters.html import write_html  # noqa: E402
from shamisa_cli.core.full_size.record import AtFullSize  # noqa: E402
from shamisa_cli.core.records import ModelIdentity, Run  # noqa: E402
from shamisa_cli.core.scoring.thumbnails import Thumbnails  # noqa: E402

COUNT, DIFFERENT = 10_000, 60
KEYS = ("ArrowDown", "x", "ArrowRight", "End", " ", "5")
"""Into the grid, reject the first in view, go to the last, keep it and give it five stars."""
REVERSED = """(() => { const begun = performance.now(); document.querySelector("#direction").click();
document.body.offsetHeight; return performance.now() - begun })()"""
FRAMES = """new Promise(done => { const gaps = []; let last = performance.now();
const step = () => { const now = performance.now(); gaps.push(now - last); last = now; scrollBy(0, 600);
if (gaps.length < 120) requestAnimationFrame(step); else done(gaps.sort((a, b) => a - b)) };
requestAnimationFrame(step) })"""


def write_pages(photos: Path, out: Path) -> None:
    """Write inline.html and beside.html."""
    pictures = [decode(path, view_size=512).pixels for path in discover([str(photos)])[:DIFFERENT]]
    records = [record(f"shoot/{number:05}.jpg", round(number * 37 % 997 / 10, 1)) for number in range(COUNT)]
    with Thumbnails() as thumbnails:
        for number, each in enumerate(records):
            pixels = pictures[number % len(pictures)]
            tile = np.ascontiguousarray(pixels[100:228, 100:228, 1])
            thumbnails.add(replace(each, at_full_size=AtFullSize(1.0, 0.0, 0.0, (100, 100, 128, 128), tile)), pixels)
        print(f"thumbnails: {thumbnails.total_bytes / 1e6:.1f} MB")
        for name, folder in (("inline", None), ("beside", out / "beside-pictures")):
            with (out / f"{name}.html").open("w", encoding="utf-8") as stream:
                write_html(records, Run(ModelIdentity("tiny", "0123", {"view_size": 512})), thumbnails, stream, folder)


def measure(page: Page, file: Path) -> None:
    """Print the times of one page."""
    page.open("about:blank")
    begun = time.monotonic()
    page.open(file.as_uri())
    page.run(SETTLED)
    opened = time.monotonic() - begun
    turned = page.run(REVERSED)
    begun = time.monotonic()
    page.run("document.querySelector('#as-grid').click()")
    page.run(SETTLED)
    grid = time.monotonic() - begun
    gaps = page.run(FRAMES)
    frames = f"{gaps[60]:.0f} (median), {gaps[114]:.0f} (95 %), {gaps[119]:.0f} ms (longest)"
    begun = time.monotonic()
    for key in KEYS:
        page.press(key)
        page.run(SETTLED)
    keys = (time.monotonic() - begun) / len(KEYS)
    exported = page.run("report.exports.csv()").splitlines()[1:]
    assert [row.split(",")[2:] for row in exported] == [["reject", ""], ["keep", "5"]], exported
    assert page.complaints == []
    assert all(address.startswith(("file:", "data:", "blob:")) for address in page.requests), page.requests
    size = file.stat().st_size / 1e6
    print(f"{file.stem}: {size:.1f} MB, opened in {opened:.2f} s, reversed in {turned:.0f} ms, ", end="")
    print(f"grid in {grid:.2f} s, frames {frames}, {1000 * keys:.0f} ms a key")
    page.run("localStorage.clear()")


def main(photos: Path) -> None:
    """Write both pages, and measure each twice."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_pages(photos, out)
        with chromium(out / "profile") as page:
            for name in ("inline", "beside") * 2:
                measure(page, out / f"{name}.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
