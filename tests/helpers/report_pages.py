"""Pages of reports on made-up pictures, and how they are opened in a browser."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from helpers.chromium import Page
from shamisa_cli.cli.reporters.html import write_html
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ErrorRecord, ImageRecord, ModelIdentity, Run
from shamisa_cli.core.scoring.gate import Gate
from shamisa_cli.core.scoring.thumbnails import Thumbnails

HOSTILE = (
    "a/</script><script>document.title='taken'</script>.jpg",
    "a/<!--<script>.jpg",
    "a/\"'><img src=x onerror=\"document.title='taken'\">&amp;.jpg",
    "a/$policy ${style} {{data}}.jpg",
    "a/\x1b[31mred\x00\n\u2028.jpg",
    "a/\u202egpj.exe",
    "a/not-utf8-\udcff.jpg",
    "a/שלום 照片 🙂.jpg",
)


def record(path: str, score: float, **settings: object) -> ImageRecord:
    defects = dict.fromkeys(GROUPS, 0.1) | {"blur": round((100 - score) / 25, 3)}
    interval = (max(0.0, score - 5 - score / 10), min(100.0, score + 5))
    plain = {"mos": 1 + score / 25, "interval": interval, "width": 640, "height": 480, "defects": defects}
    return ImageRecord(path, score, **(plain | settings))  # type: ignore[arg-type]


def unreadable(path: str) -> ImageRecord:
    return ImageRecord(path, status="error", error=ErrorRecord("damaged", f"{path}: the file is damaged."))


def page_of(
    records: list[ImageRecord], *, gate: Gate | None = None, maps: bool = False, folder: Path | None = None
) -> str:
    judged = [record if gate is None else gate.apply(record) for record in records]
    stream = io.StringIO()
    if folder is not None:
        folder.mkdir()
    with Thumbnails() as thumbnails:
        for index, each in enumerate(judged):
            if each.score is None:
                continue
            pixels = np.full((48, 64, 3), 20 * index % 256, dtype=np.uint8)
            thumbnails.add(each, pixels)
            if maps:
                thumbnails.add_map(Path(each.path), pixels)
        run = Run(ModelIdentity("tiny", "0123", {"view_size": 512}), gated=gate is not None)
        write_html(judged, run, thumbnails, stream, folder)
    return stream.getvalue()


MANY = [record(f"shoot/{number}.jpg", round((number * 37) % 997 / 10, 1)) for number in range(300)]
SETTLED = (
    "Promise.all([...document.images].map(image => image.decode().catch(() => {})))"
    ".then(() => new Promise(done => requestAnimationFrame(() => setTimeout(done))))"
)
"""When all pictures are decoded and drawn."""


def opened(browser: Page, folder: Path, page: str, fragment: str = "", width: int = 1400) -> Page:
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    browser.open("about:blank")
    browser.open(file.as_uri() + fragment, width)
    return browser
