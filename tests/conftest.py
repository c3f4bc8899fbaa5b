"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_hub import LoopbackHub, serving

os.environ["SHAMISA_CACHE"] = "0"
"""No test finds, or leaves, anything in the cache of whoever runs it; those of the cache have one of their own."""

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

    from shamisa_cli.core.models.relational_files import save_relational
    from shamisa_cli.core.relational.network import RelationalModel
    from shamisa_cli.core.relational.shape import RelationalConfig

    folder = tmp_path_factory.mktemp("relational") / "pairs"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = RelationalModel(RelationalConfig())
        for parameter in model.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
    save_relational(folder, model.config, model.state_dict(), name="pairs", card="# For tests\n", origin="random")
    return folder


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    """An empty Hub that listens on loopback while the module's tests run."""
    with serving() as state:
        yield state
