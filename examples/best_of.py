"""Find the best pictures of a folder with the library, and say which could not be read.

python examples/best_of.py FOLDER [--count 5]
"""

from __future__ import annotations

import argparse

import shamisa_cli as shamisa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=5)
    options = parser.parse_args()

    records = shamisa.score(options.folder, model=shamisa.load_model())
    scored = [record for record in records if record.score is not None]
    for record in sorted(scored, key=lambda record: -record.score)[: options.count]:
        print(f"{record.score:5.1f}  {record.path}")
    for record in records:
        if record.error is not None:
            print(f"  --   {record.path}: {record.error.message}")


if __name__ == "__main__":
    main()
