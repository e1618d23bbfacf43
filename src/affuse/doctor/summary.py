"""What a corpus holds, and what in it would spoil a result: for `affuse corpus inspect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from affuse.samples import Corpus, Sample, Split, labelled, targets_of
from affuse.tasks import BinaryLabels, Classification, Regression, Task


@dataclass(frozen=True)
class PartSummary:
    """One part of one fold.

    Attributes:
        fold: number from 0.
        part: train, valid or test.
        samples: how many.
        groups: how many speakers or videos; 0 where none is known.
        labels: `min`, `mean`, `max` of a regression, else each label's count; empty without any.
        distribution: of a regression, samples by label rounded to whole numbers; else empty.
    """

    fold: int
    part: str
    samples: int
    groups: int
    labels: Mapping[str, float]
    distribution: Mapping[str, int]


@dataclass(frozen=True)
class ModalitySummary:
    """One modality over all samples.

    Attributes:
        features: their name, where known.
        width: D.
        shortest, median, longest: steps T of the sequences there are; 0 where there are none.
        missing: share of samples without it.
    """

    features: str
    width: int
    shortest: int
    median: float
    longest: int
    missing: float


@dataclass(frozen=True)
class SharedGroups:
    """Groups that two parts of a fold share: a model may know the speaker, not the affect."""

    fold: int
    parts: tuple[str, str]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class CorpusSummary:
    """A corpus in numbers; `samples` counts each once, however many folds it is in."""

    name: str
    task: str
    fingerprint: str
    samples: int
    parts: tuple[PartSummary, ...]
    modalities: Mapping[str, ModalitySummary]
    shared_groups: tuple[SharedGroups, ...]


def summarise_corpus(corpus: Corpus) -> CorpusSummary:
    """Count, measure and look for groups that parts share."""
    parts = [
        PartSummary(
            number,
            name,
            len(samples),
            len(_groups(samples)),
            _labels(corpus.task, samples),
            _distribution(corpus.task, samples),
        )
        for number, fold in enumerate(corpus.folds)
        for name, samples in fold.parts().items()
    ]
    distinct = {
        id(sample): sample
        for fold in corpus.folds
        for samples in fold.parts().values()
        for sample in samples
    }
    samples = list(distinct.values())
    return CorpusSummary(
        name=corpus.name,
        task=corpus.task.kind,
        fingerprint=corpus.fingerprint(),
        samples=len(samples),
        parts=tuple(parts),
        modalities={m: _modality(corpus, m, samples) for m in corpus.modalities},
        shared_groups=tuple(
            shared for number, fold in enumerate(corpus.folds) for shared in _shared(number, fold)
        ),
    )


def _groups(samples: Sequence[Sample]) -> set[str]:
    return {sample.group for sample in samples if sample.group is not None}


def _labels(task: Task, samples: Sequence[Sample]) -> dict[str, float]:
    given = labelled(samples)
    if not given:
        return {}
    targets = targets_of(given)
    if isinstance(task, Classification):
        counts = np.bincount(targets[:, 0].astype(int), minlength=len(task.labels))
        return dict(zip(task.labels, counts.tolist(), strict=True))
    if isinstance(task, BinaryLabels):
        return dict(zip(task.labels, targets.sum(axis=0).astype(int).tolist(), strict=True))
    return {name: float(getattr(targets, name)()) for name in ("min", "mean", "max")}


def _distribution(task: Task, samples: Sequence[Sample]) -> dict[str, int]:
    given = labelled(samples)
    if not given or not isinstance(task, Regression):
        return {}
    values, counts = np.unique(np.round(targets_of(given)), return_counts=True)
    return {f"{int(v)}": c for v, c in zip(values.tolist(), counts.tolist(), strict=True)}


def _modality(corpus: Corpus, modality: str, samples: Sequence[Sample]) -> ModalitySummary:
    lengths = [len(s.sequences[modality]) for s in samples if modality in s.sequences]
    return ModalitySummary(
        features=corpus.features.get(modality, ""),
        width=corpus.widths[modality],
        shortest=min(lengths, default=0),
        median=float(np.median(lengths)) if lengths else 0.0,
        longest=max(lengths, default=0),
        missing=1 - len(lengths) / len(samples),
    )


def _shared(number: int, fold: Split) -> list[SharedGroups]:
    groups = {part: _groups(samples) for part, samples in fold.parts().items()}
    pairs = (("train", "valid"), ("train", "test"), ("valid", "test"))
    common = {pair: tuple(sorted(groups[pair[0]] & groups[pair[1]])) for pair in pairs}
    return [SharedGroups(number, pair, names) for pair, names in common.items() if names]
