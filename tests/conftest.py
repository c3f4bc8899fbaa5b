"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.loopback_hub import LoopbackHub, serving
from helpers.models import save_tiny_model
from helpers.program import ENVIRONMENT

os.environ.clear()
os.environ.update(ENVIRONMENT)
"""Every test meets the variables of a user who has set nothing, and leaves nothing in the cache of whoever runs it.

One thread, since the tests themselves run in parallel, and since sums of other threads are rounded otherwise.
"""

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def example_photos() -> Path:
    """The folder of example photographs that comes with the project."""
    return REPOSITORY / "examples" / "photos"


@pytest.fixture(scope="session")
def development_data() -> Path:
    """Data sets that lie beside a developer's checkout; a newcomer has none, and the test is skipped."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def relational_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A relational model with random weights everywhere, whose scores are neither 0 nor at the ends."""
    import torch

    from shamisa_cli.core.networks.model_folders import save_networks
    from shamisa_cli.core.networks.scoring_network import RelationalModel
    from shamisa_cli.core.relational.shape import RelationalConfig

    folder = tmp_path_factory.mktemp("relational") / "pairs"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = RelationalModel(RelationalConfig())
        for parameter in model.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
    save_networks(folder, model.config, model.state_dict(), name="pairs", card="# For tests\n", origin="random")
    return folder


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    """An empty Hub that listens on loopback while the module's tests run."""
    with serving() as state:
        yield state


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: MobileNetV2 with seeded random weights, a graph and a random probe."""
    return save_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
