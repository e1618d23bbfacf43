"""The field's metrics, each defined once, for samples that count any number of times.

A metric is `(prediction (S, N), truth (N,), weights (R, N)) -> scores (R, S)`: S predictors in R
resamples of N samples, each sample weighted by how often it is taken. Predictions and truth are
values, class indices or flags. `affuse.metrics.scores` names them and explains their habits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Metric = Callable[[Array, Array, Array], Array]


def _total(weights: Array, values: Array) -> Array:
    """Weighted sums `(R, S)` of `(S, N)`."""
    # Not a matrix product: how that is summed depends on the number of threads.
    return np.asarray(np.einsum("rn,sn->rs", weights, values.astype(np.float64)))


def _ratio(part: Array, whole: Array) -> Array:
    """Their quotient, nan where `whole` is 0."""
    nowhere = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.asarray(np.divide(part, whole, out=nowhere, where=whole > 0))


def _mean(weights: Array, values: Array) -> Array:
    return _ratio(_total(weights, values), weights.sum(axis=1, keepdims=True))


def _mae(prediction: Array, truth: Array, weights: Array) -> Array:
    return _mean(weights, np.abs(prediction.astype(np.float64) - truth))


def _pearson(prediction: Array, truth: Array, weights: Array) -> Array:
    x, y = _standardise(prediction), _standardise(truth[None])
    mean_x, mean_y = _mean(weights, x), _mean(weights, y)
    var_x, var_y = _mean(weights, x * x) - mean_x**2, _mean(weights, y * y) - mean_y**2
    # Rounding leaves a constant a little variance, at this scale never as much.
    varies = np.minimum(var_x, var_y) > 1e-12
    together = _mean(weights, x * y) - mean_x * mean_y
    r = together / np.sqrt(np.where(varies, var_x * var_y, 1.0))
    return np.where(varies, np.clip(r, -1.0, 1.0), 0.0)


def _ccc(prediction: Array, truth: Array, weights: Array) -> Array:
    """Lin's concordance: 2 cov(x, y) / (var x + var y + (mean x - mean y)^2)."""
    origin = truth.mean(dtype=np.float64) if len(truth) else 0.0
    x, y = prediction.astype(np.float64) - origin, truth[None].astype(np.float64) - origin
    mean_x, mean_y = _mean(weights, x), _mean(weights, y)
    twice = 2 * (_mean(weights, x * y) - mean_x * mean_y)
    # The mean square of x - y is what the denominator has beyond 2 cov(x, y).
    return np.clip(_ratio(twice, twice + _mean(weights, (x - y) ** 2)), -1.0, 1.0)


def _standardise(values: Array) -> Array:
    """Each row centred, its largest deviation 1; zero where it is constant."""
    centred = values.astype(np.float64)
    constant = np.ptp(centred, axis=1, keepdims=True) == 0
    centred -= centred.mean(axis=1, keepdims=True)
    # Squares of a tiny spread would underflow to a variance of zero.
    largest = np.abs(centred).max(axis=1, keepdims=True)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, largest))


def _accuracy(prediction: Array, truth: Array, weights: Array) -> Array:
    return _mean(weights, prediction == truth)


def _counts(prediction: Array, truth: Array, weights: Array) -> tuple[Array, Array, Array]:
    """For each class, last: how often it is predicted rightly, predicted, and true."""
    classes = range(int(max(prediction.max(initial=0), truth.max(initial=0))) + 1)
    says, is_true = ([each == c for c in classes] for each in (prediction, truth[None]))
    hits = [s & t for s, t in zip(says, is_true, strict=True)]
    hit, said, true = (
        np.stack([_total(weights, flags) for flags in each], axis=-1)
        for each in (hits, says, is_true)
    )
    return hit, said, true


def _f1_by(share: Callable[[Array, Array], Array]) -> Metric:
    """F1 of each class, averaged with weights that follow from how often it is said and true."""

    def score(prediction: Array, truth: Array, weights: Array) -> Array:
        hit, said, true = _counts(prediction, truth, weights)
        shares = share(said, true)
        each = 2 * hit / np.maximum(said + true, 1)
        return _ratio((shares * each).sum(axis=-1), shares.sum(axis=-1))

    return score


_f1 = _f1_by(lambda said, true: np.broadcast_to(true, said.shape))
_f1_swapped = _f1_by(lambda said, true: said)  # noqa: ARG005 - what weights it is not the truth
# Over the classes that occur, in truth or in prediction.
_f1_macro = _f1_by(lambda said, true: said + true > 0)


def _uar(prediction: Array, truth: Array, weights: Array) -> Array:
    """Mean recall over the classes that occur in truth."""
    hit, _, true = _counts(prediction, truth, weights)
    return _ratio((hit / np.maximum(true, 1)).sum(axis=-1), (true > 0).sum(axis=-1))


def _weighted_accuracy(prediction: Array, truth: Array, weights: Array) -> Array:
    """(tp n/p + tn) / 2n over p positive and n negative truths (Zadeh et al. 2018, MOSEI)."""
    positive = _mean(weights, truth[None])
    both = (positive > 0) & (positive < 1)
    return np.where(both, _uar(prediction, truth, weights), np.nan)


def _nonzero(metric: Metric) -> Metric:
    def score(prediction: Array, truth: Array, weights: Array) -> Array:
        kept = truth != 0
        return metric(prediction[:, kept] > 0, truth[kept] > 0, weights[:, kept])

    return score


def _haszero(metric: Metric) -> Metric:
    return lambda prediction, truth, weights: metric(prediction >= 0, truth >= 0, weights)


def _rounded(limit: float) -> Metric:
    """Agreement after clipping to [-limit, limit] and rounding to whole numbers."""

    def score(prediction: Array, truth: Array, weights: Array) -> Array:
        x, y = (np.round(np.clip(v, -limit, limit)) for v in (prediction, truth))
        return _accuracy(x, y, weights)

    return score


def _binned(*edges: float) -> Metric:
    """Agreement of bins (low, high], as CH-SIMS is scored (Yu et al. 2020); 0 is negative."""

    def bins(values: Array) -> Array:
        # Edges in the values' own precision: a float32 0.1 exceeds the float64 one.
        return np.asarray(np.digitize(values, np.asarray(edges, values.dtype), right=True))

    return lambda prediction, truth, weights: _accuracy(bins(prediction), bins(truth), weights)


REGRESSION: dict[str, Metric] = {
    "mae": _mae,
    "corr": _pearson,
    "ccc": _ccc,
    "acc2_nonzero": _nonzero(_accuracy),
    "f1_nonzero": _nonzero(_f1),
    "f1_nonzero_swapped": _nonzero(_f1_swapped),
    "acc2_haszero": _haszero(_accuracy),
    "f1_haszero": _haszero(_f1),
    "acc7": _rounded(3),
    "acc5": _rounded(2),
    "sims_acc2": _binned(0.0),
    "sims_acc3": _binned(-0.1, 0.1),
    "sims_acc5": _binned(-0.7, -0.1, 0.1, 0.7),
}

CLASSIFICATION: dict[str, Metric] = {
    "accuracy": _accuracy,
    "f1_weighted": _f1,
    "f1_weighted_swapped": _f1_swapped,
    "f1_macro": _f1_macro,
    "uar": _uar,
}

BINARY: dict[str, Metric] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "f1_swapped": _f1_swapped,
    "weighted_accuracy": _weighted_accuracy,
}
