"""Makes the pictures of docs/analyses.md from real output, in some minutes.

    python docs/images/analyses.py [--run RUN]

benchmarks/degraded_versions.py degrades the example photographs with every operator of the engine at five severities.
`gmad.jpg` is what `shamisa evaluate --gmad` draws of these for the two bundled models; `embedding-map.png` is the page
that `shamisa embed --plot` makes of them, twice, as headless Chromium shows it. With --run, `dynamics.png` is the
benchmark.png of that training run.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from shamisa_cli.core.models.resolver import DEFAULT_MODEL, FAST_MODEL

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WINDOW = (1180, 800)
MAP_WIDTH, GMAD_WIDTH = 1500, 1200
COLUMNS = ("group", "severity")


def python(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], cwd=REPOSITORY, check=True)


def originals() -> list[Path]:
    """The example photographs without those that come degraded."""
    photos = sorted((REPOSITORY / "examples" / "photos").glob("*.jpg"))
    return [photo for photo in photos if "_" not in photo.stem.removeprefix("deep_")]


def gmad(versions: Path, folder: Path) -> Image.Image:
    """The pairs by which the two bundled models are most unlike."""
    models = ("--model", DEFAULT_MODEL, "--gmad", FAST_MODEL)
    python("-m", "shamisa_cli", "evaluate", versions, *models, "--gmad-figure", folder / "gmad.png")
    with Image.open(folder / "gmad.png") as drawn:
        return drawn.convert("RGB").resize(
            (GMAD_WIDTH, round(drawn.height * GMAD_WIDTH / drawn.width)), Image.Resampling.LANCZOS
        )


def embedding_map(versions: Path, folder: Path, column: str) -> Image.Image:
    """The page of the versions, coloured by a column of their table."""
    page, shot = folder / "map.html", folder / "map.png"
    drawing = ("--plot", page, "--table", versions / "versions.csv", "--color-by", column, "--center-by", "photo")
    python("-m", "shamisa_cli", "embed", versions, "-o", folder / "features.parquet", *drawing)
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    window = ("--hide-scrollbars", f"--window-size={WINDOW[0]},{WINDOW[1]}", f"--screenshot={shot}")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}")
    subprocess.run([browser, *flags, *window, page.as_uri()], check=True, capture_output=True)
    with Image.open(shot) as drawn:
        return drawn.convert("RGB")


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Pictures of one size in a row."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width * len(pictures), height))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index * width, 0))
    return sheet.resize((MAP_WIDTH, round(height * MAP_WIDTH / sheet.width)), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    options = parser.parse_args()
    if options.run is not None:
        shutil.copy(options.run / "benchmark.png", HERE / "dynamics.png")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        versions = folder / "versions"
        python("benchmarks/degraded_versions.py", *originals(), "-o", versions, "--long-side", "384")
        gmad(versions, folder).save(HERE / "gmad.jpg", quality=80)
        maps = beside([embedding_map(versions, folder, column) for column in COLUMNS])
        maps.save(HERE / "embedding-map.png", optimize=True)


if __name__ == "__main__":
    main()
