"""Bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.incongruity.tendency import Estimate, estimates


def estimate(values: np.ndarray, seed: int = 0) -> Estimate:
    return estimates(values[:, None], seed)[0]


def test_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(2, 1, 400)
    found = estimate(values)
    assert found.mean == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert found.ci95[0] == pytest.approx(values.mean() - half, abs=0.02)
    assert found.ci95[1] == pytest.approx(values.mean() + half, abs=0.02)


def test_nan_is_left_out_and_nothing_is_nan() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    some, none = estimates(values)
    assert some.mean == 2.0
    assert np.isnan([none.mean, *none.ci95]).all()
    assert np.isnan(estimate(np.zeros(0)).mean)


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert estimate(values, 3) == estimate(values, 3)
    assert estimate(values, 3) != estimate(values, 4)
