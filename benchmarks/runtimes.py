"""How far ONNX Runtime is from eager PyTorch: scores of photographs, and their maps.

python benchmarks/runtimes.py FOLDER [--model NAME] [--count 500] [--maps 30]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import shamisa_cli as shamisa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--maps", type=int, default=30)
    asked = parser.parse_args()
    names = [asked.model] if asked.model else []
    light, heavy = (shamisa.load_model(*names, runtime=runtime, device="cpu") for runtime in ("onnx", "torch"))
    files = shamisa.discover([asked.folder])
    files = files[:: max(1, len(files) // asked.count)][: asked.count]
    scores = [
        np.array([record.score for record in shamisa.score_files(model, files) if record.score is not None])
        for model in (light, heavy)
    ]
    worst = np.abs(scores[0] - scores[1]).max()
    print(f"{len(scores[0])} photographs: largest difference of a score {worst:.5f} points of 100")
    shares = []
    for file in files[: asked.maps]:
        maps = [shamisa.score_map(file, model).local for model in (light, heavy)]
        shares.append(np.abs(maps[0] - maps[1]).max() / np.ptp(maps[1]))
    print(f"{len(shares)} maps: largest difference {100 * max(shares):.4f} % of a map's range")


if __name__ == "__main__":
    main()
