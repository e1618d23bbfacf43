"""Summaries over runs against SciPy and against what an interval promises."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from affuse.errors import InputError
from affuse.evaluation.statistics import paired_difference, summarise

RUNS = st.lists(st.integers(-1000, 1000).map(lambda n: n / 100), min_size=2, max_size=12)


def test_summary_by_hand() -> None:
    summary = summarise([1.0, 2.0, 3.0])
    assert (summary.mean, summary.std, summary.runs) == (2.0, 1.0, (1.0, 2.0, 3.0))
    # t with two degrees of freedom at 0.975 is 4.3027.
    half = 4.3027 / math.sqrt(3)
    assert summary.ci95 == pytest.approx((2 - half, 2 + half), abs=1e-4)


def test_single_run_has_no_spread() -> None:
    summary = summarise([0.7])
    assert (summary.mean, summary.std, summary.ci95) == (0.7, 0.0, (0.7, 0.7))


def test_equal_runs_have_no_spread() -> None:
    # The mean of three times 0.1 is not quite 0.1 in floating point.
    assert summarise([0.1] * 3).std == 0.0


@settings(deadline=None)
@given(RUNS)
def test_interval_agrees_with_scipy(runs: list[float]) -> None:
    summary = summarise(runs)
    assert summary.std == pytest.approx(np.std(runs, ddof=1), abs=1e-12)
    if summary.std:
        expected = stats.t.interval(0.95, len(runs) - 1, np.mean(runs), stats.sem(runs))
        assert summary.ci95 == pytest.approx(expected)


@settings(deadline=None)
@given(RUNS)
def test_paired_p_agrees_with_scipy(a: list[float]) -> None:
    b = [x + (i % 3) / 7 + (0.01 if i else 0.5) for i, x in enumerate(reversed(a))]
    result = paired_difference(a, b)
    assert result.mean == pytest.approx(np.mean(a) - np.mean(b))
    assert result.p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert result.mean == pytest.approx(-paired_difference(b, a).mean)


def test_pairs_without_spread() -> None:
    assert paired_difference([0.5, 0.25], [0.5, 0.25]).p == 1.0
    assert paired_difference([1.5, 2.5], [1.0, 2.0]).p == 0.0
    single = paired_difference([0.5], [0.25])
    assert (single.mean, single.ci95) == (0.25, (0.25, 0.25))
    assert math.isnan(single.p)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    draws = np.random.default_rng(7).normal(0.8, 0.02, size=(1000, 5))
    intervals = np.array([summarise(runs).ci95 for runs in draws])
    covered = np.mean((intervals[:, 0] <= 0.8) & (intervals[:, 1] >= 0.8))
    assert covered == pytest.approx(0.95, abs=0.02)


def test_paired_test_rejects_a_true_null_as_often_as_it_says() -> None:
    rng = np.random.default_rng(8)
    shared = rng.normal(0.8, 0.1, size=(1000, 5))
    a, b = shared + rng.normal(0, 0.01, (2, 1000, 5))
    rejected = np.mean([paired_difference(x, y).p < 0.05 for x, y in zip(a, b, strict=True)])
    assert rejected == pytest.approx(0.05, abs=0.02)


def test_a_run_without_a_value_makes_no_number() -> None:
    summary = summarise([0.5, math.nan])
    assert math.isnan(summary.mean)
    assert math.isnan(summary.ci95[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(summarise([math.nan]).mean)


def test_refuses_no_runs_and_unequal_numbers() -> None:
    with pytest.raises(InputError, match="no runs"):
        summarise([])
    with pytest.raises(InputError, match="cannot pair 3 runs with 2"):
        paired_difference([1, 2, 3], [1, 2])


@pytest.mark.parametrize(
    ("metric", "runs", "limit"),
    [("accuracy", [0.99, 1.0, 0.9], 1.0), ("mae", [0.01, 0.0, 0.1], 0.0), ("corr", [-1, -0.7], -1)],
)
def test_intervals_stay_within_what_a_metric_can_be(
    metric: str, runs: list[float], limit: float
) -> None:
    free, cut = summarise(runs), summarise(runs, metric)
    assert limit in cut.ci95
    assert limit not in free.ci95
    assert (cut.mean, cut.std, cut.runs) == (free.mean, free.std, free.runs)
