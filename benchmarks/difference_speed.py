"""How long the difference of two images takes, and how much memory.

    python benchmarks/difference_speed.py [--sizes 1000x1000 4000x6000] [--runs 3]

Images are random; for time and memory they will do. Seconds of the processor are those of one thread, which is all that
is used; the peak is that of the whole program with both images.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence

import numpy as np

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.difference.difference import difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", nargs="+", default=["1000x1000", "4000x6000"], help="height x width, small ones first"
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    time_pairs(options.sizes, options.runs, difference)


def time_pairs(sizes: Sequence[str], runs: int, compare: Callable[[Pixels, Pixels], object]) -> None:
    """Print for each size ("HEIGHTxWIDTH") the shortest of so many runs of `compare`, and the memory at its peak."""
    for size in sizes:
        height, width = (int(side) for side in size.split("x"))
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        other = image ^ 3
        walls, processors = [], []
        for _ in range(runs):
            wall, processor = time.perf_counter(), time.process_time()
            compare(image, other)
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"{size:>10}: {min(walls):.2f} s, {min(processors):.2f} s of the processor; peak {peak} MiB")


if __name__ == "__main__":
    main()
