"""Metrics against hand-worked cases, scikit-learn and SciPy, and published trivial rows."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import pearsonr
from sklearn import metrics as sk

from affuse.errors import InputError
from affuse.metrics.scores import LABELS, heading, higher_is_better, resampled, score_outputs
from affuse.tasks import BinaryLabels, Classification, Regression, Task

MOSI = Regression()
SIMS = Regression(-1.0, 1.0)
CLASSES = Classification(("a", "b", "c"))
IEMOCAP = BinaryLabels(("neutral", "happy", "sad", "angry"))

QUARTERS = st.integers(-16, 16).map(lambda n: n / 4)


def column(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)[:, None]


def one_hot(classes: Any, width: int = 3) -> NDArray[np.float32]:
    return np.eye(width, dtype=np.float32)[np.asarray(classes)]


def pairs(flags: Any) -> NDArray[np.float32]:
    """Raw (no, yes) outputs that say these flags, `(N, K)` to `(N, 2K)`."""
    flags = np.asarray(flags, np.float32)
    return np.stack([1 - flags, flags], axis=-1).reshape(len(flags), -1)


def test_regression_by_hand() -> None:
    truth = column([-3.0, -1.0, 0.0, 0.0, 0.4, 2.6])
    prediction = column([-2.2, 0.2, -0.1, 0.3, 0.6, 3.4])
    scores = score_outputs(MOSI, prediction, truth)
    assert tuple(scores) == MOSI.metrics
    expected = {
        "mae": (0.8 + 1.2 + 0.1 + 0.3 + 0.2 + 0.8) / 6,
        # Truths other than 0 are - - + +, predicted - + + +.
        "acc2_nonzero": 3 / 4,
        "f1_nonzero": (2 * (2 / 3) + 2 * (4 / 5)) / 4,
        "f1_nonzero_swapped": (1 * (2 / 3) + 3 * (4 / 5)) / 4,
        # Truths from 0 up are - - + + + +, predicted - + - + + +.
        "acc2_haszero": 4 / 6,
        "f1_haszero": (2 * (1 / 2) + 4 * (3 / 4)) / 6,
        # -3 -1 0 0 0 3 against -2 0 0 0 1 3; within [-2, 2] also the first agrees.
        "acc7": 3 / 6,
        "acc5": 4 / 6,
    }
    assert {k: scores[k] for k in expected} == pytest.approx(expected, abs=1e-7)
    assert score_outputs(MOSI, column([1, 2, 3]), column([1, 3, 2]))["corr"] == pytest.approx(0.5)


def test_classification_by_hand() -> None:
    scores = score_outputs(CLASSES, one_hot([0, 1, 1, 1, 2, 2]), column([0, 0, 0, 1, 1, 2]))
    f1 = {"a": 2 * 1 / (1 + 3), "b": 2 * 1 / (3 + 2), "c": 2 * 1 / (2 + 1)}
    assert scores == pytest.approx(
        {
            "accuracy": 3 / 6,
            "f1_weighted": (3 * f1["a"] + 2 * f1["b"] + 1 * f1["c"]) / 6,
            "f1_macro": sum(f1.values()) / 3,
            "f1_weighted_swapped": (1 * f1["a"] + 3 * f1["b"] + 2 * f1["c"]) / 6,
            "uar": (1 / 3 + 1 / 2 + 1 / 1) / 3,
        }
    )
    assert tuple(scores) == CLASSES.metrics


def test_binary_labels_by_hand() -> None:
    task = BinaryLabels(("happy", "sad"))
    truth = np.array([[1, 0], [1, 0], [0, 0], [0, 1]], np.float32)
    said = [[1, 0], [0, 0], [0, 0], [0, 0]]
    scores = score_outputs(task, pairs(said), truth)
    assert tuple(scores) == task.metrics
    happy = (2 * (2 * 2 / (3 + 2)) + 2 * (2 * 1 / (1 + 2))) / 4
    sad = (3 * (2 * 3 / (4 + 3)) + 1 * 0) / 4
    assert scores == pytest.approx(
        {
            "accuracy_mean": 3 / 4,
            "f1_mean": (happy + sad) / 2,
            # Said: three no and one yes of happy; four no of sad.
            "f1_swapped_mean": ((3 * 0.8 + 1 * (2 / 3)) / 4 + 6 / 7) / 2,
            "accuracy_happy": 3 / 4,
            "f1_happy": happy,
            "accuracy_sad": 3 / 4,
            "f1_sad": sad,
        }
    )


def test_weighted_accuracy_of_emotions_by_hand() -> None:
    task = BinaryLabels(("happy",))
    truth, said = column([1, 1, 0, 0, 0, 0]), column([1, 0, 0, 0, 0, 1])
    tp, tn, p, n = 1, 3, 2, 4
    names = ("weighted_accuracy_happy", "weighted_accuracy_mean")
    scores = score_outputs(task, pairs(said), truth, names)
    assert scores == pytest.approx(dict.fromkeys(names, (tp * n / p + tn) / (2 * n)))


def test_sims_bins_by_hand() -> None:
    # An edge belongs to the bin below it, also at float32, where 0.1 exceeds the float64 0.1.
    truth = column([-1.0, -0.7, -0.1, 0.0, 0.1, 0.7, 1.0])
    prediction = column([-9.0, -0.6, 0.0, 0.1, 0.0, 0.8, 0.8])
    scores = score_outputs(SIMS, prediction, truth, ("sims_acc2", "sims_acc3", "sims_acc5"))
    # Two: only the fourth and fifth differ (0 is negative, 0.1 positive). Three: only the third.
    # Five: also the second (-0.7 is in the lowest) and the sixth (0.7 is not in the highest).
    assert scores == pytest.approx({"sims_acc2": 5 / 7, "sims_acc3": 6 / 7, "sims_acc5": 4 / 7})
    assert "acc7" not in score_outputs(SIMS, prediction, truth)


@settings(deadline=None)
@given(st.lists(st.tuples(QUARTERS, QUARTERS), min_size=2, max_size=40))
def test_regression_agrees_with_scikit_learn(rows: list[tuple[float, float]]) -> None:
    x, y = np.array(rows, np.float32).T
    scores = score_outputs(MOSI, column(x), column(y))
    f1: dict[str, Any] = {"average": "weighted", "zero_division": 0}
    kept = y != 0
    assert scores["mae"] == pytest.approx(sk.mean_absolute_error(y, x))
    assert scores["acc2_haszero"] == pytest.approx(sk.accuracy_score(y >= 0, x >= 0))
    assert scores["f1_haszero"] == pytest.approx(sk.f1_score(y >= 0, x >= 0, **f1))
    assert scores["acc7"] == pytest.approx(
        sk.accuracy_score(np.clip(y, -3, 3).round(), np.clip(x, -3, 3).round())
    )
    if kept.any():
        x_sign, y_sign = x[kept] > 0, y[kept] > 0
        assert scores["acc2_nonzero"] == pytest.approx(sk.accuracy_score(y_sign, x_sign))
        assert scores["f1_nonzero"] == pytest.approx(sk.f1_score(y_sign, x_sign, **f1))
        assert scores["f1_nonzero_swapped"] == pytest.approx(sk.f1_score(x_sign, y_sign, **f1))
    if np.ptp(x) and np.ptp(y):
        assert scores["corr"] == pytest.approx(pearsonr(x, y).statistic, abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_classification_agrees_with_scikit_learn(rows: list[tuple[int, int]]) -> None:
    said, true = np.array(rows).T
    f1: dict[str, Any] = {"zero_division": 0}
    with warnings.catch_warnings():
        # scikit-learn's remark that a class is predicted but never true.
        warnings.simplefilter("ignore", UserWarning)
        expected = {
            "accuracy": sk.accuracy_score(true, said),
            "f1_weighted": sk.f1_score(true, said, average="weighted", **f1),
            "f1_macro": sk.f1_score(true, said, average="macro", **f1),
            "f1_weighted_swapped": sk.f1_score(said, true, average="weighted", **f1),
            "uar": sk.balanced_accuracy_score(true, said),
        }
    assert score_outputs(CLASSES, one_hot(said), column(true)) == pytest.approx(expected)


@settings(deadline=None)
@given(st.data(), st.sampled_from((MOSI, SIMS, CLASSES, IEMOCAP)), st.integers(1, 12))
def test_order_of_samples_is_free_and_nothing_warns(data: Any, task: Task, size: int) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    prediction = rng.integers(-2, 3, (size, task.outputs)).astype(np.float32)
    flags = rng.integers(0, 2, (size, task.target_width)).astype(np.float32)
    order = rng.permutation(size)
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        scores = score_outputs(task, prediction, flags)
        shuffled = score_outputs(task, prediction[order], flags[order])
    assert scores == pytest.approx(shuffled, nan_ok=True)
    fractions = [v for name, v in scores.items() if name not in ("mae", "corr")]
    assert all(np.isnan(v) or 0 <= v <= 1 for v in fractions)


@settings(deadline=None)
@given(st.data(), st.sampled_from((MOSI, SIMS, CLASSES, IEMOCAP)))
def test_a_weight_is_how_often_a_sample_is_there(data: Any, task: Task) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    names = (*task.metrics, *(("weighted_accuracy_mean",) if task is IEMOCAP else ()))
    predictions = rng.integers(-2, 3, (2, 9, task.outputs)).astype(float)
    target = rng.integers(0, 2, (9, task.target_width)).astype(float)
    weights = rng.integers(0, 3, (3, 9)).astype(float)
    weights[:, 0] = 1.0
    found = resampled(task, predictions, target, weights, names)
    for draw, counts in enumerate(weights.astype(int)):
        for seed, prediction in enumerate(predictions):
            repeated = (np.repeat(x, counts, axis=0) for x in (prediction, target))
            expected = score_outputs(task, *repeated, names)
            scores = {name: found[name][draw, seed] for name in names}
            assert scores == pytest.approx(expected, nan_ok=True)


# The test split has 938 samples; its class counts follow from the published accuracies.
@pytest.mark.parametrize(
    ("emotion", "positives", "accuracy", "f1"),
    [
        ("happy", 135, 0.856, 0.790),
        ("sad", 193, 0.794, 0.703),
        ("angry", 227, 0.758, 0.654),
        ("neutral", 383, 0.592, 0.440),
    ],
)
def test_all_zeros_on_iemocap(emotion: str, positives: int, accuracy: float, f1: float) -> None:
    truth = np.zeros((938, 4), np.float32)
    truth[:positives, IEMOCAP.labels.index(emotion)] = 1
    scores = score_outputs(IEMOCAP, pairs(np.zeros((938, 4))), truth)
    assert scores[f"accuracy_{emotion}"] == pytest.approx(accuracy, abs=5e-4)
    assert scores[f"f1_{emotion}"] == pytest.approx(f1, abs=5e-4)


def test_majority_class_on_mosi(shared_data: Path) -> None:
    with (shared_data / "mosi" / "labels_text.csv").open(newline="", encoding="utf-8") as file:
        truth = [float(r["label"]) for r in csv.DictReader(file) if r["split"] == "test"]
    assert (len(truth), truth.count(0.0)) == (686, 30)
    scores = score_outputs(MOSI, np.full((686, 1), -1.0), column(truth))
    assert scores["acc2_nonzero"] == pytest.approx(0.578, abs=5e-4)
    assert scores["f1_nonzero"] == pytest.approx(0.423, abs=5e-4)


def test_a_constant_tells_nothing() -> None:
    truth = column([-1.0, 0.5, 2.0])
    assert score_outputs(MOSI, column([0.1, 0.1, 0.1]), truth)["corr"] == 0.0
    assert score_outputs(MOSI, truth, column([0.1, 0.1, 0.1]))["corr"] == 0.0


def test_concordance_counts_shift_and_scale() -> None:
    rating = Regression(1.0, 5.0)
    x, y = column([1, 2, 4, 5]), column([2, 2, 3, 5])
    cov, apart = np.cov(x.ravel(), y.ravel(), ddof=0)[0, 1], (x.mean() - y.mean()) ** 2
    ccc = 2 * cov / (x.var() + y.var() + apart)
    assert score_outputs(rating, x, y)["ccc"] == pytest.approx(ccc)
    assert score_outputs(rating, y, y)["ccc"] == pytest.approx(1)
    assert score_outputs(rating, y + 1, y)["ccc"] < score_outputs(rating, y + 1, y)["corr"]
    assert score_outputs(rating, 6 - y, y)["ccc"] < -0.8
    assert score_outputs(rating, column([3, 3, 3, 3]), y)["ccc"] == 0


def test_correlation_survives_a_tiny_spread() -> None:
    x = np.array([[0.0], [1.0], [2.0]]) * 1e-200
    assert score_outputs(MOSI, x, column([0, 1, 2]))["corr"] == pytest.approx(1.0)


def test_scores_without_a_value_are_nan() -> None:
    scores = score_outputs(MOSI, column([1.0, -1.0]), column([0.0, 0.0]))
    undefined = {name for name, value in scores.items() if np.isnan(value)}
    assert undefined == {"acc2_nonzero", "f1_nonzero", "f1_nonzero_swapped"}
    never = score_outputs(
        IEMOCAP, pairs(np.zeros((3, 4))), np.zeros((3, 4)), ["weighted_accuracy_sad"]
    )
    assert np.isnan(never["weighted_accuracy_sad"])


@pytest.mark.parametrize(
    ("task", "prediction", "target", "message"),
    [
        (MOSI, np.zeros((3, 1)), np.zeros((2, 1)), r"\(3, 1\) against targets of shape \(2, 1\)"),
        (IEMOCAP, np.zeros((3, 4)), np.zeros((3, 4)), r"give \(N, 8\) and \(N, 4\)"),
        (MOSI, np.zeros((0, 1)), np.zeros((0, 1)), "N of 1 or more"),
        (MOSI, np.array([[np.nan], [1.0]]), np.zeros((2, 1)), "1 of 2 predictions are not finite"),
    ],
)
def test_refuses_what_it_cannot_score(
    task: Task, prediction: NDArray[Any], target: NDArray[Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_outputs(task, prediction, target)


@pytest.mark.parametrize(
    ("task", "wrong", "near"),
    [
        (MOSI, "acc2_non_zero", "acc2_nonzero"),
        (CLASSES, "acuracy", "accuracy"),
        (IEMOCAP, "f1_hapy", "f1_happy"),
    ],
)
def test_unknown_metric_names_the_nearest(task: Task, wrong: str, near: str) -> None:
    zeros = np.zeros((1, task.outputs)), np.zeros((1, task.target_width))
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        score_outputs(task, *zeros, [wrong])


def test_headings_name_every_f1_convention() -> None:
    names = {m for task in (MOSI, SIMS, CLASSES, IEMOCAP) for m in task.metrics}
    assert all(heading(name) != name for name in names)
    assert all("weights" in heading(name) for name in names if "f1" in name)
    assert len({heading(name) for name in names}) == len(names)
    assert heading("f1_swapped_happy") == "F1, happy (weights from prediction)"
    assert heading("weighted_accuracy_sad") == "Weighted accuracy, sad"
    assert set(LABELS) >= set(MOSI.metrics + CLASSES.metrics)


def test_direction_agrees_with_selection() -> None:
    for task in (MOSI, CLASSES, IEMOCAP):
        metric, direction = task.selection
        assert higher_is_better(metric) == (direction == "max")
