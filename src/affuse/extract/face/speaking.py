"""Which of several mouths moves with a voice.

A mouth opens while a voice gets louder between 1 and 3 kHz, where its second resonance lies (Grant
and Seitz 2000, Journal of the Acoustical Society of America 108(3)): the change of the one goes
with that of the other, in steps of 40 ms. `benchmarks/who_speaks.py` has how often that tells five
GRID speakers from each other, who say sentences of one rhythm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from affuse.extract.face import Face
from affuse.extract.face.measures import MEASURE_NAMES
from affuse.extract.voice import RATE
from affuse.samples import FloatArray

_OPEN = [MEASURE_NAMES.index(name) for name in ("lips_part", "jaw_drop")]

Mouth = Sequence[tuple[float, float]]
"""Seconds, and how far a mouth is open then, in their order."""

_STEP = 0.04
# How much a mouth changes, in percent of the distance of the eyes: one that rests less (GRID's
# speakers 2.7 or more), and one that speaks so many times more than one that rests.
_RESTS, _MORE = 1.0, 3.0
# A correlation is believed from here on, which chance reaches the less the longer it is; with fewer
# pictures a second, from further on.
_SURE, _CHANCE, _OFTEN, _SELDOM = 0.2, 0.35, 10.0, 0.35
# Hertz that are listened to, and samples that a step of them is made of.
_BAND, _HEARD = (1000.0, 3000.0), 960


def opening(face: Face) -> float:
    """How far a mouth is open, in percent of the distance of the eyes from the neutral face."""
    return float(face.measures[_OPEN].sum())


def who_speaks(mouths: Mapping[int, Mouth], start: float, signal: FloatArray) -> int | None:
    """Of several mouths the one that moves with a voice; None where that cannot be told.

    Args:
        mouths: number of a person to a mouth, within the seconds of the signal.
        start: the second at which the signal, `(N,)`, 16 kHz, starts.
    """
    length = len(signal) / RATE
    grid = np.arange(start, start + length - _STEP / 2, _STEP)
    if len(grid) < 10:
        return None
    voice = _changes(_level(signal, len(grid)))
    moves = {
        number: _changes(np.interp(grid, [t for t, _ in mouth], [far for _, far in mouth]))
        for number, mouth in mouths.items()
        if len(mouth) > 1
    }
    amounts = {number: float(move.std()) for number, move in moves.items()}
    alike = {
        number: _correlation(move, voice) if amounts[number] > _RESTS else 0.0
        for number, move in moves.items()
    }
    if not alike:
        return None
    best = max(alike, key=alike.__getitem__)
    often = min(len(mouths[number]) for number in moves) / length >= _OFTEN
    if alike[best] >= max(_SURE if often else _SELDOM, _CHANCE / np.sqrt(length)):
        return best
    still = max((amount for number, amount in amounts.items() if number != best), default=0.0)
    return best if alike[best] > 0 and amounts[best] > _MORE * still else None


def _level(signal: FloatArray, steps: int) -> FloatArray:
    """The root of the sound's amplitude in the band, in each step, `(steps,)`."""
    size = round(_STEP * RATE)
    before = (_HEARD - size) // 2
    padded = np.zeros(steps * size + _HEARD, np.float64)
    heard = signal[: steps * size + before]
    padded[before : before + len(heard)] = heard
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _HEARD)[: steps * size : size]
    power = np.abs(np.fft.rfft(pieces * np.hanning(_HEARD), axis=1)) ** 2
    pitches = np.fft.rfftfreq(_HEARD, 1 / RATE)
    band = (pitches >= _BAND[0]) & (pitches < _BAND[1])
    level: FloatArray = power[:, band].sum(axis=1) ** 0.25
    return level


def _changes(values: FloatArray) -> FloatArray:
    """Over three steps, of means of three."""
    means = np.convolve(values, np.ones(3) / 3, "valid")
    return np.asarray(means[3:] - means[:-3])


def _correlation(one: FloatArray, other: FloatArray) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9))
