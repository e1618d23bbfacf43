"""MulT pickles that are written read back as what they were."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.controlled import ControlledOptions, read_controlled
from affuse.readers.pickles.mult_format import MultOptions, read_mult, to_mult_pickle
from affuse.samples import Corpus, Split
from affuse.tasks import Regression


@pytest.fixture
def corpus() -> Corpus:
    return read_controlled(None, ControlledOptions(train=5, valid=2, test=3))


def test_reads_back_with_every_value(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "controlled.pkl"
    path.write_bytes(to_mult_pickle(corpus))
    read = read_mult(path, MultOptions())
    assert (read.task, read.widths) == (corpus.task, corpus.widths)
    for part, samples in corpus.folds[0].parts().items():
        again = read.folds[0].parts()[part]
        for before, after in zip(samples, again, strict=True):
            np.testing.assert_array_equal(before.target, after.target)
            assert (after.group, after.id.startswith(f"{before.id}[0-")) == (before.id, True)
            for m, sequence in before.sequences.items():
                np.testing.assert_array_equal(sequence, after.sequences[m])


def test_layout_is_the_field_s(corpus: Corpus) -> None:
    train = pickle.loads(to_mult_pickle(corpus))["train"]
    assert train["text"].ndim == train["vision"].ndim == 3
    assert (train["labels"].shape, train["labels"].dtype) == ((5, 1, 1), np.float32)
    # MulT's own loader decodes each of the three from bytes.
    assert [x.decode() for x in train["id"][1]][:2] == ["train/1", "0"]


def test_a_missing_modality_stays_missing(corpus: Corpus, tmp_path: Path) -> None:
    fold = corpus.folds[0]
    split = Split([fold.train[0].keep(["text", "vision"])], fold.valid, fold.test)
    path = tmp_path / "small.pkl"
    path.write_bytes(to_mult_pickle(replace(corpus, folds=(split,))))
    assert read_mult(path, MultOptions()).folds[0].train[0].modalities == ("text", "vision")


def test_what_has_no_place_in_the_format_is_refused(corpus: Corpus) -> None:
    fold = corpus.folds[0]
    unlabelled = Split([fold.train[0].without_target()], fold.valid, fold.test)
    with pytest.raises(InputError, match="'train/0' has no label"):
        to_mult_pickle(replace(corpus, folds=(unlabelled,)))
    for other in (
        replace(corpus, folds=(fold, fold)),
        replace(corpus, task=Regression(-4.0, 4.0)),
        replace(corpus, widths={**corpus.widths, "gesture": 3}),
    ):
        with pytest.raises(InputError, match="only one split of sentiment"):
            to_mult_pickle(other)
