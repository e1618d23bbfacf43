"""Paired differences: parts that can be worked out by hand, and how often the truth is held."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from affuse.evaluation.bootstrap import FoldAnswers, Scores, paired_bootstrap, resampled_scores
from affuse.evaluation.statistics import verdict
from affuse.tasks import BinaryLabels, Classification, Regression, Task, Values

MOSI = Regression()
SIMULATION = Path(__file__).resolve().parents[2] / "benchmarks" / "interval_coverage.py"


def answered(target: NDArray[Any], *predictions: NDArray[Any], names: str = "") -> FoldAnswers:
    """One prediction `(N,)` a seed."""
    ids = [f"{names}{row}" for row in range(len(target))]
    return FoldAnswers(ids, target[:, None], np.stack(predictions)[..., None])


def maes(*folds: FoldAnswers) -> Scores:
    return resampled_scores(MOSI, folds, ["mae"])["mae"]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_measured_is_the_metric_of_each_seed_and_draws_scatter_about_it(
    rng: np.random.Generator,
) -> None:
    target, errors = rng.normal(size=200), rng.normal(size=(3, 200))
    found = maes(answered(target, *(target + errors)))
    assert found.measured == pytest.approx(np.abs(errors).mean(axis=1))
    assert found.redrawn.shape == (1000, 3)
    assert found.redrawn.mean(axis=0) == pytest.approx(found.measured, abs=0.01)
    spread = np.abs(errors).std(axis=1) / math.sqrt(200)
    assert found.redrawn.std(axis=0) == pytest.approx(spread, rel=0.1)


def test_where_seeds_agree_the_interval_is_that_of_the_samples(rng: np.random.Generator) -> None:
    target, errors = rng.normal(size=300), rng.normal(size=300)
    a, b = (maes(answered(target, *[target + e] * 4)) for e in (errors, 0.9 * errors))
    found = paired_bootstrap(a, b)
    each = 0.1 * np.abs(errors)
    expected = stats.t.interval(0.95, 299, each.mean(), stats.sem(each))
    assert found.ci95 == pytest.approx(expected, abs=0.15 * (expected[1] - expected[0]))
    assert (found.std, found.runs) == (0.0, pytest.approx([each.mean()] * 4))
    assert verdict("mae", found) == "worse"


def test_where_samples_agree_the_interval_is_students_over_seeds() -> None:
    target, shifts = np.zeros(50), np.array([0.1, 0.2, 0.6, 0.3])
    a, b = (maes(answered(target, *(target + s for s in by))) for by in (shifts, shifts * 0))
    found = paired_bootstrap(a, b)
    assert found.ci95 == pytest.approx(
        stats.t.interval(0.95, 3, shifts.mean(), stats.sem(shifts)), rel=1e-6
    )
    assert found.p == pytest.approx(stats.ttest_1samp(shifts, 0).pvalue, rel=1e-6)


def test_one_seed_is_tested_over_samples_alone(rng: np.random.Generator) -> None:
    target, errors = rng.normal(size=300), rng.normal(size=(2, 300))
    a, b = (maes(answered(target, target + e)) for e in errors)
    found = paired_bootstrap(a, b)
    each = np.abs(errors[0]) - np.abs(errors[1])
    width = 2 * stats.t.ppf(0.975, 299) * stats.sem(each)
    assert found.ci95[1] - found.ci95[0] == pytest.approx(width, rel=0.15)
    assert len(found.runs) == 1


def test_the_same_answers_do_not_differ(rng: np.random.Generator) -> None:
    target = rng.normal(size=30)
    same = maes(answered(target, *(target + rng.normal(size=(3, 30)))))
    found = paired_bootstrap(same, same)
    assert (found.mean, found.ci95, found.p) == (0.0, (0.0, 0.0), 1.0)
    assert verdict("mae", found) == "undecided"


def test_a_constant_is_compared_with_every_seed(rng: np.random.Generator) -> None:
    target = rng.normal(size=100)
    model = maes(answered(target, *(target + 0.1 * rng.normal(size=(3, 100)))))
    found = paired_bootstrap(model, maes(answered(target, np.zeros(100))))
    assert len(found.runs) == 3
    assert found.mean < -0.5
    assert found.p < 1e-4


@pytest.mark.parametrize("by", [0.02, 0.05, 0.1, 0.2])
def test_p_and_interval_say_the_same(rng: np.random.Generator, by: float) -> None:
    target, errors = rng.normal(size=80), rng.normal(size=(5, 80))
    a = maes(answered(target, *(target + errors)))
    b = maes(answered(target, *(target + (1 + by) * errors + 0.1 * rng.normal(size=(5, 80)))))
    found, turned = paired_bootstrap(a, b), paired_bootstrap(b, a)
    low, high = found.ci95
    assert (found.p < 0.05) == (low > 0 or high < 0)
    assert (turned.mean, turned.ci95, turned.p) == (-found.mean, (-high, -low), found.p)


def test_samples_of_several_folds_are_drawn_together(rng: np.random.Generator) -> None:
    target = rng.normal(size=60)
    fold = answered(target, *(target + rng.normal(size=(3, 60))))
    once, twice = maes(fold), maes(fold, fold)
    assert twice.redrawn == pytest.approx(once.redrawn)
    assert (once.units, twice.units) == (60, 60)
    other = answered(target, *(target + rng.normal(size=(3, 60))), names="other ")
    both = maes(fold, other)
    assert both.units == 120
    assert both.measured == pytest.approx((once.measured + maes(other).measured) / 2)


def grouped(fold: FoldAnswers, groups: NDArray[Any]) -> FoldAnswers:
    return replace(fold, groups=[f"speaker {group}" for group in groups])


def test_groups_are_drawn_whole(rng: np.random.Generator) -> None:
    """Where all samples of a speaker are alike, the interval is that of the speakers."""
    target, speakers = np.zeros(120), np.repeat(np.arange(6), 20)
    each = rng.normal(1, 0.2, 6)
    ours = grouped(answered(target, each[speakers]), speakers)
    a, b = maes(ours), maes(grouped(answered(target, np.zeros(120)), speakers))
    found = paired_bootstrap(a, b)
    assert (a.units, a.statistic) == (
        6,
        "paired bootstrap over 6 groups of test samples and seeds, two-sided",
    )
    width = 2 * stats.t.ppf(0.975, 5) * stats.sem(each)
    assert found.ci95[1] - found.ci95[0] == pytest.approx(width, rel=0.1)


def test_a_sample_without_a_group_is_one_by_itself(rng: np.random.Generator) -> None:
    fold = answered(rng.normal(size=8), rng.normal(size=8))
    plain = maes(fold)
    assert maes(replace(fold, groups=[None] * 8)).redrawn.tolist() == plain.redrawn.tolist()
    # As many groups as samples are no groups.
    assert maes(grouped(fold, np.arange(8))).statistic == plain.statistic
    assert maes(replace(fold, groups=["a", "a", "b", *[None] * 5])).units == 7


def test_of_one_group_alone_samples_are_drawn_and_that_is_said(rng: np.random.Generator) -> None:
    fold = answered(rng.normal(size=30), rng.normal(size=30))
    found = maes(grouped(fold, np.zeros(30)))
    assert found.units == 30
    assert "test samples (all of one group)" in found.statistic


def test_folds_of_one_group_each_are_drawn_as_groups(rng: np.random.Generator) -> None:
    """Leave one speaker out: what a draw leaves out has no say, and folds are all that differ."""
    each, target = rng.normal(1, 0.2, 5), np.zeros(10)
    folds = [
        grouped(answered(target, np.full(10, off), names=f"{n} "), np.full(10, n))
        for n, off in enumerate(each)
    ]
    nothing = [replace(fold, predictions=0 * fold.predictions) for fold in folds]
    found = paired_bootstrap(maes(*folds), maes(*nothing))
    width = 2 * stats.t.ppf(0.975, 4) * stats.sem(each)
    assert found.ci95[1] - found.ci95[0] == pytest.approx(width, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "folds"), [(4, 1), (12, 1), (3, 4)])
def test_of_groups_the_interval_holds_the_truth_as_often_as_it_says(
    rng: np.random.Generator, groups: int, folds: int
) -> None:
    """Two models that are equally good on the whole, and each better for some speakers."""

    def both() -> list[tuple[FoldAnswers, FoldAnswers]]:
        found = []
        for fold in range(folds):
            speakers = np.repeat(np.arange(groups), rng.integers(1, 12, groups))
            count = len(speakers)
            apart = 0.2 * rng.normal(size=groups)[speakers] + 0.3 * rng.normal(size=count)
            ends = 1 + 0.05 * rng.normal(size=(2, 3, 1)) + 0.1 * rng.normal(size=(2, 3, count))
            said = ends + np.array([0.5, -0.5])[:, None, None] * apart
            pair = [answered(np.zeros(count), *each, names=f"{fold} ") for each in said]
            ours, theirs = (grouped(answers, speakers + 100 * fold) for answers in pair)
            found.append((ours, theirs))
        return found

    held = 0
    for _ in range(500):
        low, high = paired_bootstrap(*(maes(*folds) for folds in zip(*both(), strict=True))).ci95
        held += low <= 0 <= high
    assert 0.92 <= held / 500 <= 0.975


def test_all_metrics_of_all_tasks_have_a_difference(rng: np.random.Generator) -> None:
    tasks: list[Task] = [
        *(MOSI, Classification(("a", "b", "c"))),
        *(BinaryLabels(("x", "y")), Values(("x", "y"))),
    ]
    for task in tasks:
        kinds = 2 if task.outputs > 1 else 5
        target = rng.integers(0, kinds, (40, task.target_width)).astype(float)
        a, b = (
            resampled_scores(
                task,
                [FoldAnswers(range(40), target, rng.normal(size=(3, 40, task.outputs)))],
                task.metrics,
            )
            for _ in range(2)
        )
        for metric in task.metrics:
            found = paired_bootstrap(a[metric], b[metric])
            assert found.ci95[0] < found.mean < found.ci95[1]
            assert 0 < found.p <= 1


def test_a_metric_without_a_value_has_no_interval() -> None:
    never = answered(np.zeros(5), np.ones(5), np.ones(5))
    scores = resampled_scores(MOSI, [never], ["acc2_nonzero"])["acc2_nonzero"]
    found = paired_bootstrap(scores, scores)
    assert all(math.isnan(v) for v in (found.mean, *found.ci95, found.p))
    assert verdict("acc2_nonzero", found) == "undecided"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interval_coverage", SIMULATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_paired_interval_holds_the_truth_as_often_as_it_says(
    simulation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(simulation.METRICS, "regression", ("mae",))
    monkeypatch.setattr(simulation, "TRUTH", 300)
    world = simulation.World(MOSI, simulation.SEEDS_DIFFER["some"])
    coverage = simulation.paired(world, (5, 100, 1), 1000, np.random.default_rng(1))
    assert 0.93 <= coverage["mae"] <= 0.97
