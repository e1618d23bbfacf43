"""A score as a probability: Platt's map, and how far a score is from one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from affuse.tasks import Bools, Floats

BINS = 10
# Weight, in samples, of leaving the slope of log-odds as it is.
_ASSUMED = 1.0
# Weight, in squares, of a distance that says nothing.
_RIDGE = 1e-2


@dataclass(frozen=True)
class Platt:
    """p = sigmoid(slope * s + offset) for a score s (Platt 1999)."""

    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def of_log_odds(cls, log_odds: Floats, truth: Bools) -> Platt:
        """By maximum likelihood, with targets that Platt drew in from 0 and 1 for few samples.

        The slope is held near 1 by the weight of one sample. The offset is free: it holds how
        frequent conflicts are, of which the training part may know nothing. Both are `(N,)`.
        """
        positives, negatives = truth.sum(), (~truth).sum()
        target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))

        def loss(slope: float, offset: float) -> float:
            said = slope * log_odds + offset
            misfit = (np.logaddexp(0.0, said) - target * said).sum()
            return float(misfit + 0.5 * _ASSUMED * (slope - 1) ** 2)

        return cls._fit(loss, start=(1.0, 0.0), least_slope=1e-2)

    @classmethod
    def of_distance(cls, distance: Floats, truth: Bools) -> Platt:
        """By maximum likelihood, with a little weight on no slope, which is never below zero.

        Of distances `(N,)`, zero or more, and truth `(N,)`.
        """
        sign = np.where(truth, 1.0, -1.0)

        def loss(slope: float, offset: float) -> float:
            misfit = np.logaddexp(0.0, -sign * (slope * distance + offset)).sum()
            return float(misfit + _RIDGE * slope**2 + offset**2)

        return cls._fit(loss, start=(0.0, 0.0), least_slope=0.0)

    @classmethod
    def _fit(
        cls, loss: Callable[[float, float], float], start: tuple[float, float], least_slope: float
    ) -> Platt:
        from scipy.optimize import minimize  # slow to import, and not for prediction

        def both(p: Floats) -> float:
            return loss(p[0], p[1])

        bounds = [(least_slope, None), (None, None)]
        slope, offset = minimize(both, np.array(start), bounds=bounds).x
        return cls(float(slope), float(offset))

    def __call__(self, score: Floats) -> Floats:
        """Scores to probabilities of the same shape."""
        p: Floats = 1 / (1 + np.exp(-(self.slope * score + self.offset)))
        return p


@dataclass(frozen=True)
class Reliability:
    """What was said against what was found, over ten equal bins of what was said.

    Attributes:
        said: mean of each bin that holds samples.
        found: mean of the truth in it.
        count: samples in it.
        error: mean distance of `said` and `found`, by `count`.
    """

    said: tuple[float, ...]
    found: tuple[float, ...]
    count: tuple[int, ...]
    error: float


def reliability(said: Floats, found: Floats, low: float = 0.0, high: float = 1.0) -> Reliability:
    """Bin what was said, `(N,)` in [low, high], with what was found, `(N,)`."""
    place = ((said - low) / (high - low) * BINS).astype(np.int64).clip(0, BINS - 1)
    count = np.bincount(place, minlength=BINS)
    some = count > 0
    sums = [np.bincount(place, weights=values, minlength=BINS)[some] for values in (said, found)]
    means = [tuple((values / count[some]).tolist()) for values in sums]
    error = float(np.abs(sums[0] - sums[1]).sum() / max(len(said), 1))
    return Reliability(means[0], means[1], tuple(count[some].tolist()), error)


def expected_calibration_error(probability: Floats, truth: Bools) -> float:
    """Mean distance between probability and share of truth over ten equal bins, by their size.

    Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning". In [0, 1];
    a perfect score of few samples does not reach 0, since shares of few samples scatter. Both are
    `(N,)`.
    """
    return reliability(probability, truth.astype(np.float64)).error
