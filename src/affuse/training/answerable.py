"""Samples that lack what a model reads: it learns from the others, and a constant answers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from affuse.errors import InputError
from affuse.samples import PARTS, Corpus, Sample, Split, labelled, targets_of
from affuse.tasks import Floats, Task

TRIVIAL = "trivial"
"""Entry of a checkpoint's training: raw outputs `(C,)` for what its model cannot read."""

Coverage = dict[str, list[int]]
"""Part to the samples that have something that a model reads, and to all."""


def has_any(sample: Sample, modalities: Iterable[str]) -> bool:
    """Whether a sample has one of these modalities."""
    return any(modality in sample.sequences for modality in modalities)


def learnable(split: Split, modalities: Iterable[str]) -> Split:
    """Training and validation samples that have one of these modalities; of these nothing else.

    Where all have, both parts are as they were.

    Raises:
        InputError: no sample of the training or validation part has any.
    """
    wanted = tuple(modalities)
    if (lacking := lacking_part(split, wanted)) is not None:
        problem = f"no sample of the part '{lacking}' has {' or '.join(wanted)}"
        remedy = "use a model of other modalities, or divide the corpus anew"
        raise InputError(problem, remedy=remedy)
    parts = split.train, split.valid
    if all(has_any(sample, wanted) for part in parts for sample in part):
        return split
    # Nothing else: what only samples have that are left out would have no scale.
    train, valid = ([s.keep(wanted) for s in part if has_any(s, wanted)] for part in parts)
    return Split(train, valid, split.test)


def lacking_part(split: Split, modalities: Sequence[str]) -> str | None:
    """The part that is needed to learn and has no sample with any of these modalities."""
    needed = (("train", split.train), ("valid", split.valid))
    absent = (name for name, part in needed if not any(has_any(s, modalities) for s in part))
    return next(absent, None)


def unlearnable(corpus: Corpus) -> dict[str, str]:
    """Modality by which alone nothing can be learnt, in some fold, to the part that lacks it."""
    found = ((m, [lacking_part(fold, (m,)) for fold in corpus.folds]) for m in corpus.modalities)
    named = ((modality, next(filter(None, parts), None)) for modality, parts in found)
    return {modality: part for modality, part in named if part is not None}


def coverage(corpus: Corpus, modalities: Iterable[str]) -> Coverage:
    """How many samples have any of these modalities, over all folds; test ones with labels only."""
    wanted, counts = tuple(modalities), {part: [0, 0] for part in PARTS}
    for fold in corpus.folds:
        for part, samples in {**fold.parts(), "test": labelled(fold.test)}.items():
            counts[part][0] += sum(has_any(sample, wanted) for sample in samples)
            counts[part][1] += len(samples)
    return counts


def coverage_in_words(name: str, modalities: Iterable[str], counts: Mapping[str, Any]) -> str:
    """What a model of these modalities learns from and answers by itself; empty where that is all.

    Args:
        counts: a `Coverage`, of which other entries are passed over.
    """
    verbs = {"train": "learns from", "valid": "is validated on", "test": "answers"}
    short = {part: counts[part] for part in verbs if counts[part][0] < counts[part][1]}
    said = [f"{verbs[part]} {some} of {of} {part}" for part, (some, of) in short.items()]
    if not said:
        return ""
    listed = " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))
    rest = "; the trivial answer stands for the other test samples" if "test" in short else ""
    return f"{name} {listed} samples, those with {' or '.join(modalities)}{rest}"


def trivial_output(task: Task, samples: Sequence[Sample]) -> list[float]:
    """Raw outputs `(C,)` of the constant that is best on the labels of training samples."""
    constant: list[float] = np.asarray(task.trivial(targets_of(labelled(samples)))).tolist()
    return constant


def known_trivial(training: Mapping[str, Any]) -> Floats | None:
    """The constant `(C,)` that a checkpoint keeps; None of one that an older version wrote."""
    found = training.get(TRIVIAL)
    return None if found is None else np.asarray(found, dtype=np.float64)
