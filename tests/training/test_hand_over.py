"""Content for other processes: values stay in files that all of them map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affuse.readers import load_corpus
from affuse.readers.stored_write import store_corpus
from affuse.samples import Corpus
from affuse.training.hand_over import CONTENT, VALUES, hand_over, take_over
from affuse.training.normalise import normalise


def _same(ours: Corpus, theirs: Corpus) -> bool:
    return ours.fingerprint() == theirs.fingerprint()


def test_arrays_in_memory_are_written_once_beside_the_content(
    corpus: Corpus, tmp_path: Path
) -> None:
    hand_over(corpus, tmp_path)
    taken = take_over(tmp_path)
    assert _same(Corpus(corpus.name, corpus.task, corpus.widths, taken.folds), corpus)
    total = sum(x.nbytes for s in corpus.folds[0].samples() for x in s.sequences.values())
    assert (tmp_path / VALUES).stat().st_size > total / 2
    large = max(
        (x for s in taken.folds[0].samples() for x in s.sequences.values()), key=lambda x: x.nbytes
    )
    assert not large.flags.writeable


def test_arrays_of_a_stored_corpus_stay_where_they_lie(corpus: Corpus, tmp_path: Path) -> None:
    store_corpus(corpus, tmp_path / "stored")
    stored = load_corpus(str(tmp_path / "stored"))
    place = tmp_path / "handed"
    place.mkdir()
    visible, _ = normalise(stored.folds[0], "train")
    hand_over(visible, place)
    assert (place / VALUES).stat().st_size == 0
    assert (place / CONTENT).stat().st_size < 300_000
    for ours, theirs in zip(visible.train, take_over(place).train, strict=True):
        assert ours.id == theirs.id
        for modality, values in ours.sequences.items():
            assert np.array_equal(values, theirs.sequences[modality])


def test_what_is_odd_is_taken_over_too(tmp_path: Path) -> None:
    values = np.arange(4000, dtype=np.float64).reshape(40, 100)
    odd = [values.T, values[::3], values[:0], np.array(["a", None] * 900, dtype=object), values > 7]
    hand_over(odd, tmp_path)
    for ours, theirs in zip(odd, take_over(tmp_path), strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
