"""One model's study, which any number of processes and machines work on at once.

A trial counts when it is complete or pruned. A process takes a trial only while fewer than the
number asked for are counted or under way, and gives it back where others took theirs first, so
that the sum is exact. Whoever works on a trial says so every few seconds (Optuna's heartbeat); a
trial that falls silent is failed by the others, who begin it anew.
"""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal

import optuna
from optuna.exceptions import (
    DuplicatedStudyError,
    OptunaError,
    TrialPruned,
    UpdateFinishedTrialError,
)
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from affuse.errors import InputError
from affuse.files import differences, digest_json
from affuse.tuning.storage import quiet_heartbeat

IDENTITY = "identity"
CODE = "code"
"""In the identity: what of the source code decides a score, by part, as a digest."""

PRESET = "preset"
REJECTED = "rejected"

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

Direction = Literal["minimize", "maximize"]


class SeededTPE(TPESampler):
    """TPE whose random numbers follow from the seed and the trial's number.

    So a study that was stopped goes on as if it had not been, and processes that share it draw
    different trials.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self.seed = seed

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:  # noqa: ARG002
        # All of its state is made anew.
        super().__init__(seed=(self.seed * 1_000_003 + trial.number) % 2**32)


def open_study(
    storage: RDBStorage,
    name: str,
    *,
    direction: Direction,
    identity: Mapping[str, Any],
    preset: Mapping[str, Any],
    on_notice: Callable[[str], object] = warnings.warn,
) -> optuna.Study:
    """Make a study, or go on with the one of this name.

    Trials that other source code made are kept, but their scores say nothing of what this code
    would score: a second study, whose name ends in the digest of the code, stands beside theirs.

    Args:
        identity: JSON content that says what the study is of.
        preset: the values of its first trial.
        on_notice: told in a line of trials that other code made.

    Raises:
        InputError: the name is taken by a study of something else.
    """
    identity = json.loads(json.dumps(identity))
    code = identity.get(CODE)
    study = _make_or_load(storage, name, direction, identity, preset)
    found = study.user_attrs[IDENTITY]
    if differing := list(differences({**identity, CODE: None}, {**found, CODE: None})):
        raise InputError(
            f"the study '{name}' was made with another {', '.join(differing[:5])}",
            remedy="repeat its command, or give another --study",
        )
    if found.get(CODE) == code:
        return study
    study = _make_or_load(storage, f"{name}@{digest_json(code)[:8]}", direction, identity, preset)
    names = {n for n in optuna.get_all_study_names(storage) if n.startswith(f"{name}@")} | {name}
    others = (optuna.load_study(storage=storage, study_name=n) for n in names - {study.study_name})
    if not finished(study) and (trials := sum(len(finished(other)) for other in others)):
        # Studies of earlier versions of affuse name no code.
        why = "nothing says which source code made the"
        if before := found.get(CODE):
            parts = {"model": f"model '{identity['model']}'", "training": "training"}
            changed = " and of ".join(parts[part] for part in differences(code, before))
            why = f"the source of {changed} has changed since"
        on_notice(f"{why} {trials} trials of study '{name}': they are not counted, and run anew")
    return study


def _make_or_load(
    storage: RDBStorage,
    name: str,
    direction: Direction,
    identity: Mapping[str, Any],
    preset: Mapping[str, Any],
) -> optuna.Study:
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name)
        for _ in range(20):
            # Whoever made it is about to say what it is of, or was killed in that moment.
            if IDENTITY in study.user_attrs:
                break
            time.sleep(0.5)
    if IDENTITY not in study.user_attrs:
        # The identity comes last, so that a study that has one is whole.
        study.enqueue_trial(dict(preset), user_attrs={PRESET: True}, skip_if_exists=True)
        study.set_user_attr(IDENTITY, identity)
    return study


def join_study(storage: RDBStorage, name: str, *, seed: int, epochs: int) -> optuna.Study:
    """A study that exists, to work on.

    Args:
        epochs: of a trial; none is pruned in the first quarter.
    """
    pruner = MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, epochs // 4))
    return optuna.load_study(
        storage=storage, study_name=name, sampler=SeededTPE(seed), pruner=pruner
    )


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count, by number."""
    return [t for t in study.get_trials(deepcopy=False, states=FINISHED) if _counts(t)]


def best_value(study: optuna.Study) -> float | None:
    """The best score so far; None where no trial is complete."""
    try:
        return study.best_value
    except ValueError:
        return None


def has_room(study: optuna.Study, trials: int) -> bool:
    """Whether fewer than `trials` are finished or under way."""
    taken = study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING))
    return sum(_counts(trial) for trial in taken) < trials


def run_one(study: optuna.Study, objective: Callable[[Trial], float], trials: int) -> None:
    """Take a trial, work on it and tell the study how it ended."""
    # Not `Study.optimize`: where others failed the trial meanwhile, as on a machine that slept, it
    # ends in an AssertionError or a ValueError (Optuna 5.0), and an exit leaves the trial running.
    with quiet_heartbeat():
        trial = study.ask()
    value, state = None, TrialState.FAIL
    with _heartbeat(study, trial):
        try:
            # Nobody can tell who asked first but by the number. A trial that waits will be run.
            earlier = study.get_trials(deepcopy=False)[: trial.number]
            if sum(_counts(t) for t in earlier if t.state != TrialState.FAIL) < trials:
                value, state = objective(trial), TrialState.COMPLETE
        except TrialPruned:
            state = TrialState.PRUNED
        except UpdateFinishedTrialError:
            pass  # Others failed it.
        finally:
            with suppress(UpdateFinishedTrialError):
                study.tell(trial, value, state, skip_if_finished=True)


def _counts(trial: FrozenTrial) -> bool:
    """A trial that was turned down before any training costs nothing."""
    return REJECTED not in trial.user_attrs


@contextmanager
def _heartbeat(study: optuna.Study, trial: Trial) -> Iterator[None]:
    """Record every few seconds that a trial is being worked on.

    Optuna's own thread is out of reach but from `Study.optimize`, and an error of the database,
    such as a server that is restarted, ends it for good.
    """
    storage, ended = _heartbeats(study), threading.Event()

    def beat() -> None:
        while not ended.is_set():
            # A storage that stays away is noticed where the trial reports.
            with suppress(OptunaError, SQLAlchemyError):
                storage.record_heartbeat(trial._trial_id)
            ended.wait(storage.get_heartbeat_interval())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def fail_silent(study: optuna.Study, seen: set[int]) -> None:
    """Fail the trials of others that have fallen silent, and let them begin anew; call it often.

    Args:
        seen: the trials that earlier calls of this process have seen under way; more are added.
    """
    with quiet_heartbeat():
        fail_stale_trials(study)
    # Optuna never fails a trial whose process died before its first heartbeat, and the search would
    # wait for it for ever. Its silence is counted from when it is first seen.
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial._trial_id not in seen:
            seen.add(trial._trial_id)
            _heartbeats(study).record_heartbeat(trial._trial_id)


def _heartbeats(study: optuna.Study) -> Any:
    """The study's storage, whose heartbeat Optuna offers nowhere else."""
    return study._storage
