"""A model folder made on the spot, pictures, and the program as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from shamisa_cli.core.encoder.backbones import build_backbone
from shamisa_cli.core.encoder.encoder import Encoder
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.models.exporting import add_graph
from shamisa_cli.core.models.folder import save_model, save_probe
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import linear_scale

Shamisa = Callable[..., "subprocess.CompletedProcess[str]"]

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("SHAMISA_", "GITHUB_"))} | {
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "100",
    "SHAMISA_CACHE": "0",
}


@pytest.fixture(scope="session")
def shamisa() -> Shamisa:
    """Run `shamisa` with the arguments in a process of its own; keywords go to subprocess.run."""

    def run(*arguments: str | Path, **settings: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "shamisa_cli", *map(str, arguments)]
        defaults = {"capture_output": True, "text": True, "env": ENVIRONMENT, "timeout": 120, "check": False}
        return subprocess.run(command, **(defaults | settings))  # type: ignore[call-overload,no-any-return]

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: MobileNetV2 with seeded random weights, a graph and a random probe."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    torch.manual_seed(0)
    config = EncoderConfig("mobilenet_v2", FeatureSpec(scales=(1.0,)), Preprocessing(view_size=64))
    encoder = Encoder.create(config, build_backbone("mobilenet_v2").state_dict())
    written = save_model(folder, config, encoder.state(), name="tiny", card="# A model for tests", origin="random")
    length = encoder.feature_length
    probe = Probe(
        weights=np.random.default_rng(0).normal(0, 0.05, length),
        bias=0.5,
        feature_mean=np.zeros(length),
        feature_scale=np.ones(length),
        scale=linear_scale(1.0, 5.0),
        alpha=1.0,
        encoder_fingerprint=written.fingerprint,
    )
    save_probe(folder, probe)
    add_graph(folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with four pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (80, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2 * number)).save(folder / f"{number}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def installed_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which shamisa/bin/shamisa is the program under test."""
    folder = tmp_path_factory.mktemp("installed")
    program = folder / "shamisa" / "bin" / "shamisa"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m shamisa_cli "$@"\n')
    program.chmod(0o755)
    return folder
