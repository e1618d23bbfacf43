"""Means over samples with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affuse.explain.tendency import Floats

_RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A mean over samples and its 95% interval, by the percentiles of the bootstrap.

    It says where the mean over other samples of the kind would lie, of the same trained model.
    """

    mean: float
    ci95: tuple[float, float]


def estimate(values: Floats, seed: int = 0) -> Estimate:
    """The mean of `(N,)`, leaving out nan; nan where nothing is left."""
    (only,) = estimates(values[:, None], seed)
    return only


def estimates(values: Floats, seed: int = 0) -> list[Estimate]:
    """The means of the columns of `(N, K)` over the same resamples, each leaving out its nan."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    if not len(values):
        return [Estimate(float("nan"), (float("nan"), float("nan")))] * values.shape[1]
    rng = np.random.default_rng(seed)
    # How often each sample is drawn: the mean is then a product, however many columns there are.
    draws = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), _RESAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (draws @ filled) / (draws @ known.astype(np.float64))
        centre = filled.sum(axis=0) / known.sum(axis=0)
    found = []
    for column in range(values.shape[1]):
        usable = means[np.isfinite(means[:, column]), column]
        ends = np.percentile(usable, [2.5, 97.5]) if len(usable) else [float("nan")] * 2
        found.append(Estimate(float(centre[column]), (float(ends[0]), float(ends[1]))))
    return found
