"""What each choice of pretraining is worth: short runs that differ in one thing, read by one protocol.

    python benchmarks/recipes.py --data PRISTINE --real PHOTOS --mos mos.csv --init START.safetensors -o recipes/ \
        [--steps 30] [--pictures 1200] [--rows base,seed …]

Every row trains the `quick` preset with the settings of `BASE` and one change, reads every second pixel of the scored
pictures with hidden maps of all stages, and fits a plain ridge on ten splits (no ordinal facts). SRCC is their median;
severity is Spearman(severity, score) of single operators on --sheets, photographs that nothing was fitted on. A row
that is in recipes.jsonl already is not made again. On a GPU give more --steps: the rows stay the same.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monotonicity import ROUNDING, SEVERITIES, WANTED, pixels_of
from scipy.stats import spearmanr
from untouched import untouched_photos

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec
from shamisa_cli.core.images import decode
from shamisa_cli.core.machine import keep_freed_memory
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.networks.model_folders import load_encoder
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table
from shamisa_cli.core.probe.protocol import fit_final, run_protocol
from shamisa_cli.core.probe.scale import even_scale
from shamisa_cli.core.training.ablations import ABLATIONS
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.pretraining.config import PRESETS, TrainingConfig, with_settings
from shamisa_cli.core.training.run import RunSettings, plan_run, resumed_run, train_run
from shamisa_cli.core.training.run_folder import RunFolder

VIEW = 512
READ = FeatureSpec(stages=tuple(range(19)), moments=("mean", "std"), scales=(0.5,), layer="hidden")

BASE: Mapping[str, Any] = {"retention": 50.0, "heads_first": 8, "warmup_steps": 4, "encoder_lr": 1e-4}
"""Little retention and a high rate, so that so short a run changes something; the rest is the preset's."""

ROWS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "base, another seed": {"seed": 1},
    "B7: metadata graphs only": ABLATIONS["B7"].settings,
    "B8: structure graphs only": ABLATIONS["B8"].settings,
    "B1: no prototypes": ABLATIONS["B1"].settings,
    "B2: no nearest neighbours": ABLATIONS["B2"].settings,
    "A1: weights hardened": ABLATIONS["A1"].settings,
    "A3: coefficients alone": ABLATIONS["A3"].settings,
    "prototypes compared with h as it is": {"relations": {"centred": False}},
    "severities uniform": {"batch": {"severity_law": "uniform"}},
    "B = 2, half as many steps": {"batch": {"samples": 2}, "steps": 0.5},
    "crops of 128 px, three times as many steps": {"batch": {"crop": 128}, "steps": 3},
    "one scale, six photographs": {"batch": {"scales": 1, "photos": 6}},
    "rates falling by .7 a stage, none frozen": {"stage_lr_decay": 0.7, "frozen_stages": 0},
    "no stage frozen": {"frozen_stages": 0},
    "fourteen stages frozen": {"frozen_stages": 14},
    "no retention": {"retention": 0.0},
    "retention 500": {"retention": 500.0},
    "half of the samples real photographs": {"batch": {"real_share": 0.5}},
    "encoder rate 3e-4": {"encoder_lr": 3e-4},
    "four times as long": {"steps": 4},
}
"""One change a row; `steps` is a factor."""


def configured(changes: Mapping[str, Any], steps: int, init: str) -> TrainingConfig:
    """The settings of one row."""
    length = round(steps * changes.get("steps", 1))
    rest = {name: value for name, value in changes.items() if name != "steps"}
    base = with_settings(PRESETS["quick"], {**BASE, "init": init, "steps": length})
    return with_settings(base, rest)


def trained(row: str, config: TrainingConfig, data: Path, real: Path, output: Path) -> TorchEncoder:
    """Train one row, or take what an earlier call has trained."""
    run = RunFolder(output / "".join(letter if letter.isalnum() else "-" for letter in row))
    if not run.model.is_dir():
        resume = run.record.exists()
        planned = (
            resumed_run(run, RunSettings()) if resume else plan_run(config, [data], [real], "benchmarks/recipes.py")
        )
        train_run(
            run, planned.record, planned.pristine, planned.real, resume=resume, world=World(), checkpoint_every=1000
        )
    return load_encoder(ModelFolder.open(run.model, EncoderConfig))


def reading(encoder: TorchEncoder) -> TorchEncoder:
    """The encoder, read as all rows are."""
    return TorchEncoder.create(EncoderConfig(encoder.config.architecture, READ), encoder.state())


