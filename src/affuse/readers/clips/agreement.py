"""How far annotators agree, and what they say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np


class Agreement(NamedTuple):
    """Of several annotators of one label."""

    label: str
    annotators: int
    clips: int  # that two or more of them have seen
    alpha: float  # Krippendorff's: 1 for the same, 0 as by chance
    tied: int = 0  # clips of which no class has the most votes


def alpha_of_values(ratings: Sequence[Sequence[float]]) -> float:
    """Krippendorff's alpha of numbers, by the squares of their differences.

    Args:
        ratings: of each clip, those that were given; clips with fewer than two tell nothing.

    Returns:
        Not a number where nothing can be told: no such clip, or all ratings are equal.
    """
    pairs = [np.array(given, np.float64) for given in ratings if len(given) > 1]
    together = np.array(list(chain.from_iterable(pairs)))
    if not together.size or np.ptp(together) == 0:
        return float("nan")
    # Mean square of the differences of ordered pairs: twice the unbiased variance.
    within = sum(2 * len(given) * given.var(ddof=1) for given in pairs) / len(together)
    return float(1 - within / (2 * together.var(ddof=1)))


def alpha_of_names(ratings: Sequence[Sequence[str]]) -> float:
    """The same of names, which are equal or not."""
    pairs = [Counter(given) for given in ratings if len(given) > 1]
    totals: Counter[str] = sum(pairs, Counter())
    count = totals.total()
    apart = count**2 - sum(n**2 for n in totals.values())
    if not apart:
        return float("nan")
    within = sum((c.total() ** 2 - sum(n**2 for n in c.values())) / (c.total() - 1) for c in pairs)
    return float(1 - (within / count) / (apart / (count * (count - 1))))


def voted(names: Sequence[str]) -> str | None:
    """The name with the most votes; None where several have as many."""
    (first, most), *rest = Counter(names).most_common()
    return None if rest and rest[0][1] == most else first
