"""Adaptation takes out what a group has in common, and little of it while the group is small."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.extract.adaptation import STRENGTH, Usual

RNG = np.random.default_rng(0)


def utterances(count: int, middle: float = 0.0, scale: float = 1.0) -> list[np.ndarray]:
    return [RNG.normal(middle, scale, (1, 6)).astype(np.float32) for _ in range(count)]


USUAL = Usual.of(utterances(4000))


def test_a_shifted_and_scaled_speaker_comes_to_where_training_was() -> None:
    own = utterances(2000, middle=5, scale=3)
    shift = USUAL.shift(own)
    moved = np.concatenate([shift.apply(x) for x in own])
    np.testing.assert_allclose(moved.mean(axis=0), USUAL.mean, atol=0.1)
    np.testing.assert_allclose(moved.std(axis=0), USUAL.deviation, rtol=0.1)


def test_few_utterances_move_by_their_share() -> None:
    own = [np.full((1, 6), 5.0, np.float32)] * round(STRENGTH)
    moved = USUAL.shift(own).apply(own[0])
    half = USUAL.mean + (5 - USUAL.mean) / 2
    # The spread of equal utterances counts as little as they are many.
    assert ((moved - USUAL.mean) / (half - USUAL.mean) < 1.6).all()
    assert (moved < 5).all()


def test_no_utterances_change_nothing() -> None:
    (steps,) = utterances(1)
    np.testing.assert_array_equal(USUAL.shift([]).apply(steps), steps)


def test_a_feature_that_never_changes_is_not_blown_up() -> None:
    own = [np.full((2, 6), 7.0, np.float32)] * 500
    assert np.abs(USUAL.shift(own).scale).max() < 1 / 0.3 + 1e-6


def test_the_order_of_utterances_does_not_matter() -> None:
    own = utterances(9, middle=2)
    first, second = USUAL.shift(own), USUAL.shift(own[::-1])
    np.testing.assert_allclose(first.offset, second.offset, atol=1e-5)
    assert first.utterances == second.utterances == 9


def test_what_is_kept_is_what_was_used() -> None:
    kept = Usual.from_dict(USUAL.to_dict())
    np.testing.assert_array_equal(kept.mean, USUAL.mean)
    np.testing.assert_array_equal(kept.deviation, USUAL.deviation)
    assert kept.strength == pytest.approx(USUAL.strength)
