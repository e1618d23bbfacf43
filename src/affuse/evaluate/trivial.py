"""The score of knowing nothing but the training labels: the floor of every comparison."""

from __future__ import annotations

import numpy as np

from affuse.corpora.corpus import Corpus, Split
from affuse.evaluate.metrics import evaluate
from affuse.tasks import Task


def trivial_folds(corpus: Corpus) -> list[dict[str, float]]:
    """Test metrics of the constant that is best on the training labels, a dict a fold.

    Returns:
        Metric name to score, fold by fold; no fold where one lacks labels in train or test.
    """
    folds = [_score(corpus.task, fold) for fold in corpus.folds]
    return folds if all(folds) else []


def trivial_scores(corpus: Corpus) -> dict[str, float]:
    """`trivial_folds` averaged over folds; empty where it is."""
    folds = trivial_folds(corpus)
    if not folds:
        return {}
    return {name: float(np.mean([scores[name] for scores in folds])) for name in folds[0]}


def _score(task: Task, fold: Split) -> dict[str, float]:
    known, asked = (
        [s.target for s in samples if s.target is not None] for samples in (fold.train, fold.test)
    )
    if not known or not asked:
        return {}
    constant = task.trivial(np.stack(known))
    return evaluate(task, np.tile(constant, (len(asked), 1)), np.stack(asked))
