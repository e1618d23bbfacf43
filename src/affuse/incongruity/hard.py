"""Hard samples: those whose modalities lean apart, or away from the label, told from the data.

A modality leans decisively where its reader, which saw no model, is sure of a tendency. A sample
is hard where two modalities lean decisively to different sides, or one leans decisively away from
the label. It makes a slice that is the same for every model that is compared on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from affuse.incongruity.readings import Readers, fit_readers
from affuse.incongruity.tendency import NO_TENDENCY, answer_name, answers, label_tendency
from affuse.samples import Corpus, Sample, Split, labelled, targets_of
from affuse.tasks import Bools, Task
from affuse.training.devices import AUTO, processor_threads
from affuse.training.normalise import normalise


@dataclass(frozen=True)
class HardSample:
    """Why a sample is hard.

    Attributes:
        apart: pairs of modalities that lean to different sides.
        astray: modalities that lean away from the label.
        leanings: modality to the names of its decisive tendencies; only those that have one.
    """

    id: str
    text: str | None
    apart: tuple[tuple[str, str], ...]
    astray: tuple[str, ...]
    leanings: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class HardSamples:
    """The hard ones among N samples: the slice `mask` `(N,)`, and an entry for each True in it."""

    mask: Bools
    samples: tuple[HardSample, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"of": len(self.mask), "samples": [asdict(sample) for sample in self.samples]}


def hard_samples(readers: Readers, samples: Sequence[Sample]) -> HardSamples:
    """Find them among samples with targets, prepared as those that the readers were fitted on.

    Raises:
        InputError: a sample without a target.
    """
    targets = targets_of(samples, remedy="leave it out: leanings are held against labels")
    label = label_tendency(readers.task, targets)
    said, sure = readers.read(samples).tendencies()
    _, choices = answers(readers.task)
    # Halfway between a guess and certainty.
    decisive = sure >= (1 + 1 / choices) / 2
    away = decisive & (said != label[:, None]) & (label != NO_TENDENCY)[:, None]
    differ = (said[:, :, None] != said[:, None]) & decisive[:, :, None] & decisive[:, None]
    astray, apart = away.any(axis=2), differ.any(axis=3)
    mask: Bools = astray.any(axis=1) | apart.any(axis=(1, 2))
    found = []
    for row in np.flatnonzero(mask).tolist():
        sample, names = samples[row], readers.modalities
        pairs = tuple((names[a], names[b]) for a, b in np.argwhere(np.triu(apart[row])).tolist())
        away_from_label = tuple(names[k] for k in np.flatnonzero(astray[row]).tolist())
        leanings: dict[str, tuple[str, ...]] = {}
        for k, question in np.argwhere(decisive[row]).tolist():
            name = answer_name(readers.task, question, int(said[row, k, question]))
            leanings[names[k]] = (*leanings.get(names[k], ()), name)
        found.append(HardSample(sample.id, sample.text, pairs, away_from_label, leanings))
    return HardSamples(mask, tuple(found))


HardIds = tuple[tuple[str, ...], ...]
"""For each fold, the ids of its hard test samples."""

OnFold = Callable[[int, int], None]
"""Told the number of the fold that is looked at, from 1, and how many there are."""

# Test samples that are read at once: a large corpus padded as a whole would fill the memory.
_AT_ONCE = 256


def hard_ids(corpus: Corpus, on_fold: OnFold = lambda *_: None, *, device: str = AUTO) -> HardIds:
    """Ids of the hard samples of each fold's test part; empty where a part lacks labels."""
    # Sums depend on the number of threads, and with them who is just decisive.
    found = []
    with processor_threads(1):
        for number, fold in enumerate(corpus.folds, start=1):
            on_fold(number, len(corpus.folds))
            found.append(_of(corpus.task, fold, device))
    return tuple(found)


def _of(task: Task, fold: Split, device: str) -> tuple[str, ...]:
    known = Split(**{name: labelled(part) for name, part in fold.parts().items()})
    if not all(known.parts().values()):
        return ()
    split, _ = normalise(known, "train")
    readers = fit_readers(task, split.train, split.valid, device=device)
    parts = (split.test[start : start + _AT_ONCE] for start in range(0, len(split.test), _AT_ONCE))
    return tuple(s.id for part in parts for s in hard_samples(readers, part).samples)
