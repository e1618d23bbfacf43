"""Copies of a sound are told, and other sounds are not copies."""

from __future__ import annotations

import numpy as np

from affuse.extract.fingerprint import HOP, copies, fingerprint


def voice_like(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Tones that glide and swell as nothing else does."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * 16_000)) / 16_000
    knots = np.linspace(0, seconds, 12)
    signal = np.zeros(len(time))
    for _ in range(8):
        pitch = np.interp(time, knots, rng.uniform(300, 3000, 12))
        swell = np.interp(time, knots, rng.uniform(0, 1, 12))
        signal += swell * np.sin(2 * np.pi * np.cumsum(pitch) / 16_000)
    return (0.05 * signal).astype(np.float32)


def test_a_quieter_noisy_cut_copy_is_told() -> None:
    sounds = [voice_like(seed) for seed in range(4)]
    rng = np.random.default_rng(9)
    noise = 0.001 * rng.normal(size=len(sounds[2])).astype(np.float32)
    copy = (0.4 * sounds[2] + noise)[4_321:-2_000]
    prints = [fingerprint(sound) for sound in (*sounds, copy)]
    assert copies(prints) == [(2, 4)]


def test_silence_and_snippets_have_no_copies() -> None:
    silent, short = np.zeros(32_000, np.float32), np.zeros(100, np.float32)
    assert set(fingerprint(silent)) == {0}
    assert fingerprint(short) == ()
    assert copies([fingerprint(silent), fingerprint(silent), ()]) == []


def test_a_word_a_hop() -> None:
    words = fingerprint(voice_like(0, seconds=2.0))
    assert abs(len(words) - (2.0 - 0.4) / HOP) <= 1
    assert all(0 <= word < 1 << 32 for word in words)
