"""The published ablations: their names, that each is one change, and what the change does to a batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.graphs.relation_graph import METADATA
from shamisa_cli.core.overrides import differences
from shamisa_cli.core.training.ablations import ABLATIONS, ablation
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.pretraining.batches import BatchSettings, BatchStream
from shamisa_cli.core.training.pretraining.config import PRESETS, TrainingConfig
from shamisa_cli.core.training.pretraining.learner import Learner
from shamisa_cli.core.training.pretraining.step import NUMBERS, PretrainingStep
from shamisa_cli.core.training.settings import preset as task_preset
from shamisa_cli.core.training.settings import with_ablation, with_settings

PUBLISHED = (
    *("A0", "A1", "A2", "A3", "A4"),
    *("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8"),
    *("C1", "D1a", "D1b", "D2", "D3", "D4", "E1", "F1"),
)

METADATA_NAMES = tuple(METADATA)
STRUCTURE_NAMES = ("nearest_neighbours", "prototypes")

CHANGED = {
    "A0": {},
    "A1": {"relations.hardened": True},
    "A2": {"objective.sparsity": 0.0},
    "A3": {"relations.weighting": "none"},
    "A4": {"relations.weighting": "trained"},
    "B1": {"relations.branches": (*METADATA_NAMES, "nearest_neighbours")},
    "B2": {"relations.branches": (*METADATA_NAMES, "prototypes")},
    "B3": {"relations.branches": ("same_degradation", "reference_reference", "within_family", *STRUCTURE_NAMES)},
    "B4": {"relations.branches": ("same_degradation", "reference_distorted", "reference_reference", *STRUCTURE_NAMES)},
    "B5": {"relations.branches": ("same_degradation", "reference_distorted", "within_family", *STRUCTURE_NAMES)},
    "B6": {"relations.branches": ("nearest_neighbours",)},
    "B7": {"relations.branches": METADATA_NAMES},
    "B8": {"relations.branches": STRUCTURE_NAMES},
    "C1": {"relations.prototype_reach": "row"},
    "D1a": {"batch.most_operators": 1},
    "D1b": {},  # the method has up to seven already
    "D2": {"batch.severity_law": "discrete"},
    "D3": {"batch.severity_law": "uniform"},
    "D4": {"batch.fixed_order": True},
    "E1": {"relations.alignment": 0.0},
    "F1": {"relations.decay": "reciprocal"},
}


def test_the_cases_have_their_published_names_and_no_others() -> None:
    assert tuple(ABLATIONS) == PUBLISHED == tuple(CHANGED)
    assert len(PUBLISHED) == 21


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_case_is_one_change_against_the_whole_method(name: str) -> None:
    whole = PRESETS["paper"]
    changes = differences(whole, with_ablation(whole, name))

    assert {field: after for field, (_, after) in changes.items()} == CHANGED[name]


@pytest.mark.parametrize("letter", "ABCDEF")
def test_a_letter_of_before_is_told_its_published_name(letter: str) -> None:
    with pytest.raises(SettingError, match="now called by its published name"):
        ablation(letter)


def test_an_unknown_case_is_told_all_there_are() -> None:
    with pytest.raises(SettingError, match=r"A0, A1, .* F1"):
        ablation("Z9")


def test_the_relational_task_has_no_ablations_and_no_backbones() -> None:
    relational = task_preset("relational", "quick")
    with pytest.raises(SettingError, match="relational has none"):
        with_ablation(relational, "B3")
    with pytest.raises(SettingError, match="relational has networks of its own"):
        with_settings(relational, {"architecture": "resnet18"})


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return sorted((Path(__file__).parents[3] / "examples" / "photos").glob("*.jpg"))[:6]


@pytest.fixture(scope="module")
def whole() -> TrainingConfig:
    return TrainingConfig(
        architecture="resnet18",
        init="none",
        steps=2,
        batch=BatchSettings(samples=2, photos=2, scales=1, compositions=3, levels=3, crop=32),
        projector_hidden=32,
        projector_out=16,
        calibrate_projector=True,
        representation_stages=(2,),
    )


def first_numbers(config: TrainingConfig, photos: list[Path], steps: int = 1) -> list[dict[str, float]]:
    stream = BatchStream(photos, [], config.batch, seed=3, steps=steps)
    work = PretrainingStep(Learner(config, None), config, World())
    found = []
    for batch in stream:
        found.append(dict(zip(NUMBERS, work.gradients(batch, batch.step).tolist(), strict=True)))
        work.descend(batch.step)
    return found


@pytest.fixture(scope="module")
def whole_numbers(whole: TrainingConfig, photos: list[Path]) -> dict[str, float]:
    return first_numbers(whole, photos)[0]


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_case_trains_and_changes_what_it_says(
    name: str, whole: TrainingConfig, photos: list[Path], whole_numbers: dict[str, float]
) -> None:
    config = with_ablation(whole, name)
    assert isinstance(config, TrainingConfig)

    first, second = first_numbers(config, photos, steps=2)

    assert all(torch.isfinite(torch.tensor(list(numbers.values()))).all() for numbers in (first, second))
    if name in ("A0", "D1b"):
        assert first == whole_numbers
    elif name == "A4":
        assert first["total"] == whole_numbers["total"]
        assert first["grad_norm"] != whole_numbers["grad_norm"]
    else:
        assert first["total"] != whole_numbers["total"]
    if name in ("B1", "B6", "B7", "E1"):
        assert first["alignment"] == 0


def test_every_case_starts_from_the_same_weights(whole: TrainingConfig) -> None:
    """So that a difference is that of the case."""
    start = Learner(whole, None).backbone.state_dict()["conv1.weight"]

    for name in PUBLISHED:
        config = with_ablation(replace(whole, seed=0), name)
        assert torch.equal(Learner(config, None).backbone.state_dict()["conv1.weight"], start)
