"""A checkpoint on the test part of a corpus: what `affuse evaluate` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from affuse.evaluation.held_out import open_test
from affuse.evaluation.trivial import trivial_of
from affuse.samples import Corpus
from affuse.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Evaluation:
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
        return content | ({"subsets": self.subsets} if self.subsets else {})

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each metric, for a data frame."""
        return [
            {"metric": name, "trivial": self.trivial.get(name), self.model: value}
            for name, value in self.metrics.items()
        ]


def evaluate_checkpoint(
    checkpoint: Checkpoint, corpus: Corpus, *, subsets: bool = False
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
        **open_test(checkpoint, fold.test, subsets=subsets),
    )
