"""How far the modalities of a clip contradict each other, by their own answers.

A measure for run time, without torch: what the model's unimodal heads say is compared, each by the
weight that the gate gives it. `affuse.incongruity` measures conflict in the data by probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from affuse.metrics.calibration import Platt
from affuse.tasks import BinaryLabels, Bools, Classification, Continuous, Floats, Task

Measure = Literal["disagreement", "opposition"]
_NEUTRAL, _RESERVED, _TINY = "neutral", 0.3, 1e-30


def disagreement(task: Task, unimodal: Floats, gate: Floats) -> Floats:
    """How far own answers lie apart, `(N,)` in [0, 1]; 0 where they agree or one is alone.

    Of values u, twice their mean distance from their mean, as a share of the task's range; of
    several values a sample the mean. Of probabilities, the generalised Jensen-Shannon divergence
    (Lin 1991, section IV) in units of its bound log M; of several labels the mean. Both weigh each
    modality by its gate weight.

    Args:
        unimodal: raw outputs `(N, M, C)`.
        gate: weights `(N, M)`, zero for a modality that is missing; rows sum to one.
    """
    count, modalities, outputs = unimodal.shape
    said = task.decode(unimodal.reshape(-1, outputs)).reshape(count, modalities, -1)
    weights = gate[..., None]
    mean = (weights * said).sum(axis=1, keepdims=True)
    if isinstance(task, Continuous):
        spread = (weights * np.abs(said - mean)).sum(axis=1).mean(axis=1)
        return np.asarray(2 * spread / (task.high - task.low))
    apart = _entropy(mean)[:, 0] - (gate * _entropy(said)).sum(axis=1)
    labels = len(task.labels) if isinstance(task, BinaryLabels) else 1
    bound = np.log(max(modalities, 2)) * labels
    return np.asarray(np.clip(apart / bound, 0.0, 1.0))


def opposition(task: Classification, unimodal: Floats, present: Bools) -> Floats:
    """Log-odds `(N,)` that one of the modalities shows another class than the rest, by own answers.

    Each answer is taken for what its modality shows of every class, given how sure it is, and the
    modalities as independent given what they show. That one of them is `neutral` while the others
    are not counts as no opposition, with three tenths of the weight of agreement: most of what
    people say is neutral by its words alone, whatever they feel.

    Args:
        unimodal: raw outputs `(N, M, C)`.
        present: `(N, M)`.
    """
    count, modalities, classes = unimodal.shape
    chances = task.decode(unimodal.reshape(-1, classes)).reshape(count, modalities, classes)
    evidence = np.where(present[..., None], chances * classes, 1.0)
    agree = evidence.prod(axis=1).mean(axis=1)
    opposed, reserved = np.zeros(count), np.zeros(count)
    neutral = task.labels.index(_NEUTRAL) if _NEUTRAL in task.labels else None
    for odd in range(modalities):
        rest = np.delete(evidence, odd, axis=1).prod(axis=1)
        own = evidence[:, odd]
        others = (own.sum(axis=1, keepdims=True) - own) / (classes - 1)
        there = present[:, odd]
        opposed += there * (rest * others).mean(axis=1)
        if neutral is not None:
            felt = np.delete(rest, neutral, axis=1).sum(axis=1) / classes
            reserved += there * felt * own[:, neutral]
    return np.asarray(np.log(opposed + _TINY) - np.log(agree + _RESERVED * reserved + _TINY))


def _entropy(shares: Floats) -> Floats:
    """In nats, over the last dimension."""
    return np.asarray(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=-1))


def measured(task: Task, unimodal: Floats, gate: Floats, by: Measure) -> Floats:
    """What is calibrated, `(N,)`: `opposition` of classes, else `disagreement`."""
    if by == "opposition" and isinstance(task, Classification):
        return opposition(task, unimodal, gate > 0)
    return disagreement(task, unimodal, gate)


def contradicted(task: Task, unimodal: Floats, present: Bools, target: Floats) -> Bools:
    """Whether the label shows a conflict, `(N,)`: one modality leans to it and another away.

    A label that is exactly neutral is on no side, and none of its samples holds a conflict; nor
    does a value that nobody told.

    Args:
        unimodal: raw outputs `(N, M, C)`.
        present: `(N, M)`.
        target: `(N, K)`.
    """
    if isinstance(task, Continuous):
        right = np.sign(unimodal - task.middle) == np.sign(target[:, None] - task.middle)
        sided = ((target != task.middle) & np.isfinite(target))[:, None]
    else:
        choices = 2 if isinstance(task, BinaryLabels) else task.outputs
        said = unimodal.reshape(*unimodal.shape[:2], -1, choices).argmax(axis=3)
        right = said == target[:, None]
        sided = np.ones_like(right[:, :1])
    hit = (right & sided & present[..., None]).any(axis=1)
    miss = (~right & sided & present[..., None]).any(axis=1)
    return np.asarray((hit & miss).any(axis=1))


def conflict_of(
    task: Task, unimodal: Floats, gate: Floats, calibration: Platt | None, by: Measure
) -> Sequence[float]:
    """The conflict score of each of N samples: 0 where fewer than two modalities are there.

    Without a calibration it is the plain disagreement; with one, what `by` names.
    """
    if calibration is None:
        scores = disagreement(task, unimodal, gate)
    else:
        scores = calibration(measured(task, unimodal, gate, by))
    return [float(x) for x in np.where((gate > 0).sum(axis=1) > 1, scores, 0.0)]
