"""One model's study, which any number of processes and machines work on at once.

A trial counts when it is complete or pruned. A process takes a trial only while fewer than the
number asked for are counted or under way, and gives it back where others took theirs first, so
that the sum is exact. Whoever works on a trial says so every few seconds; a trial that falls silent
is failed by the others, who begin it anew.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import (
    DuplicatedStudyError,
    OptunaError,
    TrialPruned,
    UpdateFinishedTrialError,
)
from optuna.pruners import MedianPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from affuse.errors import InputError
from affuse.files import differences

IDENTITY = "identity"
PRESET = "preset"
REJECTED = "rejected"

PULSE = 5.0
"""Seconds from one sign of life of a trial to the next."""

SILENCE = 60.0
"""Seconds without one after which a trial is taken for dead."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_PULSE, _AGAIN = "pulse", "again"

Objective = Callable[[Trial], float]
Direction = Literal["minimize", "maximize"]


class SeededTPE(BaseSampler):
    """TPE whose random numbers follow from the seed and the trial's number.

    So a study that was stopped goes on as if it had not been, and processes that share it draw
    different trials.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._tpe = TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:  # noqa: ARG002
        self._tpe = TPESampler(seed=(self.seed * 1_000_003 + trial.number) % 2**32)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Any:
        return self._tpe.sample_independent(study, trial, name, distribution)


def open_study(
    storage: RDBStorage,
    name: str,
    *,
    direction: Direction,
    identity: Mapping[str, Any],
    preset: Mapping[str, Any],
) -> optuna.Study:
    """Make a study, or go on with the one of this name.

    Args:
        direction: `minimize` or `maximize`.
        identity: JSON content that says what the study is of.
        preset: the values of its first trial.

    Raises:
        InputError: the name is taken by a study of something else.
    """
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name)
        _await_identity(study)
    if IDENTITY not in study.user_attrs:
        # The identity comes last, so that a study that has one is whole.
        study.enqueue_trial(dict(preset), user_attrs={PRESET: True}, skip_if_exists=True)
        study.set_user_attr(IDENTITY, identity)
    found = study.user_attrs[IDENTITY]
    if differing := list(differences(json.loads(json.dumps(identity)), found)):
        raise InputError(
            f"the study '{name}' was made with another {', '.join(differing[:5])}",
            remedy="repeat its command, or give another --study",
        )
    return study


def _await_identity(study: optuna.Study) -> None:
    """Whoever made it is about to say what it is of, or was killed in that moment."""
    for _ in range(20):
        if IDENTITY in study.user_attrs:
            return
        time.sleep(0.5)


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
    states = (*FINISHED, TrialState.RUNNING)
    taken = study.get_trials(deepcopy=False, states=states)
    return sum(_counts(trial) for trial in taken) < trials


def run_one(study: optuna.Study, objective: Objective, trials: int) -> None:
    """Take a trial, work on it and tell the study how it ended."""
    trial = study.ask()
    with _Pulse(trial):
        # Nobody can tell who asked first but by the number. A trial that waits will be run.
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        if sum(_counts(t) for t in earlier if t.state != TrialState.FAIL) >= trials:
            study.tell(trial, state=TrialState.FAIL)
            return
        try:
            value = objective(trial)
        except TrialPruned:
            _tell(study, trial, None, TrialState.PRUNED)
        except UpdateFinishedTrialError:
            # Silent for too long, as on a machine that slept, it was failed by others.
            return
        except BaseException:
            _tell(study, trial, None, TrialState.FAIL)
            raise
        else:
            _tell(study, trial, value, TrialState.COMPLETE)


def _tell(study: optuna.Study, trial: Trial, value: float | None, state: TrialState) -> None:
    with suppress(UpdateFinishedTrialError):
        study.tell(trial, value, state, skip_if_finished=True)


def _counts(trial: FrozenTrial) -> bool:
    """A trial that was turned down before any training costs nothing."""
    return REJECTED not in trial.user_attrs


class _Pulse(threading.Thread):
    """Says every few seconds that a trial is being worked on."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(daemon=True)
        self.trial, self.ended = trial, threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        beat = 0
        while not self.ended.wait(PULSE):
            beat += 1
            try:
                self.trial.set_user_attr(_PULSE, beat)
            except (OptunaError, SQLAlchemyError):
                # A storage that stays away is noticed where the trial reports.
                continue


class Watch:
    """Fails the trials of others that have fallen silent, and lets them begin anew.

    Only this process' clock is read: those of other machines may differ.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], tuple[object, float]] = {}

    def look(self, study: optuna.Study) -> None:
        """To be called often: silence is counted from when it was first seen."""
        now = time.monotonic()
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            key, pulse = (study.study_name, trial.number), trial.user_attrs.get(_PULSE)
            known = self._seen.get(key)
            if known is None or known[0] != pulse:
                self._seen[key] = (pulse, now)
            elif now - known[1] > SILENCE:
                self._bury(study, trial)

    def _bury(self, study: optuna.Study, trial: FrozenTrial) -> None:
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, OptunaError):
            return  # Another process was first, or it ended after all.
        # Once only: the trial itself may be what killed its process.
        if trial.params and _AGAIN not in trial.user_attrs:
            kept = {k: v for k, v in trial.user_attrs.items() if k == PRESET}
            study.enqueue_trial(dict(trial.params), user_attrs={**kept, _AGAIN: True})
