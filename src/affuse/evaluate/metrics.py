"""The field's metrics by name, from a model's raw outputs and the targets.

Two habits of the field make numbers incomparable, so both are spelled out in names and headings:

- Acc2 and F1 *non-zero* drop samples whose truth is 0 and compare x > 0; *has-zero* keeps them and
  compares x >= 0 (definitions as in the published code of MulT, Tsai et al. 2019).
- A weighted F1 weights classes by how often they are true. That same code passes (prediction,
  truth) in the other order, so that predictions set the weights: such a score is named *swapped*.

Every metric is a fraction, save MAE (in the label's units) and Pearson's r. Where one has no value
it is nan, with no warning: non-zero scores without a non-zero truth, weighted accuracy of a label
that is always or never true. The correlation with a constant is 0.0, since a predictor that always
says the same tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError, unknown_name
from affuse.tasks import BinaryLabels, Classification, Task

Metric = Callable[[NDArray[Any], NDArray[Any]], float]
"""`(prediction, truth) -> score`, both `(N,)`: values, class indices or flags."""


def evaluate(
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
            `weighted_accuracy`, each followed by `_<label>` or `_mean` (over labels).

    Returns:
        Metric name to score, in the order asked.

    Raises:
        InputError: an unknown metric, shapes that do not fit the task, no samples, or an output
            that is not finite.
    """
    _check(task, prediction, target)
    names = task.metrics if metrics is None else tuple(metrics)
    if isinstance(task, BinaryLabels):
        pairs = prediction.reshape(len(prediction), -1, 2)
        said, true = pairs[..., 1] > pairs[..., 0], target > 0
        return {name: _score_labels(task.labels, name, said, true) for name in names}
    if isinstance(task, Classification):
        said, true = prediction.argmax(axis=1), target[:, 0].astype(np.intp)
        return {name: _find(_CLASSIFICATION, name)(said, true) for name in names}
    return {name: _find(_REGRESSION, name)(prediction[:, 0], target[:, 0]) for name in names}


def _check(task: Task, prediction: NDArray[Any], target: NDArray[Any]) -> None:
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
    labels: tuple[str, ...], name: str, said: NDArray[np.bool_], true: NDArray[np.bool_]
) -> float:
    for base, metric in _BINARY.items():
        if name == f"{base}_mean":
            each = [metric(said[:, k], true[:, k]) for k in range(len(labels))]
            return float(np.mean(each))
        for k, label in enumerate(labels):
            if name == f"{base}_{label}":
                return metric(said[:, k], true[:, k])
    raise unknown_name("metric", name, [f"{b}_{x}" for b in _BINARY for x in ("mean", *labels)])


def _mae(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    return float(np.abs(prediction.astype(np.float64) - truth).mean())


def _pearson(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    if np.ptp(prediction) == 0 or np.ptp(truth) == 0:
        return 0.0
    x, y = _standardise(prediction), _standardise(truth)
    return float(np.clip(x @ y, -1.0, 1.0))


def _standardise(values: NDArray[Any]) -> NDArray[np.float64]:
    """Centred, of unit length."""
    centred = values.astype(np.float64)
    centred -= centred.mean()
    # Squares of a tiny spread would underflow to a length of zero.
    centred /= np.abs(centred).max()
    centred /= np.linalg.norm(centred)
    return centred


def _accuracy(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    return float((prediction == truth).mean())


def _counts(prediction: NDArray[Any], truth: NDArray[Any]) -> tuple[NDArray[np.intp], ...]:
    """For each class: how often it is predicted rightly, predicted, and true."""
    classes = int(max(prediction.max(), truth.max())) + 1
    hits = truth[prediction == truth]
    hit, said, true = (np.bincount(x, minlength=classes) for x in (hits, prediction, truth))
    return hit, said, true


def _f1(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    hit, said, true = _counts(prediction, truth)
    return float(np.average(2 * hit / np.maximum(said + true, 1), weights=true))


def _f1_swapped(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    return _f1(truth, prediction)


def _f1_macro(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    """Over the classes that occur, in truth or in prediction."""
    hit, said, true = _counts(prediction, truth)
    occurs = said + true > 0
    return float((2 * hit[occurs] / (said + true)[occurs]).mean())


def _uar(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean recall over the classes that occur in truth."""
    hit, _, true = _counts(prediction, truth)
    occurs = true > 0
    return float((hit[occurs] / true[occurs]).mean())


def _weighted_accuracy(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    """(tp n/p + tn) / 2n over p positive and n negative truths (Zadeh et al. 2018, MOSEI)."""
    return _uar(prediction, truth) if truth.any() and not truth.all() else float("nan")


def _nonzero(metric: Metric) -> Metric:
    def score(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
        kept = truth != 0
        return metric(prediction[kept] > 0, truth[kept] > 0) if kept.any() else float("nan")

    return score


def _haszero(metric: Metric) -> Metric:
    return lambda prediction, truth: metric(prediction >= 0, truth >= 0)


def _rounded(limit: float) -> Metric:
    """Agreement after clipping to [-limit, limit] and rounding to whole numbers."""

    def score(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
        x, y = (np.round(np.clip(v, -limit, limit)) for v in (prediction, truth))
        return _accuracy(x, y)

    return score


def _binned(*edges: float) -> Metric:
    """Agreement of bins (low, high], as CH-SIMS is scored (Yu et al. 2020); 0 is negative."""

    def bins(values: NDArray[Any]) -> NDArray[np.intp]:
        # Edges in the values' own precision: a float32 0.1 exceeds the float64 one.
        return np.asarray(np.digitize(values, np.asarray(edges, values.dtype), right=True))

    return lambda prediction, truth: _accuracy(bins(prediction), bins(truth))


_REGRESSION: dict[str, Metric] = {
    "mae": _mae,
    "corr": _pearson,
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

_CLASSIFICATION: dict[str, Metric] = {
    "accuracy": _accuracy,
    "f1_weighted": _f1,
    "f1_weighted_swapped": _f1_swapped,
    "f1_macro": _f1_macro,
    "uar": _uar,
}

_BINARY: dict[str, Metric] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "f1_swapped": _f1_swapped,
    "weighted_accuracy": _weighted_accuracy,
}

LABELS: dict[str, str] = {
    "mae": "MAE",
    "corr": "Pearson r",
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
}
"""Metric name to a heading for people; `heading` also knows the metrics of single labels."""

_LABEL_HEADINGS = {
    "weighted_accuracy": "Weighted accuracy, {}",
    "f1_swapped": "F1, {} (weights from prediction)",
    "accuracy": "Accuracy, {}",
    "f1": "F1, {} (weights from truth)",
}


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
    return name != "mae"
