"""Which of several mouths moves with a voice, where both are made."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.extract.face.speaking import Mouth, who_speaks
from affuse.samples import FloatArray

SECONDS = 3.0


def loudness(seed: int) -> FloatArray:
    """How loud somebody speaks, 100 times a second: syllables, four or so a second."""
    rng = np.random.default_rng(seed)
    peaks = np.cumsum(rng.uniform(0.15, 0.4, 12))
    time = np.arange(0, SECONDS, 0.01)[:, None]
    heights = rng.uniform(0.3, 1.0, len(peaks))
    return np.asarray((heights * np.exp(-(((time - peaks) / 0.06) ** 2))).sum(axis=1))


def voice(seed: int) -> FloatArray:
    noise = np.random.default_rng(9).standard_normal(round(SECONDS * 16_000))
    return (0.1 * np.repeat(loudness(seed), 160) * noise).astype(np.float32)


def mouth(seed: int, fps: float = 12.5, amount: float = 10.0) -> Mouth:
    opened, rng = loudness(seed), np.random.default_rng(seed)
    times = np.arange(0, SECONDS, 1 / fps)
    return [(t, amount * opened[int(100 * t)] + rng.normal(0, 0.3)) for t in times.tolist()]


@pytest.mark.parametrize("said", [0, 1, 2])
def test_who_moves_with_the_voice_is_told(said: int) -> None:
    mouths = {seed + 1: mouth(seed) for seed in range(3)}
    assert who_speaks(mouths, 0.0, voice(said)) == said + 1


def test_where_mouths_rest_nobody_is_told() -> None:
    assert who_speaks({1: mouth(4, amount=0), 2: mouth(5, amount=0)}, 0.0, voice(3)) is None
    assert who_speaks({1: mouth(0)}, 0.0, np.zeros(0, np.float32)) is None


def test_of_few_pictures_it_takes_one_that_moves_while_the_other_rests() -> None:
    still = [(time, 3.0) for time, _ in mouth(0, fps=5)]
    assert who_speaks({1: still, 2: mouth(1, fps=5)}, 0.0, voice(1)) == 2
    assert who_speaks({1: still, 2: still}, 0.0, voice(1)) is None
