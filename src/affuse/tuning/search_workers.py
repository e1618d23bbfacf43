"""The processes that work on the studies of a search."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import optuna

from affuse.errors import InputError
from affuse.processes import begin_worker, worker_context, worker_killed
from affuse.tuning.storage import database_errors, open_storage
from affuse.tuning.study import REJECTED, fail_silent, finished, has_room, join_study, run_one
from affuse.tuning.trial import FoldData

if TYPE_CHECKING:
    from affuse.tuning.search import TuningRequest

Place = tuple[str, int]
"""Of a study: its model and fold."""

Workers = Callable[["TuningRequest", Mapping[Place, str]], Generator[None]]
"""Bring studies, by their names, to their numbers of trials, and yield every so often meanwhile."""

POLL = 0.5
"""Seconds between looks at what others are doing."""

MAX_REJECTED = 20
"""So many times the trials asked for may be turned down before the search is given up."""


def by_processes(request: TuningRequest, names: Mapping[Place, str]) -> Generator[None]:
    """Let processes of this machine work; whoever stops listening ends them.

    Raises:
        InputError: a process was killed.
        Exception: whatever went wrong in one.
    """
    context = worker_context(__name__)
    with ProcessPoolExecutor(request.jobs, context, _begin, (request,)) as pool:
        pending = {pool.submit(_run, names, slot) for slot in range(request.jobs)}
        try:
            while pending:
                ended, pending = wait(pending, timeout=POLL, return_when=FIRST_EXCEPTION)
                yield
                for future in ended:
                    future.result()
        except BrokenProcessPool:
            raise worker_killed() from None
        except BaseException:
            # Their trials fall silent and are begun anew by whoever goes on.
            for process in list((pool._processes or {}).values()):
                process.kill()
            raise


_worker: tuple[TuningRequest, Mapping[int, FoldData]] | None = None
"""What a worker process was begun for."""


def _begin(request: TuningRequest) -> None:
    """Load the corpus once a process, and keep of it what tuning may see."""
    global _worker
    begin_worker()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    corpus = request.load()
    _worker = request, {fold: FoldData.of(corpus, fold) for fold in request.folds(corpus)}


def _run(names: Mapping[Place, str], slot: int) -> None:
    assert _worker is not None
    request, folds = _worker
    work(replace(request, compute=request.compute.on_slot(slot)), folds, names)


def work(request: TuningRequest, folds: Mapping[int, FoldData], names: Mapping[Place, str]) -> None:
    """Work on studies until each has its trials.

    Args:
        folds: all that is seen of the corpus.
        names: model and fold to the name of the study.
    """
    storage, objectives = open_storage(request.database), request.objectives()
    seen: set[int] = set()
    with database_errors(request.database):
        studies = {
            place: join_study(storage, name, seed=request.seed, epochs=objectives[place[0]].epochs)
            for place, name in names.items()
        }
        while left := [p for p, s in studies.items() if len(finished(s)) < request.trials]:
            for place in left:
                fail_silent(studies[place], seen)
            free = next((p for p in left if has_room(studies[p], request.trials)), None)
            if free is None:
                time.sleep(POLL)
                continue
            model, fold = free
            objective = partial(objectives[model], fold=folds[fold])
            run_one(studies[free], objective, request.trials)
            _require_fitting(studies[free], model, request.trials)


def _require_fitting(study: optuna.Study, model: str, trials: int) -> None:
    """Raise `InputError` where the space holds next to nothing that may be trained."""
    attributes = [trial.user_attrs for trial in study.get_trials(deepcopy=False)]
    why = [known[REJECTED] for known in attributes if REJECTED in known]
    if len(why) >= MAX_REJECTED * trials:
        raise InputError(
            f"{len(why)} settings of {model} were turned down, the last for {why[-1]}",
            remedy="change the space or --max-parameters",
        )
