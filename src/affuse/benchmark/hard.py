"""Which test samples of a benchmark are hard: those whose modalities mislead.

Which samples are hard follows from the data (`affuse.explain.hard`), before any model is trained:
all models are compared on the same ones.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from affuse.corpora.corpus import Corpus, Split
from affuse.corpora.normalise import normalise
from affuse.evaluate.locked import labelled
from affuse.explain.hard import hard_samples
from affuse.explain.readers import fit_readers
from affuse.tasks import Task

HardIds = tuple[tuple[str, ...], ...]
"""For each fold, the ids of its hard test samples."""

OnFold = Callable[[int, int], None]
"""Told the number of the fold that is looked at, from 1, and how many there are."""

# Test samples that are read at once: a large corpus padded as a whole would fill the memory.
_AT_ONCE = 256


def hard_ids(corpus: Corpus, on_fold: OnFold = lambda *_: None) -> HardIds:
    """Ids of the hard samples of each fold's test part; empty where a part lacks labels."""
    # Sums depend on the number of threads, and with them who is just decisive.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = []
        for number, fold in enumerate(corpus.folds, start=1):
            on_fold(number, len(corpus.folds))
            found.append(_of(corpus.task, fold))
        return tuple(found)
    finally:
        torch.set_num_threads(threads)


def _of(task: Task, fold: Split) -> tuple[str, ...]:
    known = Split(**{name: labelled(part) for name, part in fold.parts().items()})
    if not all(known.parts().values()):
        return ()
    split, _ = normalise(known, "train")
    readers = fit_readers(task, split.train, split.valid)
    parts = (split.test[start : start + _AT_ONCE] for start in range(0, len(split.test), _AT_ONCE))
    return tuple(s.id for part in parts for s in hard_samples(readers, part).samples)
