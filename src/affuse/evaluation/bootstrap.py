"""Two models on the same test samples: the difference over further seeds and further samples.

A seed's score depends on its training and on which samples were drawn for the test. Seeds and
samples are crossed: every seed is tested on all samples, as readers and cases are in studies of
diagnosis, whose analysis is used (Obuchowski and Rockette 1995, "Hypothesis testing of diagnostic
accuracy for multiple readers and multiple tests", Communications in Statistics 24(2)). With d_s the
difference of two models for seed s of S, and d*_s its value when the samples are drawn anew,

    variance of the mean d  =  var(d_s) / S  +  max(0, mean over s != t of cov(d*_s, d*_t))

The first part is what seeds add, with the luck of samples that they do not share. It is the
variance of a bootstrap over seeds, which is known without draws, times S / (S - 1): a bootstrap
over few seeds is too narrow. The second is what samples add to all seeds alike; it comes from a
bootstrap over samples that takes the same ones for both models and all seeds.

The interval reaches t standard errors to both sides. Two rules for t are known where a variance
has two parts of unlike certainty. Satterthwaite's degrees of freedom, as Hillis (2007, Statistics
in Medicine 26(3)) takes them, make it too short for few seeds, since a part that comes out small
counts as certain: at three seeds it holds the truth in 92% of cases. The mean of the two quantiles
of Student's t, weighted by the parts (Cochran and Cox 1957, "Experimental Designs"), makes it too
long: 97%. Half way between, as here, it is 94 to 97% (`benchmarks/interval_coverage.py`).

Samples of one speaker or video are alike, and a test part has far fewer of those than samples. So
what is drawn are groups, where samples have them, each with all of its samples; a sample without a
group is one by itself. The second variance then has G - 1 degrees of freedom, and a bootstrap over
G groups gives (G - 1) / G of it, for which it is corrected. Of several folds, a draw counts each by
how many of its groups were taken: a fold of few speakers differs from another by who they are, and
the mean of folds is the mean of all speakers. That folds share training samples is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtrit

from affuse.evaluation.statistics import PairedDifference
from affuse.metrics.definitions import Array
from affuse.metrics.scores import resampled
from affuse.tasks import Task

RESAMPLES = 1000
"""A variance from so many draws is within 9% of its value, an interval's width within 4%."""
SEED = 20_230_513
LEAST_P = 1e-9
"""Anything below is given as this."""
# Resampled together: so many weights fit a processor's cache.
_CHUNK = 100


@dataclass(frozen=True)
class FoldAnswers:
    """What S seeds of a model answered to one fold's test part of N samples."""

    ids: Sequence[Hashable]
    target: Array  # `(N, K)`
    predictions: Array  # raw outputs `(S, N, C)`
    groups: Sequence[Hashable | None] = ()  # of each sample, where there are any


@dataclass(frozen=True)
class Scores:
    """One metric of a model, averaged over folds.

    Attributes:
        measured: `(S,)`, one score a seed.
        redrawn: `(R, S)`, the same with the test samples drawn anew; draw r takes the same samples
            of whichever model.
        units: how many were drawn from: groups of samples, or samples, of all folds.
        drawn: what they are, in words.
    """

    measured: Array
    redrawn: Array
    units: int
    drawn: str = "test samples"

    @property
    def statistic(self) -> str:
        return f"paired bootstrap over {self.drawn} and seeds, two-sided"


def resampled_scores(
    task: Task, folds: Sequence[FoldAnswers], metrics: Sequence[str]
) -> dict[str, Scores]:
    """Each metric as measured and as redrawn, from what a model said of every fold.

    Samples, or groups of them, that several folds test are drawn for all of them at once.
    """
    units, drawn = _units(folds)
    place = {name: column for column, name in enumerate(dict.fromkeys(u for f in units for u in f))}
    columns = [[place[name] for name in fold] for fold in units]
    draws: list[Array] = np.split(_drawn(len(place)), RESAMPLES // _CHUNK)

    def averaged(weights: Array) -> dict[str, Array]:
        shares = np.stack([weights[:, sorted({*chosen})].mean(axis=1) for chosen in columns])
        each = [
            resampled(task, fold.predictions, fold.target, weights[:, chosen], metrics)
            for fold, chosen in zip(folds, columns, strict=True)
        ]
        return {name: _mean([scores[name] for scores in each], shares) for name in metrics}

    parts = [averaged(w.astype(np.float64)) for w in (np.ones((1, len(place))), *draws)]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in metrics}
    return {name: Scores(rows[0], rows[1:], len(place), drawn) for name, rows in whole.items()}


