"""Makes the pictures of README from real output.

    python docs/images/make.py

`score.svg` is what `shamisa score examples/photos` prints on a terminal; `contact-sheet.jpg` is the top of what
`shamisa train --data examples/photos --preview FILE` writes, and `relational-sheet.jpg` the same with
`--task relational`; `map.jpg` is what `shamisa score --maps DIR` draws of an example whose right half was blurred, and
`compare.jpg` what `shamisa compare --maps DIR` draws of it against its original.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageFilter
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
COLUMNS = 124
SHEET_ROWS = 5
ROW_HEIGHT, HEADER_HEIGHT = 166, 44
PAIR_ROWS = 6
PAIR_HEIGHT, PAIR_HEADER_HEIGHT = 184, 74


def shamisa(*arguments: str, columns: int = COLUMNS) -> str:
    """What the command prints on a colour terminal of so many columns; a failed gate is no error."""
    terminal = os.environ | {
        "FORCE_COLOR": "1",
        "COLORTERM": "truecolor",
        "TERM": "xterm-256color",
        "COLUMNS": str(columns),
    }
    command = [sys.executable, "-m", "shamisa_cli", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, env=terminal, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return done.stdout


def terminal_picture(*commands: str, columns: int = COLUMNS) -> str:
    """Commands and what they print, as an SVG."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True, color_system="truecolor")
        for command in commands:
            console.print(Text(f"$ shamisa {command}", style="bold"))
            console.print(Text.from_ansi(shamisa(*command.split(), columns=columns)))
        svg = console.export_svg(title="shamisa")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no fonts from elsewhere


def sheet_top(task: str, height: int) -> Image.Image:
    """The first so many pixels of a task's contact sheet, at two thirds of its size."""
    originals = [f"examples/photos/{name}.jpg" for name in ("coffee", "astronaut", "rocket", "temple")]
    with tempfile.TemporaryDirectory() as folder:
        sheet = Path(folder) / "sheet.png"
        data = [argument for path in originals for argument in ("--data", path)]
        shamisa("train", "--task", task, *data, "--preview", str(sheet))
        with Image.open(sheet) as whole:
            top = whole.crop((0, 0, whole.width, height))
    return top.resize((top.width * 2 // 3, top.height * 2 // 3), Image.Resampling.LANCZOS)


def half_blurred(file: Path) -> None:
    """The astronaut, sharp on the left and blurred on the right."""
    with Image.open(REPOSITORY / "examples" / "photos" / "astronaut.jpg") as photo:
        right = (photo.width // 2, 0, photo.width, photo.height)
        blurred = photo.filter(ImageFilter.GaussianBlur(3.5)).crop(right)
        photo.paste(blurred, right)
        photo.save(file)


def comparison() -> Image.Image:
    """What `shamisa compare --maps` draws of that photograph and its original."""
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / "right half blurred.png"
        half_blurred(changed)
        shamisa("compare", "examples/photos/astronaut.jpg", str(changed), "--maps", f"{folder}/maps")
        with Image.open(Path(folder) / "maps" / changed.name / "figure.png") as drawn:
            return drawn.convert("RGB")


def map_of_half_blurred() -> Image.Image:
    """What is drawn of the score of that photograph."""
    with tempfile.TemporaryDirectory() as folder:
        half_blurred(Path(folder) / "right half blurred.png")
        shamisa("score", folder, "--maps", f"{folder}/maps")
        with Image.open(Path(folder) / "maps" / "right half blurred.png.png") as drawn:
            return drawn.convert("RGB")


if __name__ == "__main__":
    (HERE / "score.svg").write_text(terminal_picture("score examples/photos"), encoding="utf-8")
    map_of_half_blurred().save(HERE / "map.jpg", quality=82)
    comparison().save(HERE / "compare.jpg", quality=82)
    sheet_top("shamisa", HEADER_HEIGHT + SHEET_ROWS * ROW_HEIGHT).save(HERE / "contact-sheet.jpg", quality=88)
    sheet_top("relational", PAIR_HEADER_HEIGHT + PAIR_ROWS * PAIR_HEIGHT).save(
        HERE / "relational-sheet.jpg", quality=82
    )
