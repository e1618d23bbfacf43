"""By what copies of a sound are told, whatever their codec, level or the silence at their ends.

Haitsma and Kalker (2002), "A Highly Robust Audio Fingerprinting System", ISMIR: one word of 32 bits
a hop says, for each pair of neighbouring bands, whether their difference in energy grows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.extract.voice import RATE
from affuse.samples import FloatArray

HOP = 0.02
"""Seconds from one word to the next."""
ALIKE = 0.2
"""Share of different bits below which two sounds are copies.

Unrelated ones differ in half of their bits, two takes of one sentence by one actor in 0.28 or more,
and what a codec of few bits made of a sound in less than 0.11 (RAVDESS).
"""

_RATE = RATE // 2
_FRAME, _BANDS, _LOWEST, _HIGHEST = 0.4, 33, 300.0, 3400.0
# Below this, relative to the loudest, bits are of noise.
_QUIET = 1e-3
# Words that two sounds must share in time: what is shorter is alike by chance.
_FEWEST = 40
# Sounds that have one word in common with more others than that share a hum, not a copy.
_COMMON = 64


def fingerprint(signal: FloatArray) -> tuple[int, ...]:
    """The words of a sound, one every 20 ms; 0 where it is quiet, none where it is too short.

    The signal is `(N,)`, 16 kHz, mono.
    """
    length, hop = round(_FRAME * _RATE), round(HOP * _RATE)
    # Pairs of samples averaged: what lies above a telephone's band is not looked at.
    signal = signal[: len(signal) // 2 * 2].reshape(-1, 2).mean(axis=1)
    if len(signal) < length + hop or not np.isfinite(signal).all():
        return ()
    frames = np.lib.stride_tricks.sliding_window_view(signal, length)[::hop]
    energy = np.abs(np.fft.rfft(frames * np.hanning(length))) ** 2 @ _bands(length)
    slope = np.diff(energy, axis=1)
    bits = np.diff(slope, axis=0) > 0
    words = bits @ (1 << np.arange(_BANDS - 1, dtype=np.int64))
    loud = energy.sum(axis=1)[1:]
    return tuple(np.where(loud > _QUIET * max(loud.max(), 1e-9), words, 0).tolist())


@cache
def _bands(length: int) -> NDArray[Any]:
    """Which bins of a spectrum are in which band, `(bins, 33)`; bands are equally wide in octaves.

    They reach as high as a telephone does.
    """
    edges = np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1)
    bins = np.fft.rfftfreq(length, 1 / _RATE)[:, None]
    return ((bins >= edges[:-1]) & (bins < edges[1:])).astype(np.float64)


def copies(prints: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The pairs of sounds, by their numbers, that are copies of each other or of a part."""
    words = [np.array(each, np.int64) for each in prints]
    found = []
    for pair, offsets in _candidates(words).items():
        first, second = (words[number] for number in pair)
        if any(_differ(first, second, offset) < ALIKE for offset in offsets):
            found.append(pair)
    return sorted(found)


def _candidates(words: Sequence[NDArray[Any]]) -> dict[tuple[int, int], set[int]]:
    """Pairs that have a word in common, and by how much later it comes in the first."""
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, sound in enumerate(words):
        for place in np.flatnonzero(sound).tolist():
            places[int(sound[place])].append((number, place))
    found: dict[tuple[int, int], set[int]] = defaultdict(set)
    for there in places.values():
        if len({number for number, _ in there}) > _COMMON:
            continue
        for at, (first, place) in enumerate(there):
            for second, other in there[at + 1 :]:
                if first != second:
                    found[first, second].add(place - other)
    return found


def _differ(first: NDArray[Any], second: NDArray[Any], offset: int) -> float:
    """The share of bits that differ where both are heard; 1 where that is too short."""
    first, second = first[max(0, offset) :], second[max(0, -offset) :]
    count = min(len(first), len(second))
    first, second = first[:count], second[:count]
    heard = (first != 0) & (second != 0)
    if heard.sum() < _FEWEST:
        return 1.0
    return float(np.bitwise_count(first[heard] ^ second[heard]).mean()) / (_BANDS - 1)
