"""Disagreement of own answers, and its scale."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.metrics.calibration import Platt
from affuse.runtime.contradiction import conflict_of, contradicted, disagreement, opposition
from affuse.tasks import BinaryLabels, Classification, Regression, Values

EVEN = np.array([[0.5, 0.5]])
CLASSES = Classification(("a", "b"))
SURE = 20.0


def test_of_values_it_is_the_distance_in_shares_of_the_range() -> None:
    task = Regression(-3, 3)
    apart = [
        disagreement(task, np.array([[[a], [b]]]), EVEN)[0] for a, b in ((-3, 3), (1, 1), (0, 3))
    ]
    assert apart == pytest.approx([1, 0, 0.5])
    # What nobody trusts contradicts nobody.
    assert disagreement(task, np.array([[[-3.0], [3.0]]]), np.array([[1.0, 0.0]])) == pytest.approx(
        0
    )


def test_of_several_values_it_is_their_mean() -> None:
    task = Values(("valence", "arousal"))
    said = np.array([[[1.0, 0.5], [-1.0, 0.5]]])
    assert disagreement(task, said, EVEN) == pytest.approx(0.5)
    # Apart in valence, which is told, and not in arousal, which is not.
    both = np.ones((1, 2), bool)
    told, not_told = np.array([[0.5, np.nan]]), np.array([[np.nan, 0.5]])
    assert contradicted(task, said, both, told).tolist() == [True]
    assert contradicted(task, said, both, not_told).tolist() == [False]


def test_of_classes_it_is_one_where_two_are_sure_of_different_ones() -> None:
    unlike, alike = np.array([[[SURE, 0], [0, SURE]]]), np.array([[[SURE, 0], [SURE, 0]]])
    assert disagreement(CLASSES, unlike, EVEN) == pytest.approx(1, abs=1e-6)
    assert disagreement(CLASSES, alike, EVEN) == pytest.approx(0, abs=1e-6)
    pair = BinaryLabels(("happy", "sad"))
    half = np.array([[[SURE, 0, SURE, 0], [SURE, 0, 0, SURE]]])
    assert disagreement(pair, half, EVEN) == pytest.approx(0.5, abs=1e-6)


def test_a_label_shows_a_conflict_where_one_leans_to_it_and_one_away() -> None:
    values = np.array([[[1.0], [-2.0]], [[1.0], [2.0]], [[-1.0], [-2.0]], [[1.0], [-2.0]]])
    target = np.array([[2.0], [2.0], [2.0], [0.0]])
    present = np.ones((4, 2), bool)
    assert contradicted(Regression(), values, present, target).tolist() == [
        True,
        False,
        False,
        False,
    ]
    present[0, 1] = False
    assert not contradicted(Regression(), values, present, target).any()
    logits = np.array([[[1.0, 0], [0, 1.0]], [[1.0, 0], [2.0, 0]]])
    assert contradicted(CLASSES, logits, present[:2] | True, np.zeros((2, 1))).tolist() == [
        True,
        False,
    ]


def test_one_modality_has_no_conflict() -> None:
    gate = np.array([[1.0, 0.0], [0.5, 0.5]])
    alone, both = conflict_of(
        Regression(), np.array([[[1.0], [2.0]]] * 2), gate, Platt(1.0, 1.0), "disagreement"
    )
    assert alone == 0
    assert both > 0.5


def _logits(*classes: int | None, sure: float = 4.0) -> np.ndarray:
    """Own answers of modalities that show these classes of three; None is missing."""
    rows = [np.eye(3)[c] * sure if c is not None else np.zeros(3) for c in classes]
    return np.array([rows])


def test_opposition_grows_with_how_sure_the_odd_one_is() -> None:
    task = Classification(("neutral", "happy", "sad"))

    def said(*classes: int | None, sure: float = 4.0) -> float:
        present = np.array([[c is not None for c in classes]])
        return float(opposition(task, _logits(*classes, sure=sure), present)[0])

    assert said(1, 1, 1) < said(1, 1, 2, sure=1.0) < said(1, 1, 2) < said(1, 1, 2, sure=8.0)
    # What is neutral contradicts nobody.
    assert said(1, 1, 0) < said(1, 1, 2) - 1
    # Of two, either may be the odd one; what is missing is none.
    assert said(1, 2, None) > said(1, 1, None)
    assert said(1, 2, None) == pytest.approx(said(2, 1, None))
