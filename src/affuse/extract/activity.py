"""Where in a recording somebody speaks, by Silero VAD (Silero Team, MIT licence)."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np

from affuse.errors import InputError
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
    probabilities: FloatArray = _session().run(["speech_probs"], inputs)[0]
    return probabilities


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with as_file(files("affuse.extract") / "data" / "voice_activity.onnx") as path:
        if not path.is_file():
            raise InputError(
                "the model of voice activity is not there",
                remedy="install a built affuse, or run `make setup` in a checkout",
                source=path,
            )
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
