"""A search in parallel processes: its sum, its repetition, a kill in the middle, its errors."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from forked import Forked, typed

from affuse.errors import InputError
from affuse.samples import Corpus
from affuse.tuning import storage as storage_module
from affuse.tuning.outcome import TuningResult
from affuse.tuning.search import TuningRequest, open_studies, run_search
from affuse.tuning.search_workers import work
from affuse.tuning.storage import find_database, open_storage
from affuse.tuning.study import finished
from affuse.tuning.trial import FoldData


def trials(tuning: TuningResult) -> dict[str, list[tuple[int, str, float | None, dict[str, Any]]]]:
    return {
        tuned.model: [(t.number, t.state.name, t.value, t.params) for t in tuned.trials]
        for tuned in tuning.models
    }


@pytest.mark.slow
def test_several_models_have_as_many_trials_each_and_go_on(ask) -> None:
    told: list[tuple[int, int, str]] = []
    request: TuningRequest = ask(models=("concat", "ef_lstm"), trials=2, jobs=2)
    first = run_search(request, lambda *event: told.append(event))
    assert {model: len(found) for model, found in trials(first).items()} == {
        "concat": 2,
        "ef_lstm": 2,
    }
    done = [event[0] for event in told]
    assert done == sorted(done)
    assert told[-1][:2] == (4, 4)
    assert "best mae" in told[-1][2]
    # What is there is read, and nothing is trained.
    told.clear()
    again = run_search(request, lambda *event: told.append(event))
    assert (told, trials(again)) == ([], trials(first))
    more = run_search(replace(request, models=("ef_lstm",), trials=3))
    assert len(trials(more)["ef_lstm"]) == 3
    assert trials(more)["ef_lstm"][:2] == trials(first)["ef_lstm"]


def in_this_process(request: TuningRequest, corpus: Corpus) -> list[optuna.trial.FrozenTrial]:
    studies = open_studies(request, corpus)
    names = {model: study.study_name for model, study in studies.items()}
    work(request, {0: FoldData.of(corpus, 0)}, names)
    (study,) = studies.values()
    return study.trials


@pytest.mark.slow
def test_the_same_seed_searches_the_same(ask, corpus: Corpus, tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        database = find_database(str(tmp_path / f"{name}.db"), None)
        made = in_this_process(ask(database=database, seed=seed), corpus)
        found.append([(t.params, t.value) for t in made])
    assert found[0] == found[1]
    assert found[0][1:] != found[2][1:]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_killed_in_the_middle_it_loses_what_was_under_way(
    ask, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request: TuningRequest = ask(trials=4)
    (study,) = open_studies(request, corpus).values()
    settings = [f"--set={key}={value}" for key, value in request.settings.items()]
    command = ["tune", "controlled", "--model=concat", "--trials=4", *settings]
    program = Forked(typed(*command, "--storage", request.database), tmp_path)
    wait_for(lambda: len(finished(study)) >= 1 and any_running(study))
    program.signal(signal.SIGKILL)
    assert program.wait().code == -signal.SIGKILL
    # Its workers go with it.
    wait_for(lambda: not program.workers())
    kept = finished(study)
    monkeypatch.setattr(storage_module, "GRACE", 1)
    after = in_this_process(request, corpus)
    assert len(finished(study)) == 4
    assert [t.value for t in after[: len(kept)]] == [t.value for t in kept]
    assert sum(trial.state.name == "FAIL" for trial in after) <= 1
    assert not any_running(study)


def any_running(study: optuna.Study) -> bool:
    return bool(study.get_trials(states=(optuna.trial.TrialState.RUNNING,)))


def test_a_killed_worker_is_one_error(ask) -> None:
    def kill_workers(*_: Any) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(InputError, match=r"worker process was killed.*; repeat with fewer --jobs"):
        run_search(ask(), kill_workers)


@pytest.mark.slow
def test_what_goes_wrong_in_every_trial_is_one_error(ask) -> None:
    hopeless = {**ask().settings, "learning_rate": 1e30, "warmup": 0}
    with pytest.raises(InputError, match=r"no trial of concat came to an end \(.*diverged"):
        run_search(ask(settings=hopeless, trials=1))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"trials": 0}, "trials and jobs; give 1 or more"),
        ({"jobs": 0}, "trials and jobs"),
        ({"models": ()}, "no model, or one named twice"),
        ({"models": ("unimodal:text", "unimodal:audio")}, "one named twice"),
        ({"models": ("raven",)}, "unknown model 'raven'"),
        ({"models": ("unimodal:smell",)}, "unknown modality 'smell'"),
        ({"settings": {"concat.init": "elsewhere"}}, "weights of 'init' do not fit; leave it out"),
        ({"settings": {"distil": 3}}, "would train a teacher for each; leave it out"),
        ({"settings": {"epoch": 1}}, "did you mean 'epochs'"),
        ({"corpus": "controled"}, "did you mean 'controlled'"),
        ({"fold": 1}, "has 1 fold"),
    ],
)
def test_a_bad_request_leaves_no_trace(ask, tmp_path: Path, change: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        run_search(replace(ask(), **change))
    assert list(tmp_path.iterdir()) == []


def test_nothing_left_to_search_is_refused(ask) -> None:
    free = ask().objectives()["concat"].space
    now = {**ask().settings, **{key: getattr(value, "low", 16) for key, value in free.items()}}
    with pytest.raises(InputError, match="nothing of concat is left to search"):
        run_search(ask(settings=now))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"settings": {"train": 30}}, "corpus, fingerprint, settings.train"),
        ({"seed": 1}, "seed"),
        ({"max_parameters": 10**6}, "max_parameters"),
    ],
)
def test_a_study_of_other_work_is_refused(ask, change: Any, what: str) -> None:
    request: TuningRequest = ask(study="mine", settings={"train": 24, "epochs": 2})
    open_studies(request, request.load())
    settings = {**request.settings, **change.get("settings", {})}
    other = replace(request, **{**change, "settings": settings})
    with pytest.raises(InputError, match=rf"'mine/concat' was made with another {what};"):
        run_search(other)
    assert len(open_storage(request.database).get_all_studies()) == 1
