"""How well a score ranks what is true above what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def auroc(score: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> float:
    """Probability that a true sample scores above a false one, ties half; nan without both.

    Args:
        score: `(N,)`.
        truth: `(N,)`.
    """
    from scipy.stats import rankdata

    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(score)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
