"""The score of knowing nothing but the training labels: the floor of every comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.metrics.scores import evaluate
from affuse.samples import Corpus, Split, labelled, targets_of
from affuse.tasks import Task


@dataclass(frozen=True)
class TrivialFold:
    """The constant that is best on a fold's training labels.

    Attributes:
        output: raw outputs `(C,)`.
        metrics: name to score on the test labels.
    """

    output: NDArray[np.floating[Any]]
    metrics: dict[str, float]


def trivial_folds(corpus: Corpus) -> list[TrivialFold]:
    """The trivial prediction, fold by fold; none where a fold lacks labels in train or test."""
    folds = [_of(corpus.task, fold) for fold in corpus.folds]
    known = [fold for fold in folds if fold is not None]
    return known if len(known) == len(folds) else []


def trivial_scores(corpus: Corpus) -> dict[str, float]:
    """Metrics of `trivial_folds` averaged over folds; empty where it is."""
    folds = trivial_folds(corpus)
    if not folds:
        return {}
    return {m: float(np.mean([fold.metrics[m] for fold in folds])) for m in folds[0].metrics}


def _of(task: Task, fold: Split) -> TrivialFold | None:
    known, asked = labelled(fold.train), labelled(fold.test)
    if not known or not asked:
        return None
    constant = task.trivial(targets_of(known))
    metrics = evaluate(task, np.tile(constant, (len(asked), 1)), targets_of(asked))
    return TrivialFold(constant, metrics)
