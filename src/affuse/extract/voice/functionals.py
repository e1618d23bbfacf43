"""Functionals: what a recording's frames are like on the whole, as openSMILE's users know them."""

from __future__ import annotations

import numpy as np

from affuse.samples import FloatArray

NAME = "functionals of the voice frames (mean, deviation, percentiles; all and voiced; changes)"
STATISTICS = 12
"""Statistics of each feature."""
_FEWEST = 5
_PERCENTILES = (10, 50, 90)


def functionals(frames: FloatArray, voiced: FloatArray) -> FloatArray:
    """Statistics over time of every feature, float32 `(12 * D,)`.

    Mean, standard deviation and the 10th, 50th and 90th percentile over all frames, then the same
    over the voiced ones, as eGeMAPS separates them (Eyben et al. 2016, section 3.2), then the
    deviation and the mean size of the change from frame to frame.

    Args:
        frames: `(T, D)`, T >= 1.
        voiced: `(T,)`, above one half where voiced. With fewer than 5 such frames, all count.
    """
    chosen = frames[voiced > 0.5]
    if len(chosen) < _FEWEST:
        chosen = frames
    change = np.diff(frames, axis=0) if len(frames) > 1 else np.zeros_like(frames)
    parts = [*_moments(frames), *_moments(chosen), change.std(axis=0), np.abs(change).mean(axis=0)]
    return np.concatenate(parts).astype(np.float32)


def pool_frames(frames: FloatArray, count: int) -> FloatArray:
    """Means of `count` consecutive frames, `(ceil(T / count), D)`; the last may have fewer."""
    if count == 1:
        return frames
    starts = np.arange(0, len(frames), count)
    sizes = np.diff(np.append(starts, len(frames)))
    sums = np.add.reduceat(frames, starts, axis=0, dtype=np.float64)
    return (sums / sizes[:, None]).astype(np.float32)


def _moments(frames: FloatArray) -> list[FloatArray]:
    percentiles = np.percentile(frames, _PERCENTILES, axis=0)
    return [frames.mean(axis=0), frames.std(axis=0), *percentiles]
