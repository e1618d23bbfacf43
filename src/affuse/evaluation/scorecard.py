"""A checkpoint on the test part of a corpus: what `affuse evaluate` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.evaluation.held_out import open_test
from affuse.metrics.scores import score_outputs
from affuse.samples import Corpus, Split, labelled, targets_of
from affuse.shown import Shown
from affuse.tasks import Task
from affuse.training.checkpoint import Checkpoint
from affuse.training.devices import AUTO


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
    folds = [trivial_of(corpus.task, fold) for fold in corpus.folds]
    known = [fold for fold in folds if fold is not None]
    return known if len(known) == len(folds) else []


def trivial_scores(corpus: Corpus) -> dict[str, float]:
    """Metrics of `trivial_folds` averaged over folds; empty where it is."""
    folds = trivial_folds(corpus)
    if not folds:
        return {}
    return {m: float(np.mean([fold.metrics[m] for fold in folds])) for m in folds[0].metrics}


def trivial_of(task: Task, fold: Split) -> TrivialFold | None:
    """The trivial prediction of one fold; None where train or test lack labels."""
    known, asked = labelled(fold.train), labelled(fold.test)
    if not known or not asked:
        return None
    constant = task.trivial(targets_of(known))
    metrics = score_outputs(task, np.tile(constant, (len(asked), 1)), targets_of(asked))
    return TrivialFold(constant, metrics)


def best_folds(corpus: Corpus) -> list[NDArray[np.floating[Any]]]:
    """What the best possible reader answers to each fold's test part, raw outputs `(N, C)`.

    A generator that knows how it drew a sample says so (`Sample.truth["best"]`); none where one
    sample's is not known.
    """
    known = [[s.truth.get("best") for s in labelled(fold.test)] for fold in corpus.folds]
    whole = all(fold and None not in fold for fold in known)
    return [np.array(fold, dtype=np.float64) for fold in known] if whole else []


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """Scores of a checkpoint on the fold that it was trained on.

    Attributes:
        model: its registered name.
        corpus: what it was asked about.
        trained_on_this: whether it was trained on this very data.
        metrics: name to score.
        trivial: likewise, of the constant that is best on that fold's training labels; empty
            where there are none.
        primary: the modality that led most samples, of a gated model.
        led: modality to the number of samples in which it led, likewise.
        gate: modality to its mean weight, likewise.
        subsets: modalities given, such as `text+audio`, to scores with these alone.
        trivially_answered: samples that lack all that the model reads: the trivial answer stands.
    """

    model: str
    corpus: str
    trained_on_this: bool
    metrics: dict[str, float]
    trivial: dict[str, float]
    primary: str | None = None
    led: dict[str, int] = field(default_factory=dict)
    gate: dict[str, float] = field(default_factory=dict)
    subsets: dict[str, dict[str, float]] = field(default_factory=dict)
    trivially_answered: int = 0

    def _summary(self) -> str:
        first = list(self.metrics.items())[:3]
        trivial = {m: f" (trivial {self.trivial[m]:.3f})" for m, _ in first if m in self.trivial}
        scores = ", ".join(f"{m} {value:.3f}{trivial.get(m, '')}" for m, value in first)
        return f"{self.model} on {self.corpus}: {scores}"

    def to_dict(self) -> dict[str, Any]:
        """What `affuse evaluate --json` writes, without entries that say nothing."""
        content: dict[str, Any] = {
            "corpus": self.corpus,
            "trained_on_this": self.trained_on_this,
            "trivial": self.trivial,
            "metrics": self.metrics,
        }
        optional = {"primary": self.primary, "led": self.led, "gate": self.gate}
        content |= {key: value for key, value in optional.items() if value}
        if self.trivially_answered:
            content["trivially_answered"] = self.trivially_answered
        return content | ({"subsets": self.subsets} if self.subsets else {})

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each metric, for a data frame."""
        return [
            {"metric": name, "trivial": self.trivial.get(name), self.model: value}
            for name, value in self.metrics.items()
        ]


def evaluate_checkpoint(
    checkpoint: Checkpoint, corpus: Corpus, *, subsets: bool = False, device: str = AUTO
) -> Evaluation:
    """Score a checkpoint on a corpus' test part.

    Raises:
        InputError: other features or another task, no labels, or test samples that the checkpoint
            was trained on.
    """
    checkpoint.check_corpus(corpus, checkpoint.folder)
    fold = checkpoint.fold_of(corpus)
    checkpoint.require_unseen(corpus, fold.test, checkpoint.folder)
    known = trivial_of(corpus.task, fold)
    return Evaluation(
        checkpoint.name,
        corpus.name,
        checkpoint.trained_on(corpus),
        trivial={} if known is None else known.metrics,
        **open_test(checkpoint, fold.test, subsets=subsets, device=device),
    )
