"""What a corpus may not do: hand the test labels to who trains on it; and one that cannot.

Found are test samples that stand in training or validation too, by name or by content, and labels
of the test part that stand among its features: as a column, as a length or a missing modality, or
as a group. What only a program that knows the trick can decode is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from affuse.errors import InputError
from affuse.evaluation.held_out import hide, own_copy
from affuse.files import digest
from affuse.metrics.definitions import Array
from affuse.samples import (
    Corpus,
    Sample,
    Split,
    features_digest,
    labelled,
    release_sample,
    require_finite,
    targets_of,
)
from affuse.tasks import Classification, Continuous, Task

DETERMINED = 0.999
"""A column that a label determines up to less than this share of its variance is that label."""
LEAST_SAMPLES = 12
"""Beyond the number of classes. A column of chance puts fewer in the order of their labels."""
STATISTICS = ("the first step", "the last step", "the mean", "the least", "the greatest")


def plain(corpus: Corpus) -> Corpus:
    """The corpus made of types that say the same however often they are asked.

    Raises:
        InputError: samples or sequences of another type, which could do as they like.
    """

    def fixed(samples: Sequence[Sample]) -> tuple[Sample, ...]:
        found = tuple(samples)
        for sample in found:
            if not _is_plain(sample):
                problem = f"sample '{sample.id}' is not a plain one"
                remedy = "a reader must return affuse.samples.Sample with a dict of numpy arrays"
                raise InputError(problem, remedy=remedy, source=corpus.name)
        return found

    folds = (Split(*(fixed(part) for part in fold.parts().values())) for fold in corpus.folds)
    return Corpus(
        str(corpus.name),
        Task.from_config(corpus.task.to_config()),
        {str(m): int(width) for m, width in corpus.widths.items()},
        tuple(folds),
        dict(corpus.options),
        dict(corpus.features),
        str(corpus.preset),
        tuple(map(str, corpus.notices)),
    )


def _is_plain(sample: Sample) -> bool:
    if type(sample) is not Sample:
        return False
    if not type(sample.sequences) is type(sample.unimodal) is dict:
        return False
    arrays = (*sample.sequences.values(), sample.target, *sample.unimodal.values())
    return all(x is None or type(x) is np.ndarray for x in arrays)


def without_shared(corpus: Corpus) -> tuple[Corpus, int]:
    """The corpus without the training and validation samples that a fold tests, and how many."""
    contents: dict[int, bytes | None] = {}
    folds, count = [], 0
    for fold in corpus.folds:
        tested = _Tested(fold.test, contents)
        train, valid = (
            tuple(s for s in part if not tested.has(s)) for part in (fold.train, fold.valid)
        )
        count += len(fold.train) + len(fold.valid) - len(train) - len(valid)
        folds.append(Split(train, valid, fold.test))
    return replace(corpus, folds=tuple(folds)), count


def require_closed(corpus: Corpus) -> None:
    """Raise `InputError` where the corpus lets test labels be learnt."""
    contents: dict[int, bytes | None] = {}
    for number, fold in enumerate(corpus.folds):
        source = f"{corpus.name} fold {number}" if len(corpus.folds) > 1 else corpus.name
        tested = _Tested(fold.test, contents)
        for part, samples in (("train", fold.train), ("valid", fold.valid)):
            if found := [s.id for s in samples if tested.has(s)]:
                problem = (
                    f"{len(found)} samples of {part} are test samples too, such as '{found[0]}'"
                )
                remedy = "leave them out of one part, or add --drop-shared to do so here"
                raise InputError(problem, remedy=remedy, source=source)
        for place in _revealing(corpus.task, labelled(fold.test), corpus.widths):
            remedy = "leave it out of the features: what is measured is not in the clip"
            raise InputError(f"{place} tells the test labels", remedy=remedy, source=source)


class _Tested:
    """The samples of a test part, known by name and by content."""

    def __init__(self, samples: Sequence[Sample], contents: dict[int, bytes | None]) -> None:
        self.known = contents
        self.names = {s.id for s in samples}
        self.contents = {c for s in samples if (c := self._content(s)) is not None}

    def has(self, sample: Sample) -> bool:
        return sample.id in self.names or self._content(sample) in self.contents

    def _content(self, sample: Sample) -> bytes | None:
        if id(sample) not in self.known:
            self.known[id(sample)] = features_digest(sample)
            release_sample(sample)
        return self.known[id(sample)]


def _revealing(task: Task, samples: Sequence[Sample], widths: Mapping[str, int]) -> Iterator[str]:
    """Names of what a test sample's label can be read from."""
    if not samples:
        return
    target = targets_of(samples).astype(np.float64)
    numbers = {g: n for n, g in enumerate(dict.fromkeys(s.group for s in samples))}
    groups = np.array([[numbers[s.group]] for s in samples], np.float64)
    # Of a value, groups know no more than their order in the file, which is not looked at.
    if not isinstance(task, Continuous) and _reveals(task, groups, target).any():
        yield "the group"
    for modality, width in widths.items():
        lengths = np.array([[len(s.sequences.get(modality, ()))] for s in samples], np.float64)
        for what, values in (("length", lengths), ("presence", lengths > 0)):
            if _reveals(task, values.astype(np.float64), target).any():
                yield f"the {what} of {modality}"
        columns = np.stack([_statistics(s, modality, width) for s in samples])
        for place, name in enumerate(STATISTICS):
            found = np.flatnonzero(_reveals(task, columns[:, place], target))
            if found.size:
                yield f"{name} of {modality}, column {found[0]},"


