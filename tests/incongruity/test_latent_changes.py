"""Divergence of saliences, and what a change sums up to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from affuse.incongruity.latent import Change, divergence


def test_divergence_equals_the_reference() -> None:
    p, q = np.random.default_rng(0).dirichlet(np.ones(6), (2, 20))
    expected = jensenshannon(p, q, base=2, axis=1) ** 2
    np.testing.assert_allclose(divergence(p, q), expected, atol=1e-12)


def test_divergence_ends_at_zero_and_one() -> None:
    p = np.array([[0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    q = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.3, 0.7]])
    np.testing.assert_allclose(divergence(p, q), [0, 1], atol=1e-12)


def test_damage_is_right_then_wrong_less_the_reverse() -> None:
    before, after = np.array([1, 1, 1, 0, 0.0]), np.array([1, 0, 0, 1, 0.0])
    found = Change(before, after, (before != after).astype(float), np.zeros(5)).summary()
    assert found.damage.mean == pytest.approx((2 - 1) / 5)
    assert found.damage.mean == pytest.approx(found.before.mean - found.after.mean)
    assert found.flip_rate.mean == pytest.approx(3 / 5)


def test_summary_of_a_slice() -> None:
    before = np.array([1.0, 0.0, 1.0])
    change = Change(before, np.ones(3), 1 - before, np.zeros(3))
    chosen = np.array([True, False, True])
    assert change.summary(chosen).samples == 2
    assert change.summary(chosen).flip_rate.mean == 0
