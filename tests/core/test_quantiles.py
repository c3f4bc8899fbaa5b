"""Quantiles are those of NumPy, in any order and precision of the values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shamisa_cli.core.quantiles import quantiles

SHARES = (0.0, 0.01, 0.3, 0.5, 0.998, 1.0)


@given(hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e6, 1e6)))
def test_they_are_numpys(values: np.ndarray) -> None:
    np.testing.assert_allclose(quantiles(values, SHARES), np.quantile(values, SHARES), rtol=1e-9, atol=1e-9)


def test_a_plane_counts_all_of_its_values() -> None:
    plane = np.random.default_rng(0).random((30, 40)).astype(np.float32)
    np.testing.assert_allclose(quantiles(plane, SHARES), np.quantile(plane, SHARES), rtol=1e-5)
