"""Hard samples, told from the data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.incongruity.hard import HardSamples, hard_samples
from affuse.incongruity.readings import Readers
from affuse.incongruity.tendency import label_tendency
from affuse.samples import Split


@pytest.fixture(scope="module")
def hard(split: Split, readers: Readers) -> HardSamples:
    return hard_samples(readers, split.test)


def test_hard_samples_hold_planted_conflicts_far_more_often(
    split: Split, hard: HardSamples
) -> None:
    conflict = np.array([s.truth["conflict"] for s in split.test])
    assert conflict[hard.mask].mean() > 0.6 > 0.35 > conflict[~hard.mask].mean()


def test_each_says_why(split: Split, readers: Readers, hard: HardSamples) -> None:
    rows = np.flatnonzero(hard.mask)
    assert len(rows) == len(hard.samples) > 10
    targets = np.stack([s.target for s in split.test if s.target is not None])
    side = np.array(["negative", "positive"])[label_tendency(readers.task, targets)[:, 0]]
    for row, sample in zip(rows, hard.samples, strict=True):
        assert sample.id == split.test[row].id
        assert sample.apart or sample.astray
        for first, second in sample.apart:
            assert sample.leanings[first] != sample.leanings[second]
        for modality, leans in sample.leanings.items():
            assert (leans != (side[row],)) == (modality in sample.astray)
    json.dumps(hard.to_dict(), allow_nan=False)


def test_a_slice_does_not_depend_on_its_neighbours(
    split: Split, readers: Readers, hard: HardSamples
) -> None:
    assert (hard_samples(readers, split.test[:50]).mask == hard.mask[:50]).all()


def test_refuses_unlabelled_samples(split: Split, readers: Readers) -> None:
    with pytest.raises(InputError, match="without a target"):
        hard_samples(readers, [split.test[0].without_target()])
