"""A picture that a table has under several names is never both fitted on and held out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.core.probe import penalty
from shamisa_cli.core.probe.paper_protocol import run_paper_protocol
from shamisa_cli.core.probe.protocol import run_protocol
from shamisa_cli.core.probe.same_pictures import join_groups, picture_keys, repeats, same_pictures


def twice(count, length, seed=0):
    """Features of `count` pictures, each in two rows, and random ratings that the two rows share."""
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((count, length)).astype(np.float32)
    order = generator.permutation(np.repeat(np.arange(count), 2))
    return features[order], generator.uniform(1, 5, count)[order], order


def split_groups(tables):
    """Sets of rows that a partition keeps together."""
    return {frozenset(np.flatnonzero(np.asarray(tables) == name).tolist()) for name in set(tables)}


@pytest.mark.parametrize("protocol", [run_protocol, run_paper_protocol])
def test_random_ratings_of_pictures_with_two_names_are_not_predicted(protocol):
    features, mos, order = twice(60, 300)
    rows = features if protocol is run_protocol else features[:, None]
    alone = np.unique(order, return_index=True)[1]
    result, honest = protocol(rows, mos, splits=8), protocol(rows[alone], mos[alone], splits=8)
    assert result.spread("srcc").median < 0.45
    assert abs(result.spread("srcc").median - honest.spread("srcc").median) < 0.4
    for split in result.splits:
        assert set(order[split.rows]).isdisjoint(np.delete(order, split.rows))


def test_the_penalty_is_chosen_on_pictures_that_were_not_fitted_on(monkeypatch):
    fitted = []

    def watched(features, mos, **settings):
        fitted.append({row.tobytes() for row in features})
        return penalty_path(features, mos, **settings)

    def judged(path, features, mos):
        assert {row.tobytes() for row in features}.isdisjoint(fitted[-1])
        return squared_errors(path, features, mos)

    penalty_path, squared_errors = penalty.ridge_path, penalty._squared_errors
    monkeypatch.setattr(penalty, "ridge_path", watched)
    monkeypatch.setattr(penalty, "_squared_errors", judged)
    features, mos, _ = twice(40, 30)
    run_protocol(features, mos, splits=2)
    assert len(fitted) == 2 * penalty.FOLDS


def test_pictures_with_one_name_are_split_as_they_were_with_and_without_groups():
    features = twice(30, 8)[0] + np.arange(60, dtype=np.float32)[:, None]
    groups = [f"scene {row // 4}" for row in range(60)]
    assert join_groups(same_pictures(features), None) is None
    assert list(join_groups(same_pictures(features), groups)) == groups
    inside = np.repeat(features[::4], 4, axis=0)  # each picture has the four rows of its group
    assert list(join_groups(same_pictures(inside), groups)) == groups


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_rows_stay_together_through_groups_and_pictures_and_no_others_do(rows):
    pictures = same_pictures(np.array([[picture + 1.0] for picture, _ in rows]))
    found = join_groups(pictures, [f"group {group}" for _, group in rows])
    together = [{row} for row in range(len(rows))]
    for one, other in combinations(range(len(rows)), 2):
        if rows[one][0] == rows[other][0] or rows[one][1] == rows[other][1]:
            joined = together[one] | together[other]
            for row in joined:
                together[row] = joined
    assert split_groups(found) == {frozenset(rows) for rows in together}
    assert set(found) <= {f"group {group}" for _, group in rows}


def test_differences_of_pictures_from_themselves_do_not_make_them_one_picture():
    features = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0], [1.0, 2.0]])
    assert same_pictures(features).tolist() == [0, 1, 2, 1]
    assert len(set(picture_keys(features[:, None]))) == 3


def test_a_sentence_says_how_many_rows_and_names_two(tmp_path):
    paths = [tmp_path / name for name in "abcd"]
    assert repeats(paths, np.arange(4), "each counts.") == ()
    (sentence,) = repeats(paths, np.array([0, 1, 1, 0]), "each counts.")
    assert sentence.startswith("2 of the 4 rows of the table are pictures that other rows name too, as ")
    assert f"{paths[2]} and {paths[1]}: each counts." in sentence
