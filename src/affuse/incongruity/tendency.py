"""Affective tendency: what an answer leans to, in a form that all tasks share.

A task asks Q questions with G answers each: a regression asks one (below or above the neutral
value), several values one each, a classification one (which class), several binary labels one each
(no or yes). Tendencies are `(N, Q)` integers, the index of the answer; -1 where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affuse.tasks import BinaryLabels, Classification, Continuous, Floats, Ints, Task, Values

NO_TENDENCY = -1


def answers(task: Task) -> tuple[int, int]:
    """Questions Q and answers G of each."""
    if isinstance(task, Continuous):
        return task.outputs, 2
    return (len(task.labels), 2) if isinstance(task, BinaryLabels) else (1, task.outputs)


def answer_name(task: Task, question: int, answer: int) -> str:
    """What people call an answer: `negative`, `low arousal`, a class, or `not angry`."""
    if isinstance(task, Values):
        return f"{('low', 'high')[answer]} {task.names[question]}"
    if isinstance(task, Continuous):
        return ("negative", "positive")[answer]
    if isinstance(task, BinaryLabels):
        return f"{'' if answer else 'not '}{task.labels[question]}"
    assert isinstance(task, Classification)
    return task.labels[answer]


def tendency(task: Task, outputs: Floats) -> Ints:
    """Raw outputs `(N, C)`, of a model or a probe, to tendencies `(N, Q)`."""
    if isinstance(task, Continuous):
        return (outputs > task.middle).astype(np.int64)
    count, choices = answers(task)
    return np.asarray(outputs.reshape(len(outputs), count, choices).argmax(axis=2))


def label_tendency(task: Task, targets: Floats) -> Ints:
    """Targets `(N, K)` to tendencies `(N, Q)`; a label that is neutral or not told has none."""
    if isinstance(task, Continuous):
        nowhere = (targets == task.middle) | np.isnan(targets)
        return np.where(nowhere, NO_TENDENCY, targets > task.middle).astype(np.int64)
    return targets.astype(np.int64)


def right(said: Ints, label: Ints) -> Floats:
    """Share `(N,)` of a sample's questions whose tendency is the label's; nan where it has none."""
    known = label != NO_TENDENCY
    hits, count = ((said == label) & known).sum(axis=1), known.sum(axis=1)
    return np.where(count > 0, hits / np.maximum(count, 1), np.nan)


def margin(task: Task, said: Ints) -> Floats:
    """What speaks for a tendency, as weights on raw outputs `(N, Q, C)`.

    Of several answers, the chosen one's output less the mean of the others'. The sign of a value is
    left out: a step that pulls to the other side counts as much.
    """
    count, choices = answers(task)
    if isinstance(task, Continuous):
        return np.broadcast_to(np.eye(count), (len(said), count, count))
    chosen = said[..., None] == np.arange(choices)
    weights = np.where(chosen, 1.0, -1.0 / (choices - 1))
    full = np.zeros((len(said), count, count, choices))
    full[:, np.arange(count), np.arange(count)] = weights
    return full.reshape(len(said), count, count * choices)


_RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A mean over samples and its 95% interval, by the percentiles of the bootstrap.

    It says where the mean over other samples of the kind would lie, of the same trained model.
    """

    mean: float
    ci95: tuple[float, float]


def estimates(values: Floats, seed: int = 0) -> list[Estimate]:
    """The means of the columns of `(N, K)` over the same resamples, each leaving out its nan.

    nan where nothing is left.
    """
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
    for middle, column in zip(centre.tolist(), means.T, strict=True):
        usable = column[np.isfinite(column)]
        low, high = np.percentile(usable, [2.5, 97.5]) if len(usable) else (np.nan, np.nan)
        found.append(Estimate(middle, (float(low), float(high))))
    return found
