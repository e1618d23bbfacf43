"""The voice as a speech recogniser hears it: hidden states of Whisper's encoder every 20 ms.

The model is tiny.en of Radford et al. (2023), "Robust Speech Recognition via Large-Scale Weak
Supervision", ICML, run by onnxruntime; `scripts/encoders_to_onnx.py` makes the file.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract import session
from affuse.extract.voice import RATE, require_signal, triangles
from affuse.samples import FloatArray

LAYERS = (2, 3)
"""Which of the encoder's four layers are read, counted from 1.

The last layers know what was said, and forget how: a logistic regression on the middle ones tells
the emotions of a corpus that it did not learn from in 0.55 (UAR, adapted to each speaker), on the
last in 0.47.
"""
NAME = f"Whisper tiny.en encoder states of layers {' and '.join(map(str, LAYERS))}, 20 ms"
VERSION = 3
HOP = 0.02
"""Seconds from one state to the next."""
WIDTH = 384 * len(LAYERS)
WINDOW = 30.0
"""Seconds of sound that the encoder takes at most; longer sound is cut into equal windows."""

_STEP = 320
_MEL_BANDS, _MEL_WINDOW, _MEL_HOP = 80, 400, 160
# Slaney's mel scale: linear up to 1000 Hz, which is 15 mel, and 27 mel to each factor of 6.4 above.
_LINEAR, _LOG = 15, np.log(6.4) / 27


def speech_name() -> str:
    """The name of the features that `speech_frames` returns."""
    return f"{NAME}, v{VERSION}"


def speech_frames(signal: FloatArray, rate: int) -> FloatArray:
    """Hidden states of the encoder, one a full 20 ms: float32 `(N // 320, 768)`.

    Those of `LAYERS` stand side by side.

    Sound of more than 30 s is encoded in the fewest equal windows, each by itself. Unlike
    Whisper's own recogniser, which fills each window with silence up to 30 s, the encoder is given
    the sound alone: a tenth of the work for a clip of 3 s. State t is of sound from 0.02 t s on.

    The signal is `(N,)`, full scale 1, mono, finite, at least 20 ms of 16000 samples a second, as
    `affuse.extract.voice.descriptors.read_audio` returns it.

    Raises:
        InputError: another signal or rate.
    """
    require_signal(signal, _STEP)
    if rate != RATE:
        raise InputError(f"a signal of {rate} samples a second", remedy=f"resample it to {RATE}")
    steps = len(signal) // _STEP
    whole = signal[: steps * _STEP].reshape(steps, _STEP)
    windows = np.array_split(whole, -(-steps // round(WINDOW / HOP)))
    return np.concatenate([_encode(window.ravel()) for window in windows])


def _encode(signal: FloatArray) -> FloatArray:
    """States of one window, whose length is a multiple of 320."""
    (states,) = session("voice_states").run(["states"], {"bands": _log_mel(signal)[None]})
    return np.asarray(states[0])


def _log_mel(signal: FloatArray) -> FloatArray:
    """What Whisper's encoder takes: `(80, N // 160)` of a signal whose length 160 divides."""
    padded = np.pad(signal, _MEL_WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _MEL_WINDOW)[:-1:_MEL_HOP]
    # The periodic form of the window, which a spectrum needs, lacks the last point.
    taper = np.hanning(_MEL_WINDOW + 1)[:-1]
    spectrum = np.fft.rfft(windows * taper)
    power = _mel_filters() @ (spectrum.real**2 + spectrum.imag**2).T
    bands = np.log10(np.maximum(power, 1e-10))
    bands = (np.maximum(bands, bands.max() - 8) + 4) / 4
    return np.ascontiguousarray(bands, dtype=np.float32)


@cache
def _mel_filters() -> NDArray[Any]:
    """Triangles of equal area on Slaney's mel scale from 0 to 8000 Hz, `(bands, bins)`."""
    top = _LINEAR + np.log(RATE / 2 / 1000) / _LOG
    mel = np.linspace(0, top, _MEL_BANDS + 2)
    edges = np.where(mel < _LINEAR, mel / _LINEAR * 1000, 1000 * np.exp((mel - _LINEAR) * _LOG))
    bins = np.fft.rfftfreq(_MEL_WINDOW, 1 / RATE)
    filters: NDArray[Any] = triangles(edges, bins) * 2 / (edges[2:] - edges[:-2])[:, None]
    return filters
