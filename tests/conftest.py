"""Fixtures for all tests, and how a run is shared between processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.program import ENVIRONMENT

os.environ.clear()
os.environ.update(ENVIRONMENT)
"""Every test meets the variables of a user who has set nothing, and leaves nothing in the cache of whoever runs it.

One thread, which libraries want to know before they are imported: the tests themselves run side by side, and sums of
other threads are rounded otherwise.
"""

sys.dont_write_bytecode = False
"""Python read the variable before it was dropped; the next process need not compile the tests and PyTorch anew."""

import hypothesis  # noqa: E402
from helpers.loopback_hub import LoopbackHub, serving  # noqa: E402
from helpers.models import save_tiny_model  # noqa: E402

from shamisa_cli.core.machine import available_cpus  # noqa: E402

hypothesis.settings.register_profile("loaded machine", deadline=None)
hypothesis.settings.load_profile("loaded machine")
"""A slow moment of the machine is no fault of the program."""

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent

WORKER = "PYTEST_XDIST_WORKER"
"""Set in a process that has a share of the tests."""

LONGEST = (
    "docs/test_ci_page.py",
    "light/test_wheel.py",
    "robustness/test_kills.py",
    "cli/test_train_distributed.py",
    "robustness/test_one_photograph.py",
    "robustness/test_cases.py",
)
"""Files whose tests take a minute or more, with which processes begin: one that came last would go on alone."""

MOST_PROCESSES = 8
"""Each holds PyTorch and a few models, a gigabyte."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than processors; none but this one where files are named, since starting them takes longer.

    One more, since tests of kills and of signals mostly wait.
    """
    named = any(".py" in argument for argument in config.args)
    return 0 if named else min(available_cpus() + 1, MOST_PROCESSES)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, where processes share the tests; the tests of a file stay in one of them."""
    if WORKER in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        longest = {TESTS / name for name in LONGEST}
        items.sort(key=lambda item: (item.path not in longest, item.path not in slow))


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
    from shamisa_cli.core.relational.config import RelationalConfig

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
    """An empty Hub that listens on loopback while the module's tests run; no client waits long before it asks again."""
    sleep = time.sleep
    with serving() as state, pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))
        yield state


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: MobileNetV2 with seeded random weights, a graph and a random probe."""
    return save_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
