"""Scores of tensors: those of the files they come from, whatever surrounds the scorer."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from shamisa_cli import TensorScorer, load_model, score
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.loading import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def scorer(model: Model) -> TensorScorer:
    return TensorScorer(model)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], torch.Tensor]:
    """Three pictures as files, and as a batch in 0…1."""
    folder = tmp_path_factory.mktemp("pictures")
    files, arrays = [], []
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1 + number))
        files.append(folder / f"{number}.png")
        picture.save(files[-1])
        arrays.append(np.asarray(picture))
    return files, torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 255


def test_a_tensor_scores_as_its_file_does(scorer: TensorScorer, model: Model, pictures) -> None:  # type: ignore[no-untyped-def]
    files, batch = pictures
    expected = [record.score for record in score(files, model=model)]
    assert scorer(batch).tolist() == pytest.approx(expected, abs=0.01)
    assert scorer(batch[1]).item() == pytest.approx(expected[1], abs=0.01)
    assert scorer(batch[1]).shape == ()


def test_a_large_picture_is_judged_at_the_view_size(model: Model, example_photos: Path, tmp_path: Path) -> None:
    with Image.open(example_photos / "coffee.jpg") as photo:
        large = photo.convert("RGB").resize((900, 700))
    large.save(tmp_path / "large.png")
    [record] = score(tmp_path / "large.png", model=model)
    tensor = torch.from_numpy(np.array(large)).permute(2, 0, 1) / 255
    assert TensorScorer(model)(tensor).item() == pytest.approx(record.score, abs=0.5)
    [native] = score(tmp_path / "large.png", model=model, view_size=None)
    assert TensorScorer(model, view_size=None)(tensor).item() == pytest.approx(native.score, abs=0.01)


def test_gradients_reach_the_picture_and_not_the_model(scorer: TensorScorer, pictures) -> None:  # type: ignore[no-untyped-def]
    batch = pictures[1].clone().requires_grad_()
    scorer(batch).sum().backward()
    assert batch.grad is not None
    assert batch.grad.abs().sum() > 0
    assert not list(scorer.parameters())


def test_following_the_gradient_raises_the_score(scorer: TensorScorer, pictures) -> None:  # type: ignore[no-untyped-def]
    picture = pictures[1][:1].clone().requires_grad_()
    before = scorer(picture)
    before.sum().backward()
    after = scorer((picture + 1e-4 * picture.grad.sign()).clamp(0, 1).detach())
    assert after.item() > before.item()


def test_training_half_precision_and_autocast_around_it_change_no_score(scorer: TensorScorer, pictures) -> None:  # type: ignore[no-untyped-def]
    batch = pictures[1]
    expected = scorer(batch)
    around = torch.nn.Sequential(scorer).train().half()
    assert torch.equal(around(batch), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(scorer(batch), expected)


class _Network(torch.nn.Module):
    """A user's network, with the scorer in its loss."""

    def __init__(self, scorer: TensorScorer) -> None:
        super().__init__()
        self.scorer, self.layer = scorer, torch.nn.Conv2d(3, 3, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.scorer(self.layer(images).sigmoid())
        return scores


def _trained(network: _Network) -> None:
    network.requires_grad_(True)
    optimiser = torch.optim.AdamW(network.parameters(), 0.1, weight_decay=0.5)
    (-network(torch.rand(2, 3, 48, 48))).sum().backward()
    optimiser.step()


def _initialised(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d):
        module.reset_parameters()


def _initialised_one_by_one(network: _Network) -> None:
    for module in network.modules():
        _initialised(module)


def _loaded(network: _Network) -> None:
    network.load_state_dict(_Network(TensorScorer("shamisa-lite0")).state_dict())


def _averaged(network: _Network) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    averaged.update_parameters(network)


CHANGES = {
    "trained": _trained,
    "initialised": lambda network: network.apply(_initialised),
    "initialised one by one": _initialised_one_by_one,
    "loaded from a checkpoint with another scorer": _loaded,
    "averaged": _averaged,
    "converted for several processes": torch.nn.SyncBatchNorm.convert_sync_batchnorm,
    "cast": lambda network: network.to(torch.bfloat16),
    "in training mode": lambda network: network.train(),
    "emptied": lambda network: network.to_empty(device="cpu"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_done_to_a_network_that_contains_it_its_scores_stay(model: Model, pictures, change: str) -> None:  # type: ignore[no-untyped-def]
    network = _Network(TensorScorer(model))
    expected = network.scorer(pictures[1])
    CHANGES[change](network)
    assert torch.equal(network.scorer(pictures[1]), expected)


def test_copies_and_pickles_of_it_give_its_scores(scorer: TensorScorer, pictures) -> None:  # type: ignore[no-untyped-def]
    expected = scorer(pictures[1])
    for again in (copy.deepcopy(scorer), pickle.loads(pickle.dumps(scorer))):
        assert torch.equal(again(pictures[1]), expected)


def test_a_checkpoint_of_a_network_that_contains_it_holds_nothing_of_it(scorer: TensorScorer) -> None:
    assert sorted(_Network(scorer).state_dict()) == ["layer.bias", "layer.weight"]


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "Divide by 255"),
        (torch.full((1, 3, 64, 64), 255.0), "run from 255 to 255"),
        (torch.full((1, 3, 64, 64), float("nan")), "run from nan"),
        (torch.zeros(1, 4, 64, 64), r"this one is \(1, 4, 64, 64\)"),
        (torch.zeros(0, 3, 64, 64), r"this one is \(0, 3, 64, 64\)"),
        (torch.zeros(64, 64), r"this one is \(64, 64\)"),
        (np.zeros((1, 3, 64, 64), np.float32), "this is a ndarray"),
        (None, "this is a NoneType"),
        (torch.zeros(1, 3, 64, 64).to_sparse(), "torch.sparse_coo"),
    ],
)
def test_what_is_no_picture_is_refused(scorer: TensorScorer, images: Any, sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        scorer(images)
