"""Functionals and pooled frames against values worked by hand."""

from __future__ import annotations

import numpy as np

from affuse.extract.voice.descriptors import functionals, pool_frames

FRAMES = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [10.0]], dtype=np.float32)


def test_functionals_of_a_ramp() -> None:
    voiced = np.array([1, 1, 1, 1, 1, 0])
    found = functionals(FRAMES, voiced)
    over_all = [20 / 6, np.std([0, 1, 2, 3, 4, 10]), 0.5, 2.5, 7.0]
    over_voiced = [2.0, np.sqrt(2), 0.4, 2.0, 3.6]
    changes = [np.std([1, 1, 1, 1, 6]), 2.0]
    np.testing.assert_allclose(found, [*over_all, *over_voiced, *changes], rtol=1e-6)
    assert found.dtype == np.float32


def test_too_few_voiced_frames_count_all() -> None:
    found = functionals(FRAMES, np.array([1, 1, 0, 0, 0, 0]))
    np.testing.assert_array_equal(found[:5], found[5:10])


def test_one_frame_has_no_change() -> None:
    found = functionals(np.array([[3.0, -1.0]], np.float32), np.array([1.0]))
    assert found.shape == (24,)
    np.testing.assert_array_equal(found[-4:], 0)


def test_pooling_averages_and_keeps_the_rest() -> None:
    np.testing.assert_allclose(pool_frames(FRAMES, 4)[:, 0], [1.5, 7.0])
    assert pool_frames(FRAMES, 1) is FRAMES
    assert pool_frames(FRAMES, 50).shape == (1, 1)