def embedded(encoder: TorchEncoder, pictures: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([encoder.embed(picture) for picture in pictures])


def degraded(path: Path) -> dict[str, list[np.ndarray]]:
    """The photograph at each severity of each operator."""
    picture = torch.from_numpy(decode(path, view_size=VIEW).pixels.copy()).permute(2, 0, 1)[None].float() / 255
    versions: dict[str, list[np.ndarray]] = {}
    for seed, name in enumerate(OPERATORS):
        for severity in SEVERITIES:
            generator = torch.Generator().manual_seed(seed)
            worse = apply_operator(picture, name, severity, generator, angle=0.7, channel=seed % 3)
            versions.setdefault(name, []).append(pixels_of(worse))
    return versions


def severity_correlations(
    predict: Callable[[np.ndarray], np.ndarray], encoder: TorchEncoder, photos: Sequence[Path]
) -> list[float]:
    """For each operator, the median over photographs of Spearman(severity, score)."""
    found: dict[str, list[float]] = {name: [] for name in OPERATORS}
    for path in photos:
        for name, versions in degraded(path).items():
            scores = predict(embedded(encoder, versions))
            if np.ptp(scores) > 0:
                found[name].append(float(spearmanr(SEVERITIES, scores).statistic))
    return [float(np.median(values)) for values in found.values()]


def judged(
    encoder: TorchEncoder, table: MosTable, pictures: Sequence[np.ndarray], sheets: Sequence[Path]
) -> dict[str, Any]:
    """SRCC over all and by subset, medians over ten splits, and how scores follow severity."""
    features, mos = embedded(encoder, pictures), np.asarray(table.mos)
    worst, best = float(mos.min()), float(mos.max())
    scale = even_scale(mos, worst, best)
    result = run_protocol(features, mos, scale_of=lambda part: even_scale(part, worst, best), subsets=table.subsets)
    ridge = fit_final(features, scale.position(mos), result)
    falls = severity_correlations(ridge.predict, encoder, sheets)
    by_subset = {name: round(result.spread("srcc", name).median, 4) for name in result.subset_names}
    splits = [round(split.overall.srcc, 4) for split in result.splits]
    return {
        "srcc": round(result.spread("srcc").median, 4),
        **by_subset,
        "severity": round(float(np.mean(falls)), 3),
        "operators": sum(value <= WANTED + ROUNDING for value in falls),
        "splits": splits,
    }


def table_of(lines: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown; the difference is the mean over splits against the start."""
    start = next((line["splits"] for line in lines if line["row"] == "start"), None)
    subsets = [name for name in lines[0] if name.startswith("ss")]
    head = ["row", "crops", "SRCC", "against the start", *subsets, "severity", "operators at −.9"]
    text = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for line in lines:
        gap = f"{np.mean(np.subtract(line['splits'], start)):+.4f}" if start else "–"
        cells = [line["row"], line["crops"], line["srcc"], gap, *(line[name] for name in subsets)]
        text.append("| " + " | ".join(map(str, [*cells, line["severity"], line["operators"]])) + " |")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--data", "--real", "--mos"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--init", default="imagenet")
    parser.add_argument("--sheets", type=Path, default=Path("examples/photos"))
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--rows", type=lambda text: text.split("; "), default=list(ROWS), help="joined by '; '")
    options = parser.parse_args()
    keep_freed_memory()
    options.output.mkdir(parents=True, exist_ok=True)
    journal = options.output / "recipes.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    table = read_mos_table(options.mos, subset_column="subset")
    table = table.take(np.sort(np.random.default_rng(0).permutation(len(table))[: options.pictures]))
    pictures = [decode(path, view_size=VIEW).pixels for path in table.paths]
    sheets = untouched_photos(options.sheets)[:5]
    for row in ["start", *options.rows]:
        if row in (line["row"] for line in lines):
            continue
        began = time.perf_counter()
        if row == "start":
            weights = initial_state("mobilenet_v2", options.init)
            encoder, crops = TorchEncoder.create(EncoderConfig("mobilenet_v2", READ), weights), 0
        else:
            config = configured(ROWS[row], options.steps, options.init)
            encoder = reading(trained(row, config, options.data, options.real, options.output))
            crops = config.steps * config.batch.crops
        line = {"row": row, "crops": crops, **judged(encoder, table, pictures, sheets)}
        lines.append({**line, "seconds": round(time.perf_counter() - began)})
        journal.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
        print(json.dumps(lines[-1]), flush=True)
    print(table_of(lines))


if __name__ == "__main__":
    main()
