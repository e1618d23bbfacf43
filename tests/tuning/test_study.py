"""A study that many share: the sum of its trials, its dead, its random numbers, its identity."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import TrialPruned
from optuna.trial import Trial, TrialState

from affuse.errors import InputError
from affuse.tuning import storage as storage_module
from affuse.tuning import study as module
from affuse.tuning.storage import find_database, open_storage
from affuse.tuning.study import (
    REJECTED,
    best_value,
    fail_silent,
    finished,
    has_room,
    join_study,
    open_study,
    run_one,
)

IDENTITY = {"corpus": "controlled", "space": {"x": {"low": 0.0, "high": 1.0}}, "seed": 0}


@pytest.fixture
def storage(tmp_path: Path):
    """`storage()`: a connection of its own to the same file."""
    return lambda: open_storage(find_database(str(tmp_path / "studies.db"), None))


@pytest.fixture
def join(storage):
    """`join(seed)`: the study, as one more process sees it."""
    open_study(storage(), "s", direction="minimize", identity=IDENTITY, preset={"x": 0.5})
    return lambda seed=0: join_study(storage(), "s", seed=seed, epochs=8)


def parabola(trial: Trial) -> float:
    return (trial.suggest_float("x", 0, 1) - 0.3) ** 2


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.trials]


def test_processes_that_hurry_add_up_to_the_number_asked_for(join) -> None:
    trials, calls = 9, []

    def objective(trial: Trial) -> float:
        calls.append(trial.number)
        time.sleep(0.02)
        if trial.number % 4 == 3:
            raise TrialPruned
        return parabola(trial)

    def hurry() -> None:
        study = join()
        while len(finished(study)) < trials:
            if has_room(study, trials):
                run_one(study, objective, trials)

    threads = [threading.Thread(target=hurry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    study = join()
    assert len(finished(study)) == len(calls) == len(set(calls)) == trials
    assert states(study).count("RUNNING") == 0


def test_who_came_too_late_gives_the_trial_back(join) -> None:
    first, late = join(), join()
    assert has_room(first, 1)
    assert has_room(late, 1)
    trial = first.ask()
    run_one(late, lambda _: pytest.fail("one trial too many"), 1)
    first.tell(trial, parabola(trial))
    assert states(first) == ["COMPLETE", "FAIL"]
    assert not has_room(late, 1)
    # More may be asked for later.
    assert has_room(late, 2)
    run_one(late, parabola, 2)
    assert len(finished(first)) == 2


def test_the_first_trial_is_what_the_model_has_now(join) -> None:
    study = join()
    assert best_value(study) is None
    run_one(study, parabola, 5)
    run_one(study, parabola, 5)
    assert [t.params["x"] == 0.5 for t in study.trials] == [True, False]
    assert [bool(t.user_attrs.get("preset")) for t in study.trials] == [True, False]
    assert best_value(study) == min(t.value for t in study.trials)


def test_a_trial_that_was_turned_down_costs_nothing(join) -> None:
    study = join()

    def turn_down(trial: Trial) -> float:
        trial.set_user_attr(REJECTED, "too large")
        raise TrialPruned

    run_one(study, turn_down, 1)
    assert states(study) == ["PRUNED"]
    assert finished(study) == []
    run_one(study, parabola, 1)
    assert [trial.number for trial in finished(study)] == [1]


def test_an_error_fails_its_trial_and_is_seen(join) -> None:
    study = join()
    with pytest.raises(ZeroDivisionError):
        run_one(study, lambda _: 1 / 0, 1)
    assert states(study) == ["FAIL"]
    assert has_room(study, 1)


def watch(study: optuna.Study, until: Callable[[], bool]) -> None:
    deadline, seen = time.monotonic() + 20, set()
    while not until():
        assert time.monotonic() < deadline
        fail_silent(study, seen)
        time.sleep(0.02)


def test_a_silent_trial_is_begun_anew_once(join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "GRACE", 0.1)
    dead, study = join(), join()
    dead.ask().suggest_float("x", 0, 1)
    assert not has_room(study, 1)
    watch(study, lambda: states(study) == ["FAIL", "WAITING"])
    # It is the same trial again, and still the one of the preset.
    again = dead.ask()
    assert (again.number, again.suggest_float("x", 0, 1)) == (1, 0.5)
    assert again.user_attrs["preset"]
    # What has killed two processes is left alone.
    watch(study, lambda: states(study) == ["FAIL", "FAIL"])
    # Of one that died before it had drawn anything there is nothing to begin anew.
    dead.ask()
    watch(study, lambda: states(study) == ["FAIL"] * 3)
    assert has_room(study, 1)


def test_the_first_trial_is_begun_anew_though_it_had_drawn_nothing(
    join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_module, "GRACE", 0.1)
    study = join()
    study.ask()
    watch(study, lambda: states(study) == ["FAIL", "WAITING"])
    run_one(study, parabola, 1)
    (trial,) = finished(study)
    assert (trial.params, trial.user_attrs["preset"]) == ({"x": 0.5}, True)


@pytest.mark.slow
def test_a_trial_that_is_worked_on_is_left_alone(join, monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than a busy machine may keep a process waiting.
    monkeypatch.setattr(storage_module, "GRACE", 3.0)
    monkeypatch.setattr(storage_module, "HEARTBEAT", 0.05)
    study, leave = join(), threading.Event()

    def slow(trial: Trial) -> float:
        leave.wait(30)
        return parabola(trial)

    worker = threading.Thread(target=lambda: run_one(join(), slow, 1))
    worker.start()
    began = time.monotonic()
    watch(study, lambda: time.monotonic() - began > 4)
    leave.set()
    worker.join()
    assert states(study) == ["COMPLETE"]


@pytest.mark.parametrize("report", [False, True])
def test_who_was_taken_for_dead_goes_on_with_something_else(join, report: bool) -> None:
    study, other = join(), join()

    def sleeper(trial: Trial) -> float:
        other.tell(trial.number, state=TrialState.FAIL)
        if report:
            trial.report(0.1, step=0)
        return 0.1

    run_one(study, sleeper, 1)
    assert states(study) == ["FAIL"]
    run_one(study, parabola, 1)
    assert len(finished(study)) == 1


@pytest.mark.slow
def test_the_worse_half_is_pruned_but_not_in_its_first_quarter(join) -> None:
    study, epochs = join(), 8

    def training(error: float) -> Callable[[Trial], float]:
        def objective(trial: Trial) -> float:
            trial.suggest_float("x", 0, 1)
            for epoch in range(epochs):
                trial.report(error, epoch)
                if trial.should_prune():
                    raise TrialPruned
            return error

        return objective

    # The first five show what is usual.
    for error in (0.1, 0.9, 0.5, 0.7, 0.3, 0.4, 0.6):
        run_one(study, training(error), 7)
    assert states(study) == ["COMPLETE"] * 6 + ["PRUNED"]
    assert list(study.trials[6].intermediate_values) == [0, 1, 2]
    assert len(finished(study)) == 7


def drawn(study: optuna.Study) -> list[float]:
    return [trial.params["x"] for trial in study.trials]


@pytest.mark.slow
def test_a_stopped_study_goes_on_as_if_it_had_not_been(storage) -> None:
    def run(name: str, seed: int, parts: list[int]) -> list[float]:
        open_study(storage(), name, direction="minimize", identity=IDENTITY, preset={"x": 0.5})
        for trials in parts:
            study = join_study(storage(), name, seed=seed, epochs=8)
            while has_room(study, trials):
                run_one(study, parabola, trials)
        return drawn(study)

    whole = run("whole", 3, [12])
    assert len(set(whole)) == 12
    assert run("parts", 3, [4, 5, 12]) == whole
    assert run("other", 4, [3])[1:] != whole[1:3]


def test_a_study_of_something_else_is_refused(storage) -> None:
    def make(**identity: object) -> optuna.Study:
        changed = {**IDENTITY, **identity}
        return open_study(storage(), "s", direction="minimize", identity=changed, preset={})

    make()
    assert len(make().trials) == 1
    with pytest.raises(InputError, match=r"'s' was made with another corpus, seed; .* --study"):
        make(corpus="mosi", seed=1)
    with pytest.raises(InputError, match=r"another space\.x\.high, space\.y"):
        make(space={"x": {"low": 0.0, "high": 2.0}, "y": [1]})


def test_a_study_whose_maker_was_killed_at_once_is_made_whole(
    storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna.create_study(storage=storage(), study_name="s", direction="minimize")
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    study = open_study(storage(), "s", direction="minimize", identity=IDENTITY, preset={"x": 0.5})
    assert study.user_attrs["identity"] == IDENTITY
    assert states(study) == ["WAITING"]


@pytest.mark.slow
def test_trials_of_other_code_are_kept_but_not_counted(storage) -> None:
    told: list[str] = []

    def trials(count: int, **code: str) -> list[int]:
        """The study's trials of this code, and those that it has after `count` are there."""
        identity = {**IDENTITY, "model": "mine", **({"code": code} if code else {})}
        made = {"direction": "minimize", "identity": identity, "preset": {"x": 0.5}}
        name = open_study(storage(), "s", **made, on_notice=told.append).study_name
        study = join_study(storage(), name, seed=0, epochs=8)
        before = len(finished(study))
        while has_room(study, count):
            run_one(study, parabola, count)
        return [before, len(finished(study))]

    first, edited = {"model": "a", "training": "a"}, {"model": "b", "training": "a"}
    assert trials(2) == [0, 2]
    assert trials(3, **first) == [0, 3]
    # It is said once, and each goes on with its own.
    assert trials(4, **first) == [3, 4]
    assert trials(1, **edited) == [0, 1]
    assert trials(2, model="b", training="b") == [0, 2]
    assert trials(4, **first) == [4, 4]
    assert trials(2) == [2, 2]
    assert told[0] == (
        "nothing says which source code made the 2 trials of study 's': "
        "they are not counted, and run anew"
    )
    assert len(told) == 3


def test_it_is_said_which_code_has_changed(storage) -> None:
    def make(**code: str) -> optuna.Study:
        identity = {**IDENTITY, "model": "mine", "code": code}
        made = {"direction": "minimize", "identity": identity, "preset": {"x": 0.5}}
        return open_study(storage(), "s", **made)

    run_one(make(model="a", training="a"), parabola, 1)
    for code, what in (
        ({"model": "b", "training": "a"}, "model 'mine'"),
        ({"model": "a", "training": "b"}, "training"),
        ({"model": "b", "training": "b"}, "model 'mine' and of training"),
    ):
        said = f"^the source of {what} has changed since 1 trials of study 's': they are not"
        with pytest.warns(UserWarning, match=said):
            make(**code)
    # Whatever the code, a study of something else is refused.
    with pytest.raises(InputError, match="made with another seed"):
        open_study(
            storage(),
            "s",
            direction="minimize",
            identity={**IDENTITY, "model": "mine", "seed": 1, "code": {"model": "c"}},
            preset={},
        )
