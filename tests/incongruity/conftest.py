"""A corpus whose conflicts are known, its readers, and probes that are quick to fit."""

from __future__ import annotations

import pytest

from affuse.incongruity import probes
from affuse.incongruity.conflict import ConflictScorer, fit_conflict
from affuse.incongruity.readings import Readers, fit_readers
from affuse.readers import load_corpus
from affuse.samples import Split
from affuse.tasks import Regression
from affuse.training.normalise import normalise

TASK = Regression(-3.0, 3.0)


@pytest.fixture(scope="session")
def split() -> Split:
    """The controlled corpus with 30% incongruent samples, standardised."""
    corpus = load_corpus("controlled", options={"incongruent": 0.3})
    return normalise(corpus.folds[0], "train")[0]


@pytest.fixture(scope="session")
def readers(split: Split) -> Readers:
    return fit_readers(TASK, split.train, split.valid)


@pytest.fixture(scope="session")
def scorer(split: Split, readers: Readers) -> ConflictScorer:
    return fit_conflict(readers, split.valid)


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes that learn little, for tests of what is done with them."""
    monkeypatch.setattr(probes, "_STEPS", 20)
