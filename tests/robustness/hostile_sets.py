"""Decode every file of folders of hostile pictures, and report crashes, other errors than ImageError, time and memory.

python tests/robustness/hostile_sets.py FOLDER... [--seconds 30] [--megabytes 1000]

Meant for public sets such as github.com/imazen/codec-corpus (zune's fuzz corpus, pngsuite, image-rs and others), which
are fetched by hand and never committed. A worker decodes one file after the other; one that crashes or is too slow is
replaced. Exit code 1 if anything was reported.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

VIEW_SIZE = 512
MAX_PIXELS = 300_000_000
MEGABYTE = 1_000_000


def decoded(path: str) -> dict[str, object]:
    """How decoding one file went: a word, what is wrong in the outcome, processor seconds and peak memory in bytes."""
    from shamisa_cli.core.errors import ImageError
    from shamisa_cli.core.images import decode

    before = _reset_peak()
    begun = time.process_time()
    wrong = ""
    try:
        picture = decode(Path(path), view_size=VIEW_SIZE, max_pixels=MAX_PIXELS, look=True)
        outcome = "warned" if picture.warnings else "read"
    except ImageError as error:
        outcome = error.kind
        wrong = "" if str(error).startswith(path) else f"does not name the file: {error}"
    except BaseException as error:
        outcome, wrong = "raised", f"raised {type(error).__name__}: {error}"
    return {
        "outcome": outcome, "wrong": wrong, "seconds": time.process_time() - begun, "bytes": _peak() - before,
    }  # fmt: skip


def work() -> None:
    """Decode the files named on stdin, one after the other, and answer a line of JSON for each."""
    for line in sys.stdin:
        print(json.dumps(decoded(json.loads(line))), flush=True)


def results(paths: list[str], seconds: float) -> Iterator[tuple[str, dict[str, object]]]:
    """Each file with the worker's answer, or with what became of the worker."""
    worker: subprocess.Popen[str] | None = None
    for path in paths:
        worker = worker or subprocess.Popen(
            [sys.executable, __file__, "--work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(path) + "\n")
        worker.stdin.flush()
        with selectors.DefaultSelector() as ready:
            ready.register(worker.stdout, selectors.EVENT_READ)
            line = worker.stdout.readline() if ready.select(timeout=seconds) else None
        if line:
            yield path, json.loads(line)
            continue
        worker.kill()
        code = worker.wait()
        what = f"took more than {seconds:.0f} s" if line is None else f"ended the process ({code})"
        yield path, {"outcome": "crashed", "wrong": what, "seconds": 0.0, "bytes": 0}
        worker = None
    if worker is not None and worker.stdin is not None:
        worker.stdin.close()
        worker.wait()


def main() -> int:
    """Report what is wrong, a line per file, and a summary; 1 if anything was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0, help="longest time for one file")
    parser.add_argument("--megabytes", type=float, default=1000.0, help="most memory for one file")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work()
        return 0
    files = sorted(str(path) for folder in chosen.folders for path in folder.rglob("*") if path.is_file())
    outcomes: Counter[str] = Counter()
    reported = 0
    slowest, largest = (0.0, ""), (0.0, "")
    for path, found in results(files, chosen.seconds):
        outcomes[str(found["outcome"])] += 1
        seconds, size = float(str(found["seconds"])), float(str(found["bytes"])) / MEGABYTE
        slowest, largest = max(slowest, (seconds, path)), max(largest, (size, path))
        wrong = str(found["wrong"]) or (f"took {size:,.0f} MB" if size > chosen.megabytes else "")
        if wrong:
            reported += 1
            print(f"{path}: {wrong}", flush=True)
    print(f"{len(files)} files: {', '.join(f'{count} {outcome}' for outcome, count in outcomes.most_common())}")
    print(
        f"slowest {slowest[0]:.1f} s ({slowest[1]}), largest {largest[0]:,.0f} MB ({largest[1]}); {reported} reported"
    )
    return int(reported > 0)


def _reset_peak() -> int:
    """Begin to measure peak memory anew (Linux), and give what is in use."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines() if os.path.exists("/proc/self/status") else []  # noqa: PTH110
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    sys.exit(main())
