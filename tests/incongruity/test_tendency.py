"""Tendencies of outputs and labels of every task."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.incongruity.tendency import (
    answer_name,
    answers,
    label_tendency,
    margin,
    right,
    tendency,
)
from affuse.tasks import BinaryLabels, Classification, Regression, Values

VALUE = Regression(0.0, 10.0)
CLASSES = Classification(("calm", "glad", "sad"))
LABELS = BinaryLabels(("angry", "happy"))
VALUES = Values(("valence", "arousal"))


def test_a_value_leans_to_either_side_of_the_middle() -> None:
    assert tendency(VALUE, np.array([[4.9], [5.1]])).tolist() == [[0], [1]]
    assert label_tendency(VALUE, np.array([[1.0], [5.0], [9.0]])).tolist() == [[0], [-1], [1]]


def test_each_of_several_values_leans_by_itself() -> None:
    assert tendency(VALUES, np.array([[-0.2, 0.3]])).tolist() == [[0, 1]]
    # What is neutral, and what nobody told, has no side.
    assert label_tendency(VALUES, np.array([[0.4, np.nan], [0.0, -1.0]])).tolist() == [
        [1, -1],
        [-1, 0],
    ]
    np.testing.assert_array_equal(margin(VALUES, np.zeros((3, 2), np.int64))[1], np.eye(2))


def test_classes_and_labels_lean_to_the_greatest_output() -> None:
    assert tendency(CLASSES, np.array([[0.0, 2.0, 1.0]])).tolist() == [[1]]
    assert tendency(LABELS, np.array([[0.0, 1.0, 3.0, 2.0]])).tolist() == [[1, 0]]
    assert label_tendency(LABELS, np.array([[1.0, 0.0]])).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("task", "shape"), [(VALUE, (1, 2)), (CLASSES, (1, 3)), (LABELS, (2, 2)), (VALUES, (2, 2))]
)
def test_questions_and_answers(task, shape) -> None:
    assert answers(task) == shape


def test_right_is_the_share_of_questions_and_nan_without_any() -> None:
    said = np.array([[1, 0], [1, 1], [0, 0]])
    label = np.array([[1, 1], [1, -1], [-1, -1]])
    np.testing.assert_equal(right(said, label), [0.5, 1.0, np.nan])


@pytest.mark.parametrize("task", [CLASSES, LABELS])
def test_margin_is_positive_for_what_is_said(task) -> None:
    outputs = np.random.default_rng(0).normal(size=(50, task.outputs))
    said = tendency(task, outputs)
    margins = np.einsum("nqc,nc->nq", margin(task, said), outputs)
    assert (margins > 0).all()
    # What lifts all answers alike speaks for none.
    np.testing.assert_allclose(margin(task, said).sum(axis=2), 0, atol=1e-12)


def test_answers_have_names() -> None:
    assert [answer_name(VALUE, 0, a) for a in (0, 1)] == ["negative", "positive"]
    assert [answer_name(VALUES, 1, a) for a in (0, 1)] == ["low arousal", "high arousal"]
    assert answer_name(CLASSES, 0, 2) == "sad"
    assert [answer_name(LABELS, 1, a) for a in (0, 1)] == ["not happy", "happy"]
