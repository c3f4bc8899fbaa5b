"""Decode mutated files and report each that raises something else than ImageError, takes long, or gives odd pixels.

python tests/robustness/fuzz.py --count 20000            # by hand; add --first N to go on
Each failure is named by the number of its mutant, which makes the file again, and is kept in tests/robustness/kept.txt
once it is mended.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from mutations import mutant, seeds

from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images import decode

MAX_SECONDS = 5.0
"""Of processor time for one small file."""
MAX_PIXELS = 4_000_000
VIEWS = (None, 32)


def failure(data: bytes, view_size: int | None) -> tuple[str, str]:
    """How decoding went in a word, and what is wrong with it; empty where nothing is."""
    begun = time.thread_time()
    try:
        picture = decode("mutant", content=data, view_size=view_size, max_pixels=MAX_PIXELS)
    except ImageError as error:
        outcome, wrong = error.kind, "" if str(error).startswith("mutant") else f"does not name the file: {error}"
    except BaseException as error:
        outcome, wrong = "raised", f"raised {type(error).__name__}: {error}"
    else:
        outcome = "warned" if picture.warnings else "read"
        fits = picture.pixels.dtype == np.uint8 and picture.pixels.ndim == 3 and picture.pixels.shape[2] == 3
        wrong = "" if fits else f"gave pixels {picture.pixels.shape}"
    taken = time.thread_time() - begun
    return outcome, wrong or (f"took {taken:.1f} s" if taken > MAX_SECONDS else "")


def main() -> int:
    """Decode the mutants and print a line per failure and a summary; 1 if there was any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="number of files")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    chosen = parser.parse_args()
    sources, outcomes, failures = seeds(), Counter(), 0
    begun = time.monotonic()
    for number in range(chosen.first, chosen.first + chosen.count):
        outcome, wrong = failure(mutant(number, sources), VIEWS[number % len(VIEWS)])
        outcomes[outcome] += 1
        if wrong:
            failures += 1
            print(f"mutant {number} {wrong}", flush=True)
        if time.monotonic() - begun > chosen.seconds:
            break
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    print(f"{sum(outcomes.values())} files: {counts}; {failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
