"""How long comparing two images takes, without and with maps, and how much memory.

    python benchmarks/compare_speed.py [--sizes 1000x1000 4000x6000] [--runs 2] [--model FOLDER] [--maps]

Images are in memory, a random one and a changed copy of it. Prints the wall's and the processor's seconds of one
comparison (the quickest of the runs; the first loads the networks) and the peak of the whole program with both images.
"""

from __future__ import annotations

import argparse
from functools import partial

from difference_speed import time_pairs

from shamisa_cli.core.machine import available_cpus
from shamisa_cli.core.models.loading import load_relational_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", nargs="+", default=["1000x1000", "4000x6000"], help="height x width, small ones first"
    )
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="whose direction is asked")
    parser.add_argument("--maps", action="store_true")
    options = parser.parse_args()
    comparer = load_relational_model(scorer=options.model)
    print(f"{available_cpus()} processors; {'with' if options.maps else 'without'} maps")
    time_pairs(options.sizes, options.runs, partial(comparer.relate, maps=options.maps))


if __name__ == "__main__":
    main()
