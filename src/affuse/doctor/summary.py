"""What a corpus holds, and what in it would spoil a result: for `affuse corpus inspect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from affuse.samples import Corpus, FloatArray, Sample, labelled, targets_of
from affuse.tasks import BinaryLabels, Classification, Regression, Task, Values


@dataclass(frozen=True)
class PartSummary:
    """One part of one fold."""

    fold: int
    part: str
    samples: int
    groups: int  # how many speakers or videos; 0 where none is known
    # `min`, `mean`, `max` of a regression, the same of each of several values, as `valence min`,
    # else each label's count; empty without any.
    labels: Mapping[str, float]
    # Of a regression, samples by label rounded to whole numbers; else empty.
    distribution: Mapping[str, int]


@dataclass(frozen=True)
class ModalitySummary:
    """One modality over all samples."""

    features: str  # their name, where known
    width: int
    # shortest, median, longest: steps T of the sequences there are; 0 where there are none.
    shortest: int
    median: float
    longest: int
    missing: float  # share of samples without it


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
    folds = [fold.parts() for fold in corpus.folds]
    every = (s for parts in folds for samples in parts.values() for s in samples)
    distinct = list({id(sample): sample for sample in every}.values())
    return CorpusSummary(
        name=corpus.name,
        task=corpus.task.kind,
        fingerprint=corpus.fingerprint(),
        samples=len(distinct),
        parts=tuple(
            _part(corpus.task, fold, part, samples)
            for fold, parts in enumerate(folds)
            for part, samples in parts.items()
        ),
        modalities={m: _modality(corpus, m, distinct) for m in corpus.modalities},
        shared_groups=tuple(
            SharedGroups(fold, (first, second), tuple(sorted(common)))
            for fold, parts in enumerate(folds)
            for first, second in combinations(parts, 2)
            if (common := _groups(parts[first]) & _groups(parts[second]))
        ),
    )


def _groups(samples: Sequence[Sample]) -> set[str]:
    return {sample.group for sample in samples if sample.group is not None}


def _part(task: Task, fold: int, part: str, samples: Sequence[Sample]) -> PartSummary:
    given = labelled(samples)
    targets = targets_of(given) if given else np.zeros((0, task.target_width), np.float32)
    distribution = {}
    if given and isinstance(task, Regression):
        values, counts = np.unique(np.round(targets), return_counts=True)
        distribution = {f"{int(v)}": int(n) for v, n in zip(values, counts, strict=True)}
    labels = _labels(task, targets) if given else {}
    return PartSummary(fold, part, len(samples), len(_groups(samples)), labels, distribution)


def _labels(task: Task, targets: FloatArray) -> dict[str, float]:
    if isinstance(task, Classification):
        counts = np.bincount(targets[:, 0].astype(int), minlength=len(task.labels))
        return dict(zip(task.labels, counts.tolist(), strict=True))
    if isinstance(task, BinaryLabels):
        return dict(zip(task.labels, targets.sum(axis=0).astype(int).tolist(), strict=True))
    if isinstance(task, Values):
        told = {
            name: column[~np.isnan(column)]
            for name, column in zip(task.names, targets.T, strict=True)
        }
        each = {name: _spread(column) for name, column in told.items() if len(column)}
        return {f"{name} {what}": x for name, facts in each.items() for what, x in facts.items()}
    return _spread(targets)


def _spread(values: FloatArray) -> dict[str, float]:
    return {name: float(getattr(values, name)()) for name in ("min", "mean", "max")}


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
