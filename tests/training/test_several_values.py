"""Training on several values at once, of which some samples lack one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Values
from affuse.training.session import identity, train_run


@pytest.fixture(scope="module")
def valued(corpus: Corpus) -> Corpus:
    """Valence is the sentiment, and arousal, of which a quarter is not told, its size."""

    def told(sample: Sample, row: int) -> Sample:
        assert sample.target is not None
        value = float(sample.target[0])
        arousal = abs(value) if row % 4 else math.nan
        return replace(sample, target=np.array([value, arousal], np.float32))

    parts = corpus.folds[0].parts().values()
    fold = Split(*([told(s, row) for row, s in enumerate(part)] for part in parts))
    return replace(corpus, task=Values(("valence", "arousal"), -3, 3), folds=(fold,))


@pytest.mark.parametrize("settings", [{}, {"gate": "agreement", "granularity": "sample"}])
def test_what_is_not_told_trains_nothing_and_breaks_nothing(
    valued: Corpus, small_plan, tmp_path: Path, settings: dict[str, str]
) -> None:
    planned = small_plan(epochs=2, **settings)
    made = train_run(valued, planned, seed=0, folder=tmp_path)
    assert made.model.options.values
    for record in made.training["history"]:
        named = {k: v for k, v in record.items() if k.startswith("valid_")}
        assert {"valid_ccc_mean", "valid_mae_arousal"} <= named.keys()
        assert all(map(math.isfinite, named.values()))
    assert all(math.isfinite(float(p.detach().sum())) for p in made.model.parameters())
    # The better epoch is the one of the greater concordance.
    scores = [record["valid_ccc_mean"] for record in made.training["history"]]
    assert made.training["best_epoch"] == int(np.argmax(scores))


def test_the_model_is_told_that_outputs_are_values(
    valued: Corpus, corpus: Corpus, small_plan
) -> None:
    asked = (identity(c, small_plan(), seed=0, fold=0)["options"] for c in (valued, corpus))
    assert [options["values"] for options in asked] == [True, False]


def test_a_sample_of_which_nothing_is_told_is_refused(valued: Corpus) -> None:
    fold = valued.folds[0]
    empty = replace(fold.train[0], target=np.full(2, np.nan, np.float32))
    with pytest.raises(InputError, match="label row 0 tells no finite value"):
        replace(valued, folds=(replace(fold, train=(empty, *fold.train[1:])),))
