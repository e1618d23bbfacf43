"""Triangular filters, of which mel spectra are made on whichever mel scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def triangles(edges: NDArray[Any], bins: NDArray[Any]) -> NDArray[Any]:
    """Triangles of height 1, each from one edge over the next, its peak, to the one after.

    Args:
        edges: rising frequencies in Hz, `(n + 2,)`.
        bins: the frequency of each bin of a spectrum, `(bins,)`.

    Returns:
        `(n, bins)`.
    """
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    heights: NDArray[Any] = np.clip(np.minimum(rising, falling), 0, None)
    return heights
