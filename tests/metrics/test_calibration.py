"""Calibration, its error, and the area under the curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from affuse.metrics.calibration import Platt, expected_calibration_error
from affuse.metrics.scores import auroc


def test_platt_finds_slope_and_offset() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 20_000)
    truth = rng.random(20_000) < expit(0.5 * odds - 1)
    platt = Platt.of_log_odds(odds, truth)
    assert platt.slope == pytest.approx(0.5, abs=0.03)
    assert platt.offset == pytest.approx(-1, abs=0.05)
    assert expected_calibration_error(expit(odds), truth) > 0.1
    assert expected_calibration_error(platt(odds), truth) < 0.01


@pytest.mark.parametrize("truth", [True, False])
def test_platt_of_one_kind_stays_moderate(truth: bool) -> None:
    platt = Platt.of_log_odds(np.linspace(-3, 3, 10), np.full(10, truth))
    assert 0.05 < platt(np.zeros(1))[0] < 0.95
    assert platt.slope > 0


def test_of_distances_it_gives_back_how_often_it_is_true() -> None:
    rng = np.random.default_rng(0)
    apart = rng.uniform(size=4000)
    truth = rng.uniform(size=4000) < 1 / (1 + np.exp(-(6 * apart - 4)))
    platt = Platt.of_distance(apart, truth)
    assert platt.slope == pytest.approx(6, abs=0.6)
    assert platt.offset == pytest.approx(-4, abs=0.4)
    assert platt(apart).mean() == pytest.approx(truth.mean(), abs=0.01)
    assert auroc(apart, truth) > 0.8


def test_less_distance_never_means_more() -> None:
    apart = np.linspace(0, 1, 50)
    assert Platt.of_distance(apart, apart < 0.5).slope == 0


def test_calibration_error_by_hand() -> None:
    probability = np.array([0.95, 0.95, 0.05, 1.0])
    truth = np.array([True, False, False, True])
    # The last bin holds 0.95, 0.95 and 1.0, of which two are true.
    expected = (abs(2.9 - 2) + abs(0.05 - 0)) / 4
    assert expected_calibration_error(probability, truth) == pytest.approx(expected)


def test_auroc_equals_the_reference_with_ties() -> None:
    rng = np.random.default_rng(1)
    score, truth = rng.integers(0, 5, 200).astype(float), rng.random(200) < 0.4
    assert auroc(score, truth) == pytest.approx(roc_auc_score(truth, score))
    assert np.isnan(auroc(score, np.ones(200, dtype=bool)))
