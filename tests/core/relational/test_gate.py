"""What a gate of comparisons says of the candidates that fail: the right reason."""

from __future__ import annotations

import pytest

from shamisa_cli.core.records import ErrorRecord
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.records import Candidate

GOOD = Candidate("good.jpg", "original.png", score=-2.0, difference=4.0)
WORSE = Candidate("worse.jpg", "original.png", score=-30.0, difference=32.0)
TURNED = Candidate("turned.jpg", "original.png", score=0.0, difference=60.0, same_framing=False)
BROKEN = Candidate("broken.jpg", "original.png", status="error", error=ErrorRecord("damaged", "It is damaged."))


@pytest.mark.parametrize(
    ("gate", "candidates", "said"),
    [
        (ComparisonGate(-5), [GOOD, WORSE], "1 of 2 below the minimum of -5"),
        (ComparisonGate(-5), [GOOD, TURNED], "1 of 2 that cannot be aligned"),
        (ComparisonGate(-5), [WORSE, TURNED, BROKEN], "1 of 3 below the minimum of -5, 1 that cannot be aligned"),
        (ComparisonGate(None, 20), [GOOD, TURNED], "1 of 2 above the largest difference of 20"),
        (ComparisonGate(-5, 20), [WORSE], "1 of 1 below the minimum of -5, 1 above the largest difference of 20"),
        (ComparisonGate(-5, 20), [GOOD], "0 of 1 below the minimum of -5 or above the largest difference of 20"),
    ],
)
def test_the_closing_line_names_the_conditions_that_were_not_met(
    gate: ComparisonGate, candidates: list[Candidate], said: str
) -> None:
    assert gate.describe(gate.failures(candidates), len(candidates)) == said
