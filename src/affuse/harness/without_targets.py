"""A corpus as training gets it: one fold, whose test part has no targets and no names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affuse.evaluation.held_out import hide, own
from affuse.files import digest
from affuse.samples import Corpus, Sample, Split, labelled
from affuse.tasks import Task


@dataclass(frozen=True)
class Sealed(Corpus):
    """A corpus that cannot tell its test targets.

    Attributes:
        whole: the fingerprint of the corpus that was sealed, which is this one's too: a run is
            known by what it was made of.
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


def seal(corpus: Corpus, fold: int) -> Sealed:
    """What training may reach of a fold.

    It shares no array with `corpus` save those mapped from files. Other folds are left out, for
    their training parts hold what this one tests, and whatever a reader has put into options,
    features, texts and planted truth.
    """
    split = corpus.folds[fold]
    closed = Split(_plain(split.train), _plain(split.valid), hide(labelled(split.test)))
    return Sealed(
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
            {m: own(x) for m, x in s.sequences.items()},
            None if s.target is None else np.array(s.target),
            group=s.group,
        )
        for s in samples
    ]
