"""Runs that differ by their seed, in numbers: mean, spread, interval and paired difference.

The interval is Student's t over runs. It says where the mean over further seeds would lie on the
same test split; it says nothing of other test samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtr, stdtrit

from affuse.errors import InputError
from affuse.metrics.scores import higher_is_better, limits


@dataclass(frozen=True)
class Summary:
    """Several runs of one metric.

    Attributes:
        mean: over runs.
        std: of the sample (divided by n - 1); 0.0 for a single run.
        ci95: low and high of the 95% interval of the mean; both are the mean for a single run,
            whose spread is unknown.
        runs: the scores, in the order of their seeds.
    """

    mean: float
    std: float
    ci95: tuple[float, float]
    runs: tuple[float, ...]


@dataclass(frozen=True)
class PairedDifference(Summary):
    """Differences a - b of runs that share a seed.

    Attributes:
        p: two-sided, of a mean difference of zero; 1.0 where all differences are zero, nan for a
            single pair that differs.
    """

    p: float


def summarise(runs: Sequence[float], metric: str = "") -> Summary:
    """Mean, spread and interval of one score a seed. A run of nan makes them nan.

    Args:
        metric: beyond what it can be, the interval is cut off.

    Raises:
        InputError: no runs.
    """
    if not len(runs):
        raise InputError("no runs to summarise", remedy="run at least one seed")
    scores = np.asarray(runs, dtype=np.float64)
    mean, std, half = float(scores.mean()), 0.0, 0.0
    # Equal runs have a mean that rounding may move, and with it a spread that is not quite zero.
    if len(scores) > 1 and np.ptp(scores) != 0:
        std = float(scores.std(ddof=1))
        half = float(stdtrit(len(scores) - 1, 0.975)) * (std / float(np.sqrt(len(scores))))
    least, most = limits(metric) if metric else (-np.inf, np.inf)
    low, high = np.clip((mean - half, mean + half), least, most).tolist()
    return Summary(mean, std, (low, high), tuple(scores.tolist()))


def paired_difference(a: Sequence[float], b: Sequence[float]) -> PairedDifference:
    """Student's paired t-test of `a - b`, one score a seed, in the same order of seeds.

    Raises:
        InputError: no runs, or different numbers of them.
    """
    if len(a) != len(b):
        raise InputError(
            f"cannot pair {len(a)} runs with {len(b)}", remedy="run both models on the same seeds"
        )
    summary = summarise(np.subtract(a, b, dtype=np.float64).tolist())
    return PairedDifference(summary.mean, summary.std, summary.ci95, summary.runs, _p(summary))


def _p(difference: Summary) -> float:
    if not any(difference.runs):
        return 1.0
    if len(difference.runs) == 1:
        return float("nan")
    if difference.std == 0:
        return 0.0
    t = difference.mean / difference.std * np.sqrt(len(difference.runs))
    return float(2 * stdtr(len(difference.runs) - 1, -abs(t)))


@dataclass(frozen=True)
class Comparison:
    """The difference, one model minus another, over the seeds that they share.

    Attributes:
        metric: the corpus' headline metric.
        difference: of that.
        others: differences of further metrics, by name.
        statistic: what gave intervals and p.
    """

    metric: str
    difference: PairedDifference
    others: dict[str, PairedDifference] = field(default_factory=dict)
    statistic: str = "paired t over seeds, two-sided"

    @property
    def by_metric(self) -> dict[str, PairedDifference]:
        """All differences, that of the headline metric first."""
        return {self.metric: self.difference, **self.others}

    @property
    def verdict(self) -> str:
        """`better` or `worse` of the first, by the headline metric; or `undecided`."""
        return verdict(self.metric, self.difference)


def verdict(metric: str, difference: PairedDifference) -> str:
    """`better` or `worse` of the first model where the 95% interval excludes zero."""
    low, high = difference.ci95
    unknown = len(difference.runs) < 2 and low == high
    if unknown or not (low > 0 or high < 0):
        return "undecided"
    return "better" if (low > 0) == higher_is_better(metric) else "worse"
