"""The field's metrics by name, from a model's raw outputs and the targets.

Two habits of the field make numbers incomparable, so both are spelled out in names and headings:

- Acc2 and F1 *non-zero* drop samples whose truth is 0 and compare x > 0; *has-zero* keeps them and
  compares x >= 0 (definitions as in the published code of MulT, Tsai et al. 2019).
- A weighted F1 weights classes by how often they are true. That same code passes (prediction,
  truth) in the other order, so that predictions set the weights: such a score is named *swapped*.

Every metric is a fraction, save MAE (in the label's units), Pearson's r and the CCC, Lin's
concordance. Where one has no value it is nan, with no warning: non-zero scores without a non-zero
truth, weighted accuracy of a label that is always or never true. The correlation with a constant is
0.0, since a predictor that always says the same tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError, unknown_name
from affuse.metrics.definitions import BINARY, CLASSIFICATION, REGRESSION, Array, Metric
from affuse.tasks import BinaryLabels, Classification, Task, Values


def score_outputs(
    task: Task,
    prediction: NDArray[np.floating[Any]],
    target: NDArray[np.floating[Any]],
    metrics: Iterable[str] | None = None,
) -> dict[str, float]:
    """Score raw outputs.

    Args:
        task: gives the meaning of outputs and targets.
        prediction: raw outputs `(N, C)` of a model, not decoded.
        target: `(N, K)`.
        metrics: names; `task.metrics` by default. Beyond those a regression has `sims_acc2`,
            `sims_acc3` and `sims_acc5`; binary labels have `accuracy`, `f1`, `f1_swapped` and
            `weighted_accuracy`, each followed by `_<label>` or `_mean` (over labels); several
            values have a regression's, each followed by `_<name>` or `_mean` (over names).

    Returns:
        Metric name to score, in the order asked.

    Raises:
        InputError: an unknown metric, shapes that do not fit the task, no samples, or an output
            that is not finite.
    """
    _check(task, prediction, target)
    once = np.ones((1, len(target)))
    scores = resampled(task, prediction[None], target, once, metrics)
    return {name: float(score[0, 0]) for name, score in scores.items()}


def resampled(
    task: Task, predictions: Array, target: Array, weights: Array, metrics: Iterable[str] | None
) -> dict[str, Array]:
    """`score_outputs` for S predictors in R resamples of the same N samples.

    Args:
        task: as there.
        predictions: raw outputs `(S, N, C)`.
        target: `(N, K)`.
        weights: `(R, N)`, how often each sample is taken.
        metrics: as there.

    Returns:
        Metric name to scores `(R, S)`; nan where a resample gives none.
    """
    names = task.metrics if metrics is None else tuple(metrics)
    if isinstance(task, BinaryLabels):
        pairs = predictions.reshape(*predictions.shape[:2], -1, 2)
        said, true = pairs[..., 1] > pairs[..., 0], target > 0
        return {name: _score_labels(task.labels, name, said, true, weights) for name in names}
    if isinstance(task, Classification):
        said, true = predictions.argmax(axis=2), target[:, 0].astype(np.intp)
        return {name: _find(CLASSIFICATION, name)(said, true, weights) for name in names}
    if isinstance(task, Values):
        return {
            name: _score_values(task.names, name, predictions, target, weights) for name in names
        }
    said, true = predictions[..., 0], target[:, 0]
    return {name: _find(REGRESSION, name)(said, true, weights) for name in names}


def _check(task: Task, prediction: Array, target: Array) -> None:
    expected = (len(target), task.outputs), (len(prediction), task.target_width)
    if (prediction.shape, target.shape) != expected or not len(target):
        raise InputError(
            f"cannot score predictions of shape {prediction.shape} against targets of shape "
            f"{target.shape}",
            remedy=f"give (N, {task.outputs}) and (N, {task.target_width}) with N of 1 or more",
        )
    bad = np.count_nonzero(~np.isfinite(prediction).all(axis=1))
    if bad:
        raise InputError(
            f"{bad} of {len(prediction)} predictions are not finite",
            remedy="training diverged: lower the learning rate or check the features",
        )


def _find(known: dict[str, Metric], name: str) -> Metric:
    if name not in known:
        raise unknown_name("metric", name, known)
    return known[name]


def _score_labels(
    labels: tuple[str, ...], name: str, said: Array, true: Array, weights: Array
) -> Array:
    for base, metric in BINARY.items():
        if name == f"{base}_mean":
            each = [metric(said[..., k], true[:, k], weights) for k in range(len(labels))]
            return np.asarray(np.mean(each, axis=0))
        for k, label in enumerate(labels):
            if name == f"{base}_{label}":
                return metric(said[..., k], true[:, k], weights)
    raise unknown_name("metric", name, [f"{b}_{x}" for b in BINARY for x in ("mean", *labels)])


def _score_values(
    values: tuple[str, ...], name: str, said: Array, true: Array, weights: Array
) -> Array:
    """By the samples of which a value is told; the mean is over the values that have a score."""
    for base, metric in REGRESSION.items():
        if name == f"{base}_mean":
            return _mean_known([_told(metric, k, said, true, weights) for k in range(len(values))])
        for k, value in enumerate(values):
            if name == f"{base}_{value}":
                return _told(metric, k, said, true, weights)
    raise unknown_name("metric", name, [f"{b}_{x}" for b in REGRESSION for x in ("mean", *values)])


def _told(metric: Metric, value: int, said: Array, true: Array, weights: Array) -> Array:
    told = np.isfinite(true[:, value])
    if not told.any():
        return np.full((len(weights), len(said)), np.nan)
    return metric(said[:, told, value], true[told, value], weights[:, told])


def _mean_known(scores: Sequence[Array]) -> Array:
    known = np.isfinite(scores)
    total = np.where(known, scores, 0.0).sum(axis=0)
    none = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, known.sum(axis=0), out=none, where=known.any(axis=0)))


LABELS: dict[str, str] = {
    "mae": "MAE",
    "corr": "Pearson r",
    "ccc": "CCC",
    "acc2_nonzero": "Acc2 non-zero",
    "f1_nonzero": "F1 non-zero (weights from truth)",
    "f1_nonzero_swapped": "F1 non-zero (weights from prediction)",
    "acc2_haszero": "Acc2 has-zero",
    "f1_haszero": "F1 has-zero (weights from truth)",
    "acc7": "Acc7",
    "acc5": "Acc5",
    "sims_acc2": "SIMS Acc2",
    "sims_acc3": "SIMS Acc3",
    "sims_acc5": "SIMS Acc5",
    "accuracy": "Accuracy",
    "f1_weighted": "F1 (weights from truth)",
    "f1_weighted_swapped": "F1 (weights from prediction)",
    "f1_macro": "F1 macro (equal weights)",
    "uar": "Recall, mean over classes",
    "accuracy_mean": "Accuracy, mean over labels",
    "f1_mean": "F1, mean over labels (weights from truth)",
    "f1_swapped_mean": "F1, mean over labels (weights from prediction)",
    "weighted_accuracy_mean": "Weighted accuracy, mean over labels",
    "ccc_mean": "CCC, mean over values",
    "mae_mean": "MAE, mean over values",
    "corr_mean": "Pearson r, mean over values",
}
"""Metric name to a heading for people; `heading` also knows the metrics of single labels."""

_LABEL_HEADINGS = {
    "weighted_accuracy": "Weighted accuracy, {}",
    "f1_swapped": "F1, {} (weights from prediction)",
    "accuracy": "Accuracy, {}",
    "f1": "F1, {} (weights from truth)",
    "ccc": "CCC, {}",
    "mae": "MAE, {}",
    "corr": "Pearson r, {}",
}
# What is told of each label, or of each value.
_OF_EACH = (("accuracy", "f1"), ("ccc", "mae"))


def by_label(metrics: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Label to its accuracy and F1 among `metrics`, or value to its CCC and MAE.

    Of a task of several binary labels or of several values; empty for others.
    """
    found: dict[str, tuple[str, str]] = {}
    for first, second in _OF_EACH:
        names = (n.removeprefix(f"{first}_") for n in metrics if n.startswith(f"{first}_"))
        pairs = {name: (f"{first}_{name}", f"{second}_{name}") for name in names if name != "mean"}
        found |= {name: pair for name, pair in pairs.items() if pair[1] in metrics}
    return found


def heading(name: str) -> str:
    """A metric's heading for people, such as `F1 non-zero (weights from truth)`."""
    if name in LABELS:
        return LABELS[name]
    for base, text in _LABEL_HEADINGS.items():
        if name.startswith(f"{base}_"):
            return text.format(name.removeprefix(f"{base}_"))
    return name


def higher_is_better(name: str) -> bool:
    """The direction of a metric; only the mean absolute error is better lower."""
    return not _is(name, "mae")


def is_fraction(name: str) -> bool:
    """Whether a metric is a share, which may be told in percent."""
    return not any(_is(name, base) for base in ("mae", "corr", "ccc"))


def limits(name: str) -> tuple[float, float]:
    """The least and the greatest value that a metric can have."""
    if _is(name, "mae"):
        return 0.0, float("inf")
    return (0.0, 1.0) if is_fraction(name) else (-1.0, 1.0)


def _is(name: str, base: str) -> bool:
    """Whether a metric is that one, of one value or of several."""
    return name == base or name.startswith(f"{base}_")


def auroc(score: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> float:
    """Probability that a true sample of `(N,)` scores above a false one, ties half; else nan."""
    from scipy.stats import rankdata

    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(score)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