def _statistics(sample: Sample, modality: str, width: int) -> Array:
    """`(len(STATISTICS), D)`; zero where the sample lacks the modality."""
    x = sample.sequences.get(modality)
    if x is None:
        return np.zeros((len(STATISTICS), width))
    require_finite(sample, modality)
    mean = x.mean(axis=0, dtype=np.float64)
    found = np.stack([x[0], x[-1], mean, x.min(axis=0), x.max(axis=0)])
    release_sample(sample)
    return found


def _reveals(task: Task, columns: Array, target: Array) -> Array:
    """Whether each column `(N, D)` is a label of `(N, K)` under another scale or other names."""
    if isinstance(task, Continuous):
        return np.asarray(np.any([_follows(columns, values) for values in target.T], axis=0))
    labels = [target[:, k] for k in range(target.shape[1])]
    found = [_constant_within(columns, label) for label in labels]
    if isinstance(task, Classification):
        found += [_correlated(columns, labels[0] == c) for c in np.unique(labels[0])]
    return np.asarray(np.any(found, axis=0))


def _follows(columns: Array, values: Array) -> Array:
    """Whether a column has the values `(N,)`, or their order, where these are told."""
    from scipy.stats import rankdata  # slow to import

    told = np.isfinite(values)
    x, y = columns[told], values[told]
    return np.asarray(_correlated(x, y) | _correlated(rankdata(x, axis=0), rankdata(y)))


def _correlated(columns: Array, values: Array) -> Array:
    if len(values) < LEAST_SAMPLES:
        return np.zeros(columns.shape[1], bool)
    x, y = columns - columns.mean(axis=0), values - values.mean()
    power = (x**2).sum(axis=0) * (y**2).sum()
    r = np.divide(y @ x, np.sqrt(power), out=np.zeros(len(power)), where=power > 0)
    return np.asarray(np.abs(r) > DETERMINED)


def _constant_within(columns: Array, label: Array) -> Array:
    """Whether a column varies between the classes of a label and not within them."""
    classes, members = np.unique(label, return_inverse=True)
    if len(classes) < 2 or len(label) - len(classes) < LEAST_SAMPLES:
        return np.zeros(columns.shape[1], bool)
    one_hot = np.eye(len(classes))[members]
    means = (one_hot.T @ columns) / one_hot.sum(axis=0)[:, None]
    total = ((columns - columns.mean(axis=0)) ** 2).sum(axis=0)
    within = ((columns - means[members]) ** 2).sum(axis=0)
    return np.asarray((total > 0) & (within < (1 - DETERMINED) * total))


@dataclass(frozen=True, repr=False)
class TrainingView(Corpus):
    """A corpus that cannot tell its test targets.

    Attributes:
        whole: the fingerprint of the corpus that it shows a part of, which is this one's too: a
            run is known by what it was made of.
    """

    whole: str = ""

    def fingerprint(self) -> str:
        return self.whole


def content_of(corpus: Corpus) -> str:
    """A digest of all that training gets of a corpus, and of the targets that it does not get.

    Beside what the fingerprint covers these are groups, by which features may be normalised.
    """
    groups = [
        [sample.group for sample in part] for fold in corpus.folds for part in fold.parts().values()
    ]
    return digest(repr((corpus.fingerprint(), groups)).encode())


def training_view(corpus: Corpus, fold: int) -> TrainingView:
    """What training may reach of a fold.

    It shares no array with `corpus` save those mapped from files. Other folds are left out, for
    their training parts hold what this one tests, and whatever a reader has put into options,
    features, texts and planted truth.
    """
    split = corpus.folds[fold]
    closed = Split(_plain(split.train), _plain(split.valid), hide(labelled(split.test)))
    return TrainingView(
        corpus.name,
        Task.from_config(corpus.task.to_config()),
        {str(m): int(width) for m, width in corpus.widths.items()},
        # A fold keeps its number, and those before it are not there.
        (closed,) * (fold + 1),
        preset=str(corpus.preset),
        whole=corpus.fingerprint(),
    )


def _plain(samples: Sequence[Sample]) -> list[Sample]:
    return [
        Sample(
            s.id,
            {m: own_copy(x) for m, x in s.sequences.items()},
            None if s.target is None else np.array(s.target),
            group=s.group,
            unimodal={m: np.array(y) for m, y in s.unimodal.items()},
        )
        for s in samples
    ]
