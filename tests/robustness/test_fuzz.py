"""A few hundred mutated pictures, and all that once went wrong: each a picture, or one sentence that names the file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fuzz import VIEWS, failure
from mutations import mutant, seeds

KEPT = [int(line) for line in (Path(__file__).parent / "kept.txt").read_text().splitlines() if not line.startswith("#")]
SOURCES = seeds()


@pytest.mark.parametrize("view_size", VIEWS)
def test_the_seeds_themselves_are_read(view_size):
    assert {failure(data, view_size)[0] for _, data in SOURCES} <= {"read", "warned"}


def test_mutated_pictures_are_read_or_refused_by_name():
    for number in [*range(400), *KEPT]:
        outcome, wrong = failure(mutant(number, SOURCES), VIEWS[number % len(VIEWS)])
        assert not wrong, f"mutant {number} ({outcome}) {wrong}"


def test_a_mutant_is_the_same_each_time():
    assert [mutant(number, SOURCES) for number in range(30)] == [mutant(number, seeds()) for number in range(30)]
