"""The floor: a constant learned from training labels, scored on test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from affuse.evaluation.scorecard import trivial_scores
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Classification, Regression, Task


def _samples(*targets: Sequence[float] | None) -> list[Sample]:
    return [
        Sample(
            str(row),
            {"text": np.ones((1, 2), np.float32)},
            None if target is None else np.array(target, np.float32),
        )
        for row, target in enumerate(targets)
    ]


def _corpus(task: Task, *folds: Split) -> Corpus:
    return Corpus("small", task, {"text": 2}, folds)


def test_a_regression_says_the_training_mean() -> None:
    split = Split(_samples([1.0], [2.0]), _samples([3.0]), _samples([0.5], [-1.0], None))
    scores = trivial_scores(_corpus(Regression(), split))
    assert scores["mae"] == pytest.approx((1.0 + 2.5) / 2)
    assert scores["corr"] == 0.0
    assert scores["acc2_nonzero"] == 0.5
    assert tuple(scores) == Regression().metrics


def test_a_classification_says_the_commonest_class_and_folds_are_averaged() -> None:
    task = Classification(("sad", "glad"))
    test = _samples([0], [1], [1], [1])
    folds = [Split(_samples(*train), test, test) for train in ([[1], [1], [0]], [[0], [0], [1]])]
    assert trivial_scores(_corpus(task, folds[0]))["accuracy"] == 0.75
    assert trivial_scores(_corpus(task, *folds))["accuracy"] == 0.5


def test_without_test_labels_there_is_no_score() -> None:
    split = Split(_samples([1.0]), _samples([1.0]), _samples(None))
    assert trivial_scores(_corpus(Regression(), split)) == {}
