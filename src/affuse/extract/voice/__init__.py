"""What the readers of the voice share: the rate of sound, and filters of its spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.samples import FloatArray

RATE = 16_000
"""Samples a second of all sound that is decoded here."""


def require_signal(signal: FloatArray, shortest: float) -> None:
    """Raise `InputError` unless a signal is `(N,)`, finite and of `shortest` samples or more."""
    if signal.ndim != 1 or len(signal) < shortest or not np.isfinite(signal).all():
        remedy = "give finite mono samples, at least 20 ms of them"
        raise InputError(f"a signal of shape {signal.shape}", remedy=remedy)


def triangles(edges: NDArray[Any], bins: NDArray[Any]) -> NDArray[Any]:
    """Triangles of height 1, `(n, bins)`, each from an edge over the next, its peak, to the third.

    Args:
        edges: rising frequencies in Hz, `(n + 2,)`.
        bins: the frequency of each bin of a spectrum, `(bins,)`.
    """
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    heights: NDArray[Any] = np.clip(np.minimum(rising, falling), 0, None)
    return heights
