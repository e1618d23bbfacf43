"""A trial: what it sees, what it costs, how it ends."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from affuse.config import Choice
from affuse.errors import InputError
from affuse.fusion import count_parameters
from affuse.readers import load_corpus
from affuse.samples import Corpus, Sample, Split
from affuse.training.presets import plan
from affuse.training.session import train_run
from affuse.tuning import search_workers
from affuse.tuning.search import TuningRequest, open_studies
from affuse.tuning.search_workers import work
from affuse.tuning.space import for_model
from affuse.tuning.study import REJECTED
from affuse.tuning.trial import STOPPED, FoldData

Search = Callable[..., list[optuna.trial.FrozenTrial]]


@pytest.fixture
def search(ask, corpus: Corpus) -> Search:
    """`search(**changes)`: the trials of a search in this process."""

    def make(**changes: Any) -> list[optuna.trial.FrozenTrial]:
        request: TuningRequest = ask(**changes)
        (study,) = open_studies(request, corpus).values()
        work(request, {0: FoldData.of(corpus, 0)}, {(request.models[0], 0): study.study_name})
        return study.trials

    return make


class Closed(Sequence[Sample]):
    """A test part that nobody may look into once it is closed."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples, self.closed = samples, False

    def __len__(self) -> int:
        assert not self.closed
        return len(self.samples)

    def __getitem__(self, index: Any) -> Any:
        assert not self.closed
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        assert not self.closed
        return iter(self.samples)


def test_the_test_part_is_not_handed_over(ask, corpus: Corpus) -> None:
    split = corpus.folds[0]
    test = Closed(split.test)
    held = replace(corpus, folds=(Split(split.train, split.valid, test),))
    held.fingerprint()
    test.closed = True
    with pytest.raises(AssertionError):
        len(test)
    request = ask(trials=2)
    (study,) = open_studies(request, held).values()
    fold = FoldData.of(held, 0)
    work(request, {0: fold}, {("concat", 0): study.study_name})
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
    content = pickle.dumps(fold)
    assert all(s.id.encode() in content for s in (*split.train, *split.valid))
    assert not any(s.id.encode() in content for s in split.test)


@pytest.mark.slow
def test_its_score_is_that_of_training_with_its_settings(
    search: Search, ask, corpus: Corpus, tmp_path: Path
) -> None:
    trial = search(seed=1, trials=2)[1]
    settings = {**ask().settings, **for_model("concat", trial.params)}
    planned = plan("controlled", "concat", settings)
    checkpoint = train_run(corpus, planned, seed=1, folder=tmp_path / "run")
    best = checkpoint.training["best_epoch"]
    assert trial.value == checkpoint.training["history"][best]["valid_mae"]
    assert trial.user_attrs["best_epoch"] == best
    assert trial.user_attrs["parameters"] == count_parameters(checkpoint.model)
    history = [record["valid_mae"] for record in checkpoint.training["history"]]
    assert list(trial.intermediate_values.values()) == history


def test_one_modality_alone_is_tuned_too(search: Search) -> None:
    trials = search(models=("unimodal:audio",), trials=2)
    assert all(trial.value is not None for trial in trials)


def test_a_trial_that_falls_behind_is_pruned_and_leaves_nothing(
    ask, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    request = ask()
    objective = request.objectives()["concat"]
    # Every error is more than none.
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.0))
    seen: list[str] = []
    fold = FoldData.of(corpus, 0)

    def observed(trial: optuna.Trial) -> float:
        try:
            return objective(trial, fold)
        finally:
            seen.extend(path.name for path in tmp_path.iterdir())

    study.optimize(observed, n_trials=1)
    (trial,) = study.trials
    assert trial.state.name == "PRUNED"
    assert list(trial.intermediate_values) == [0]
    assert seen == []


@pytest.mark.slow
def test_models_above_the_budget_are_turned_down_untrained(search: Search) -> None:
    untuned = search(trials=1)[0].user_attrs["parameters"]
    trials = search(trials=4, max_parameters=untuned - 1, study="small")
    kept = [t for t in trials if REJECTED not in t.user_attrs]
    refused = [t for t in trials if REJECTED in t.user_attrs]
    assert len(kept) == 4
    assert trials[0] in refused
    for trial in refused:
        assert trial.user_attrs["parameters"] >= untuned
        assert trial.user_attrs[REJECTED] == f"{trial.user_attrs['parameters']:,} parameters"
        assert trial.intermediate_values == {}
        assert trial.state.name == "PRUNED"
    assert all(trial.user_attrs["parameters"] < untuned for trial in kept)


def test_a_budget_that_nothing_fits_is_one_error(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_workers, "MAX_REJECTED", 3)
    with pytest.raises(InputError, match=r"3 settings of concat .* parameters; change the space"):
        search(trials=1, max_parameters=10)


def test_training_that_diverges_is_a_trial_all_the_same(search: Search, ask) -> None:
    hopeless = {**ask().settings, "learning_rate": 1e30, "warmup": 0}
    trials = search(trials=2, settings=hopeless)
    assert [trial.state.name for trial in trials] == ["PRUNED"] * 2
    assert all("diverged" in trial.user_attrs[STOPPED] for trial in trials)


@pytest.mark.slow
def test_how_features_are_normalised_can_be_searched(search: Search) -> None:
    trials = search(trials=3, space_changes={"normalise": Choice("train", "none")})
    assert {trial.params["normalise"] for trial in trials} == {"train", "none"}


def test_samples_without_a_target_are_refused(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = load_corpus("controlled", options={"train": 3, "valid": 2, "test": 2})
    split = corpus.folds[0]
    mute = replace(split.valid[1], target=None)
    changed = replace(corpus, folds=(replace(split, valid=(split.valid[0], mute)),))
    monkeypatch.setattr("affuse.tuning.search.load_corpus", lambda *_: changed)
    with pytest.raises(InputError, match="has no target to learn from"):
        ask().load()


def test_a_trial_begins_as_the_training_that_it_stands_for(ask, search) -> None:
    settings = {"pretrain": "frozen", "epochs": 1}
    (trial,) = search(models=("concat",), settings={**ask().settings, **settings}, trials=1)
    plain = {**ask().settings, "epochs": 1}
    (other,) = search(models=("concat",), settings=plain, trials=1, study="plain")
    assert trial.value is not None
    assert trial.value != other.value
