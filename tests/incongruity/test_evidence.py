"""What readings say of the label."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.incongruity.evidence import (
    ChoiceEvidence,
    SeveralEvidence,
    ValueEvidence,
    candidates,
    contrary_prior,
    fit_evidence,
    label_prior,
)
from affuse.tasks import BinaryLabels, Classification, Regression, Task, Values

VALUE = Regression(-3.0, 3.0)
CLASSES = Classification(("calm", "glad", "sad"))
LABELS = BinaryLabels(("angry", "happy"))


def values(count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Readings 0.5 y + 0.2 with spread 0.6; of a fifth, -0.4 y with spread 0.15."""
    rng = np.random.default_rng(0)
    y = rng.uniform(-3, 3, (count, 1))
    contrary = rng.random((count, 1)) < 0.2
    agrees = 0.5 * y + 0.2 + 0.6 * rng.normal(size=y.shape)
    return np.where(contrary, -0.4 * y + 0.15 * rng.normal(size=y.shape), agrees), y


def test_a_value_shows_how_often_and_how_it_is_contradicted() -> None:
    r, y = values()
    found = fit_evidence(VALUE, label_prior(VALUE, y), r, y)
    assert isinstance(found, ValueEvidence)
    assert found.share == pytest.approx(0.2, abs=0.03)
    assert found.slope == pytest.approx((0.5, -0.4), abs=0.05)
    assert found.shift == pytest.approx((0.2, 0.0), abs=0.05)
    assert found.spread == pytest.approx((0.6, 0.15), abs=0.05)


def test_several_values_show_the_same_each_by_itself() -> None:
    r, y = values()
    task = Values(("p", "q"), -3.0, 3.0)
    # Of every other sample, the second is not told.
    told = np.where(np.arange(len(y))[:, None] % 2, y, np.nan)
    targets, readings = np.hstack([y, told]), np.hstack([r, r])
    prior = label_prior(task, targets)
    found = fit_evidence(task, prior, readings, targets)
    assert isinstance(found, SeveralEvidence)
    assert prior.shape == (2, len(candidates(task)))
    alone = fit_evidence(VALUE, label_prior(VALUE, y), r, y)
    half = fit_evidence(VALUE, label_prior(VALUE, y[1::2]), r[1::2], y[1::2])
    expected = np.concatenate([alone(r[:5]), half(r[:5])], axis=1)
    np.testing.assert_allclose(found(readings[:5]), expected, atol=1e-6)
    np.testing.assert_allclose(prior[0], label_prior(VALUE, y)[0])


def test_of_a_value_that_nobody_told_readings_say_nothing() -> None:
    r, y = values(300)
    task = Values(("p", "q"), -3.0, 3.0)
    targets = np.hstack([y, np.full_like(y, np.nan)])
    prior = label_prior(task, targets)
    factors = fit_evidence(task, prior, np.hstack([r, r]), targets)(np.hstack([r, r]))
    assert np.ptp(factors[:, 1], axis=1).max() == 0.0
    assert np.ptp(factors[:, 0], axis=1).max() > 1.0


def test_factors_peak_at_what_is_read_and_at_its_opposite() -> None:
    found = ValueEvidence(VALUE, 0.2, (1.0, -1.0), (0.0, 0.0), (0.5, 0.5))
    factors = found(np.array([[2.0]]))
    assert factors.shape == (1, 1, len(candidates(VALUE)), 2)
    peaks = candidates(VALUE)[factors[0, 0].argmax(axis=0)]
    np.testing.assert_allclose(peaks, [2.0, -2.0], atol=1e-9)


@pytest.mark.parametrize("kind", ["normal", "exponential", "standard_t"])
def test_a_value_that_says_nothing_contradicts_nothing(kind: str) -> None:
    """Two normal parts fit noise of another shape better than one, and are no contradiction."""
    rng = np.random.default_rng(0)
    y = rng.uniform(-3, 3, (750, 1))
    noise = getattr(rng, kind)(*([3] if kind == "standard_t" else []), size=y.shape)
    found = fit_evidence(VALUE, label_prior(VALUE, y), noise, y)
    assert isinstance(found, ValueEvidence)
    assert found.share == pytest.approx(0.01)


def test_logits_that_say_nothing_contradict_nothing() -> None:
    """However often each class is true."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, (600, 1), p=[0.1, 0.3, 0.6]).astype(float)
    prior = label_prior(CLASSES, labels)
    nothing = np.tile(np.log(prior), (600, 1))
    found = fit_evidence(CLASSES, prior, nothing, labels)
    assert isinstance(found, ChoiceEvidence)
    assert found.share == pytest.approx(0.01, rel=0.05)
    found = ChoiceEvidence(CLASSES, 0.2, 1.0, prior)
    np.testing.assert_allclose(
        np.exp(found(nothing)), np.array([0.8, 0.2]) + np.zeros((600, 1, 3, 2))
    )


def test_a_probe_that_is_too_sure_is_dulled() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2000, 3))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)[:, None].astype(float)
    prior = label_prior(CLASSES, labels)
    found = fit_evidence(CLASSES, prior, 5 * logits, labels)
    assert isinstance(found, ChoiceEvidence)
    assert found.sharpness == pytest.approx(1 / 5, rel=0.15)


@pytest.mark.parametrize("task", [CLASSES, LABELS])
def test_over_all_readings_a_side_is_as_likely_as_its_share(task: Task) -> None:
    """Factors are p(r, side | y) / p(r), whose mean over readings is p(side), for every y."""
    logits = np.random.default_rng(0).normal(size=(50, task.outputs))
    shape = (50, *label_prior(task, np.zeros((1, task.target_width))).shape)
    p = np.exp(logits.reshape(shape))
    p /= p.sum(axis=2, keepdims=True)
    factors = np.exp(ChoiceEvidence(task, 0.2, 1.0, p.mean(axis=0))(logits))
    np.testing.assert_allclose(
        factors.mean(axis=0), np.array([0.8, 0.2]) + np.zeros((*shape[1:], 2))
    )


def test_priors_are_how_often_answers_are_true() -> None:
    labels = np.array([[0.0], [0.0], [1.0], [2.0]])
    np.testing.assert_allclose(label_prior(CLASSES, labels), [[0.5, 0.25, 0.25]])
    flags = np.array([[1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(label_prior(LABELS, flags), [[0, 1], [0.5, 0.5]], atol=2e-3)
    high = label_prior(VALUE, np.full((10, 1), 2.0))[0]
    assert candidates(VALUE)[high.argmax()] == pytest.approx(2.0)
    assert high.sum() == pytest.approx(1)


def test_nothing_contradicts_a_neutral_value() -> None:
    prior = label_prior(VALUE, np.random.default_rng(0).uniform(-3, 3, (500, 1)))
    contrary = contrary_prior(VALUE, prior)
    ratio = (contrary / prior)[0]
    middle = len(ratio) // 2
    assert ratio[middle] < 0.01
    assert (np.diff(ratio[middle:]) > 0).all()
    assert contrary.sum() == pytest.approx(1)
    even = np.full((1, 3), 1 / 3)
    assert contrary_prior(CLASSES, even) is even
