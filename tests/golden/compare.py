"""Compare two results of tests/golden/make.sh: everything must be equal, byte for byte, but what a clock measured.

    python tests/golden/compare.py OLD NEW
    python tests/golden/compare.py --store OUT     # keep the hashes of what is equal on every machine
    python tests/golden/compare.py --stored OUT    # hold a result against these hashes

Exit code 1 if anything differs; each difference is a line.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

HASHES = Path(__file__).with_name("hashes.json")
PORTABLE = ("help*", "version.*", "unknown-*", "score-nowhere.*", "config-text.*", "config-json.*")
"""Cases in which no number is computed: with the same releases of what draws them, the same on every machine."""
DRAWN_BY = ("typer", "click", "rich")

NUMBER = rb"[-+0-9.e]+"
CLOCKS = (
    (rb'timestamp="[^"]*"', b"timestamp"),  # JUnit
    (rb'"made": ?"[^"]*"', b"made"),  # the HTML report
    (rb'"(crops_per_s|wait_share|seconds|sets_per_s)": ?' + NUMBER, rb"\1"),  # metrics.jsonl, a checkpoint's record
    (rb"\| Time \| [^|]* \|", b"Time"),  # a model's card
    (rb"[0-9.,]+ crops/s|[0-9]+:[0-9:]+|[0-9.,]+ (s|min|h)\b", b"clock"),  # progress on stderr
)


def blanked(name: str, content: bytes) -> bytes:
    """The content of a file without what a clock measured."""
    if name.endswith("curves.png"):
        return b"a picture of clocks, among others"
    if name.endswith(".tar"):
        return b"".join(member + blanked(member.decode(), held) for member, held in _members(content))
    if name.endswith((".safetensors", ".npz", ".parquet", ".png", ".webp", ".onnx")):
        return content
    for pattern, instead in CLOCKS:
        content = re.sub(pattern, instead, content)
    return content


def _members(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            yield member.name.encode(), b"" if file is None else file.read()


def contents(folder: Path) -> dict[str, bytes]:
    """File name → blanked content, of everything in a result."""
    return {
        path.relative_to(folder).as_posix(): blanked(path.name, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def differences(old: dict[str, bytes], new: dict[str, bytes]) -> Iterator[str]:
    """A line for each file that is missing, new or not the same."""
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name}: missing"
        elif name not in old:
            yield f"{name}: not there before"
        elif old[name] != new[name]:
            yield f"{name}: differs{_first_difference(old[name], new[name])}"


def _first_difference(old: bytes, new: bytes) -> str:
    try:
        lines = zip(old.decode().splitlines(), new.decode().splitlines(), strict=False)
    except UnicodeDecodeError:
        return f" ({len(old)} and {len(new)} bytes)"
    for number, (before, after) in enumerate(lines, 1):
        if before != after:
            return f" in line {number}\n  - {before[:300]}\n  + {after[:300]}"
    return " in length"


def releases() -> dict[str, str]:
    """The installed releases of what draws help pages and tables."""
    return {name: version(name) for name in DRAWN_BY}


def portable(folder: Path) -> dict[str, str]:
    """File name → SHA-256 of the outputs that do not depend on the machine."""
    paths = sorted(path for pattern in PORTABLE for path in folder.glob(pattern))
    return {path.name: hashlib.sha256(blanked(path.name, path.read_bytes())).hexdigest() for path in paths}


def stored_differences(folder: Path) -> Iterator[str]:
    """A line for each portable output that is not as it was stored."""
    stored, found = json.loads(HASHES.read_text(encoding="utf-8"))["files"], portable(folder)
    for name in sorted(stored.keys() | found.keys()):
        if stored.get(name) != found.get(name):
            yield f"{name}: not as stored"


def main(arguments: list[str]) -> int:
    """Do what the arguments say; the exit code."""
    match arguments:
        case ["--store", out]:
            stored = {"releases": releases(), "files": portable(Path(out))}
            HASHES.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
            return 0
        case ["--stored", out]:
            found = list(stored_differences(Path(out)))
        case [old, new]:
            found = list(differences(contents(Path(old)), contents(Path(new))))
        case _:
            print(__doc__)
            return 2
    print("\n".join(found) or "equal")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
