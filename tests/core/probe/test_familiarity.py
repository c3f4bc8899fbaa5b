"""Pictures unlike those that a probe was fitted on are told, though it has seen none of their kind."""

from __future__ import annotations

import numpy as np
import pytest

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.familiarity import Familiarity, Usual, fit_familiarity

BLOCKS, WIDTH = 6, 30


def features(count: int, seed: int = 0, lift: float = 0.0, first: int = 1) -> np.ndarray:
    """Blocks of unit norm whose strengths go together; `lift` raises every other block from `first` on."""
    rng = np.random.default_rng(seed)
    light = rng.normal(size=(count, 1, 1)) * np.linspace(0.5, 1, BLOCKS)[:, None]
    raised = lift * (np.arange(BLOCKS) % 2 == first)[:, None]
    few = 2.0 * (np.arange(WIDTH) < 4)
    values = 3 + (light + raised) * few + rng.normal(size=(count, BLOCKS, WIDTH))
    values /= np.linalg.norm(values, axis=2, keepdims=True)
    return values.reshape(count, -1).astype(np.float32)


def fitted(flagged: float = 0.02) -> tuple[Familiarity, np.ndarray, np.ndarray]:
    seen = features(4000)
    mean, scale = seen.mean(axis=0, dtype=np.float64), seen.std(axis=0, dtype=np.float64)
    found = fit_familiarity(seen, mean, scale, flagged=flagged)
    assert found is not None
    return found, mean, scale


@pytest.mark.parametrize("flagged", [0.02, 0.1])
def test_new_pictures_of_the_same_kind_are_flagged_as_seldom_as_was_asked(flagged: float) -> None:
    familiarity, mean, scale = fitted(flagged)
    new = features(4000, seed=1)
    share = np.mean([not familiarity.knows(row, mean, scale) for row in new])
    assert share == pytest.approx(flagged, abs=0.01)


def test_pictures_whose_layers_do_not_go_together_as_usual_are_flagged() -> None:
    familiarity, mean, scale = fitted()
    other = features(200, seed=2, lift=4.0)
    assert np.mean([not familiarity.knows(row, mean, scale) for row in other]) > 0.9


def in_grey(count: int, seed: int) -> np.ndarray:
    """Such pictures, of which every other block is stronger: other blocks than those of the unfamiliar ones."""
    return features(count, seed, lift=4.0, first=0)


def test_pictures_in_black_and_white_are_known_once_some_were_seen_and_others_still_are_not() -> None:
    alone, mean, scale = fitted()
    new, other = in_grey(1000, seed=3), features(200, seed=2, lift=4.0)
    assert np.mean([not alone.knows(row, mean, scale) for row in new]) > 0.5
    both = fit_familiarity(features(4000), mean, scale, grey=in_grey(1000, seed=4), flagged=0.02)
    assert both is not None
    assert np.mean([not both.knows(row, mean, scale) for row in new]) == pytest.approx(0.02, abs=0.015)
    assert np.mean([not both.knows(row, mean, scale) for row in other]) > 0.9


def test_what_is_usual_in_colour_is_not_changed_by_pictures_in_black_and_white() -> None:
    alone, mean, scale = fitted()
    both = fit_familiarity(features(4000), mean, scale, grey=in_grey(200, seed=4))
    few = fit_familiarity(features(4000), mean, scale, grey=in_grey(20, seed=4))
    for found in (both, few):
        assert found is not None
        np.testing.assert_array_equal(found.usual.mean, alone.usual.mean)
        np.testing.assert_array_equal(found.usual.whitening, alone.usual.whitening)
    assert both is not None
    assert both.grey is not None
    assert few is not None
    assert few.grey is None, "too few to tell"


def test_too_few_pictures_say_nothing_of_what_is_usual() -> None:
    seen = features(50)
    assert fit_familiarity(seen, seen.mean(axis=0, dtype=np.float64), np.ones(BLOCKS * WIDTH)) is None


def test_the_blocks_are_found_in_the_features() -> None:
    assert fitted()[0].widths.sum() == BLOCKS * WIDTH
    assert len(fitted()[0].widths) == BLOCKS


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": np.zeros(3)},
        {"whitening": np.full((2, 2), np.nan)},
        {"limit": 0.0},
        {"limit": float("inf")},
    ],
)
def test_an_impossible_check_is_refused(changes: dict[str, object]) -> None:
    parts = {"mean": np.zeros(2), "whitening": np.eye(2), "limit": 1.0}
    with pytest.raises(ModelError, match="familiarity is damaged"):
        Usual(**(parts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("widths", [[0, 2], [1], [], [1, 2, 3]])
def test_a_check_whose_blocks_do_not_fit_is_refused(widths: list[int]) -> None:
    usual = Usual(np.zeros(2), np.eye(2), 1.0)
    with pytest.raises(ModelError, match="familiarity is damaged"):
        Familiarity(np.array(widths, dtype=np.int64), usual)
    with pytest.raises(ModelError, match="familiarity is damaged"):
        Familiarity(np.array([1, 2]), usual, grey=Usual(np.zeros(1), np.eye(1), 1.0))
