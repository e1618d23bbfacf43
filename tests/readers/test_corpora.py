"""The package registers its readers and stays light."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers import corpora, load_corpus
from affuse.readers.registry import without_untaught
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Regression


def test_importing_registers_the_readers() -> None:
    entries = corpora()
    assert {"mosi", "mult", "ravdess"} <= set(entries)
    assert all(entry.summary for entry in entries.values())


def test_an_unknown_corpus_proposes_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown corpus 'mossi'; did you mean 'mosi'"):
        load_corpus("mossi")


def test_what_the_training_part_of_one_fold_lacks_is_left_out_of_all() -> None:
    def sample(name: str, *modalities: str) -> Sample:
        return Sample(name, {m: np.ones((2, 3), np.float32) for m in modalities}, np.zeros(1))

    a, b, c = sample("a", "text"), sample("b", "text", "audio"), sample("c", "audio")
    folds = (Split([a, b], [b], [c]), Split([a], [b], [c]))
    corpus = Corpus("small", Regression(), {"text": 3, "audio": 3}, folds)
    left = without_untaught(corpus)
    assert dict(left.widths) == {"text": 3}
    assert left.folds[0].train[0] is left.folds[1].train[0]
    assert left.folds[0].test[0].sequences == {}
    assert left.notices == ("audio left out: no sample of the training part has it",)
    assert without_untaught(left) is left
    with pytest.raises(InputError, match="no sample of the training part has text"):
        without_untaught(
            Corpus("small", Regression(), {"text": 3}, (Split([c.keep([])], [a], [a]),))
        )


def test_reading_needs_no_torch() -> None:
    code = "import sys, affuse.readers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
