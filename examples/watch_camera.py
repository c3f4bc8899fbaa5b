"""Watch the folder a camera writes into, and say when its pictures get worse.

    python examples/watch_camera.py FOLDER [--drop 10] [--recent 5] [--usual 50] [--every 1]

Prints a JSON line for every new picture. "alarm" is true while the median of the last --recent scores is more than
--drop points under the median of the --usual scores before them: a dirty lens, a lost focus, a changed encoder. The
model is loaded once. A file is read when it has stopped growing. Ends with Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import shamisa_cli as shamisa


def new_pictures(folder: Path, old: set[Path], every: float) -> Iterator[Path]:
    """Pictures in the folder that are not among the old ones, each once, when it has kept its size for one look."""
    done = set(old)
    sizes: dict[Path, int] = {}
    while True:
        there = {path for path in folder.iterdir() if path.suffix.lower() in shamisa.IMAGE_SUFFIXES} - done
        for path in sorted(there):
            try:
                size = path.stat().st_size if path.is_file() else 0
            except OSError:  # renamed or removed meanwhile
                continue
            if size and sizes.get(path) == size:
                done.add(path)
                yield path
            sizes[path] = size
        time.sleep(every)


def positive(text: str) -> float:
    if not 0 < float(text) < 1e9:
        raise ValueError(text)
    return float(text)


def whole(text: str) -> int:
    return int(positive(str(int(text))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--drop", type=positive, default=10.0, help="points that are a reason for alarm (default 10)")
    parser.add_argument("--recent", type=whole, default=5, help="pictures that are looked at together (default 5)")
    parser.add_argument(
        "--usual", type=whole, default=50, help="pictures before them that they are held to (default 50)"
    )
    parser.add_argument("--every", type=positive, default=1.0, help="seconds between two looks (default 1)")
    options = parser.parse_args()

    model = shamisa.load_model()
    scores: deque[float] = deque(maxlen=options.recent + options.usual)
    try:
        old = set(options.folder.iterdir())
    except OSError as error:
        parser.error(f"{options.folder}: {error.strerror}")
    print(json.dumps({"watching": str(options.folder)}), flush=True)
    for path in new_pictures(options.folder, old, options.every):
        try:
            record = shamisa.score(path, model=model, jobs=1)[0]
        except shamisa.InputNotFoundError:  # removed again
            continue
        line = {"path": record.path, "score": record.score, "alarm": False}
        if record.error is not None:
            line["error"] = record.error.message
        else:
            scores.append(record.score)
            usual, recent = list(scores)[: -options.recent], list(scores)[-options.recent :]
            line["alarm"] = bool(usual) and median(recent) < median(usual) - options.drop
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            main()
        except FileNotFoundError as error:  # the folder itself is gone
            sys.exit(f"{error.filename}: {error.strerror}")