def _units(folds: Sequence[FoldAnswers]) -> tuple[list[list[Hashable]], str]:
    """What is drawn with each sample of each fold, and what that is in words."""
    units: list[list[Hashable]] = [
        [
            ("sample", name) if group is None else ("group", group)
            for name, group in zip(fold.ids, fold.groups or [None] * len(fold.ids), strict=True)
        ]
        for fold in folds
    ]
    samples, known = ({u for fold in x for u in fold} for x in ([f.ids for f in folds], units))
    if len(known) == len(samples):
        return units, "test samples"
    if len(known) == 1:
        # Nothing tells how another group would differ.
        return [list(fold.ids) for fold in folds], "test samples (all of one group)"
    return units, f"{len(known)} groups of test samples"


def _mean(scores: Sequence[Array], shares: Array) -> Array:
    """Of scores `(R, S)` of each of F folds, by how much of each was drawn, `(F, R)`."""
    if len(scores) == 1:
        return scores[0]
    weights = np.broadcast_to(shares[..., None], (len(scores), *scores[0].shape))
    # A fold of which nothing was drawn has no score, and no say.
    known = np.where(weights > 0, np.stack(scores), 0.0)
    return np.asarray((known * weights).sum(axis=0) / weights.sum(axis=0))


@lru_cache(maxsize=1)
def _drawn(count: int) -> NDArray[np.uint16]:
    """How often each of `count` samples is taken in each resample, the same at every call."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.uint16)


def paired_bootstrap(a: Scores, b: Scores) -> PairedDifference:
    """The difference `a - b` over seeds that both have, in the same order.

    Its interval is about the mean over further seeds and samples; of a single seed about further
    samples alone. Where the metric has no value (nan), there is no interval and no p.
    """
    d, redrawn = a.measured - b.measured, a.redrawn - b.redrawn
    mean, std = float(d.mean()), float(d.std(ddof=1)) if len(d) > 1 and np.ptp(d) else 0.0
    whole = redrawn[np.isfinite(redrawn).all(axis=1)]
    if not np.isfinite(mean) or len(whole) < 2:
        return PairedDifference(mean, std, (math.nan, math.nan), tuple(d.tolist()), math.nan)
    error = _Error(*_variances(std, whole, a.units), len(d) - 1, max(a.units - 1, 1))
    half = error.reach(0.05)
    return PairedDifference(mean, std, (mean - half, mean + half), tuple(d.tolist()), error.p(mean))


def _variances(std: float, redrawn: Array, units: int) -> tuple[float, float]:
    """Parts of the variance of the mean difference that seeds and that samples add.

    By the deviation of the seeds' differences, and differences `(R, S)` of N units redrawn.
    """
    draws, seeds = redrawn.shape
    centred = redrawn - redrawn.mean(axis=0)
    covariance = np.einsum("rs,rt->st", centred, centred) / (draws - 1)
    # Redrawn from N units, a mean varies by (N - 1) / N of what further samples would give.
    covariance *= units / max(units - 1, 1)
    if seeds == 1:
        return 0.0, float(covariance[0, 0])
    shared = float(covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))
    return std**2 / seeds, max(shared, 0.0)


@dataclass(frozen=True)
class _Error:
    """Two parts of a variance, each with the degrees of freedom of its estimate."""

    first: float
    second: float
    first_freedom: int
    second_freedom: int

    def reach(self, p: float) -> float:
        """Half the width of the interval that leaves out a share of p."""
        variance = self.first + self.second
        if variance == 0:
            return 0.0
        parts = ((self.first, self.first_freedom), (self.second, self.second_freedom))
        known = [(part, freedom) for part, freedom in parts if part]
        freedom = variance**2 / sum(part**2 / f for part, f in known)
        satterthwaite = -float(stdtrit(freedom, p / 2))
        cochran = -sum(part * float(stdtrit(f, p / 2)) for part, f in known) / variance
        return (satterthwaite + cochran) / 2 * math.sqrt(variance)

    def p(self, mean: float) -> float:
        """Two-sided: the share left out by the interval that just reaches zero."""
        if mean == 0:
            return 1.0
        if self.reach(LEAST_P) <= abs(mean):
            return LEAST_P if self.first + self.second else 0.0
        return float(brentq(lambda p: self.reach(p) - abs(mean), LEAST_P, 1.0, xtol=1e-12))
