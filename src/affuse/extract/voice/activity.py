"""Where in a recording somebody speaks, by Silero VAD (Silero Team, MIT licence)."""

from __future__ import annotations

import numpy as np

from affuse.extract.bundled import session
from affuse.samples import FloatArray

RATE = 16_000
HOP = 0.032
"""Seconds from one probability to the next."""
SPEECH = 0.5
"""The probability from which on there is speech."""

_STEP, _CONTEXT = 512, 64


def speech_probabilities(signal: FloatArray) -> FloatArray:
    """The probability of speech in every 32 ms of sound.

    Args:
        signal: `(N,)`, full scale 1, mono, 16 kHz, finite.

    Returns:
        float32 `(T,)`, T = ceil(N / 512); the last step is filled up with silence.
    """
    steps = -(-len(signal) // _STEP)
    if not steps:
        return np.zeros(0, np.float32)
    padded = np.zeros(_CONTEXT + steps * _STEP, np.float32)
    padded[_CONTEXT : _CONTEXT + len(signal)] = signal
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + _STEP)[::_STEP]
    state = np.zeros((1, 1, 128), np.float32)
    inputs = {"input": np.ascontiguousarray(pieces), "h": state, "c": state}
    probabilities: FloatArray = session("voice_activity").run(["speech_probs"], inputs)[0]
    return probabilities
