"""Imports of each use: reading, listing and scoring must not wait for PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys

TORCH_FREE = (
    "cli.app",
    "cli.reporters.html",
    "core.configuration",
    "core.groups",
    "core.models.catalogue",
    "core.models.hub_upload",
    "core.models.loading",
    "core.probe.card",
    "core.probe.defects",
    "core.probe.evaluation",
    "core.probe.cross_dataset",
    "core.probe.mos_table",
    "core.probe.paper_protocol",
    "core.probe.protocol",
    "core.api",
    "core.scoring.baseline",
    "core.scoring.embedding_map",
    "core.scoring.thumbnails",
    "core.scoring.gate",
    "core.scoring.gmad_figure",
    "core.scoring.heatmap",
    "core.scoring.pipeline",
    "core.fitting.protocols",
    "core.scoring.resumable",
    "core.scoring.serving",
)

IMPORT_AND_LIST = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module("shamisa_cli." + name)
print(json.dumps(list(sys.modules)))
"""


def test_modules_that_read_models_and_judge_scores_do_not_import_torch() -> None:
    command = [sys.executable, "-c", IMPORT_AND_LIST, json.dumps(TORCH_FREE)]
    loaded = set(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert {f"shamisa_cli.{name}" for name in TORCH_FREE} <= loaded
    assert not {"torch", "torchvision"} & loaded
