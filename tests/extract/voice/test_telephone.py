"""A voice through a telephone is much the same to the features."""

from __future__ import annotations

import numpy as np
from scipy.signal import resample_poly

from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.extract.voice import RATE
from affuse.extract.voice.descriptors import floored, levelled, voice_frames
from affuse.samples import FloatArray


def voice() -> FloatArray:
    """Two seconds of harmonics that fall by 9 dB an octave, with breath, louder and softer."""
    time = np.arange(2 * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * 150 * n * time + n * n) / n**1.5 for n in range(1, 50))
    breath = 0.02 * np.random.default_rng(1).standard_normal(len(time))
    signal: FloatArray = ((tones + breath) * (1 + np.sin(8 * time)) * 0.1).astype(np.float32)
    return signal


def telephone(signal: FloatArray) -> FloatArray:
    """At 8 kHz, in 8 bits by mu-law, as G.711 has it."""
    narrow = np.clip(resample_poly(signal, 1, 2), -1, 1)
    steps = np.round(127 * np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)) / 127
    heard = np.sign(steps) * (256 ** np.abs(steps) - 1) / 255
    return np.asarray(resample_poly(heard, 2, 1), np.float32)


def shift(make: object) -> float:
    """By how much the mean of the cepstra is moved, in their deviations, on average."""
    plain, heard = (
        voice_frames(make(levelled(s)), RATE, cepstra=20).features[:, -20:]  # type: ignore[operator]
        for s in (voice(), telephone(voice()))
    )
    return float((np.abs(plain.mean(axis=0) - heard.mean(axis=0)) / plain.std(axis=0)).mean())


def test_empty_bands_do_not_shift_the_cepstra() -> None:
    assert shift(floored) < 0.25
    assert shift(lambda signal: signal) > 4 * shift(floored)


def test_the_floor_is_the_same_each_time_and_told() -> None:
    signal = voice()
    assert np.array_equal(floored(signal), floored(signal))
    below = 20 * np.log10((floored(signal) - signal).std() / 0.1)
    assert abs(below + 30) < 0.1
    assert "floored" in ClipFeatures(ClipSettings()).versions["audio"]
