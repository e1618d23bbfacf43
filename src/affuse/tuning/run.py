"""The search: studies opened, worked on by parallel processes, and read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import optuna

from affuse.errors import InputError
from affuse.processes import begin_worker, worker_context
from affuse.samples import Corpus
from affuse.tuning.report import Tuned, Tuning
from affuse.tuning.request import Request
from affuse.tuning.space import untuned
from affuse.tuning.storage import open_storage, reaching
from affuse.tuning.study import (
    REJECTED,
    Direction,
    Watch,
    best_value,
    finished,
    has_room,
    join_study,
    open_study,
    run_one,
)
from affuse.tuning.trial import Material

POLL = 0.5
"""Seconds between looks at what others are doing."""

TURNED_DOWN = 20
"""So many times the trials asked for may be turned down before the search is given up."""

OnProgress = Callable[[int, int, str], None]
"""Told trials finished, trials in all, and a word on the best so far."""


def tune(request: Request, on_progress: OnProgress = lambda *_: None) -> Tuning:
    """Search until every model has its number of trials, and report what was found.

    The test part of the corpus is never touched, save that its fingerprint covers it. Called
    again, or on several machines at once, all work towards the same number.

    Raises:
        InputError: what `Request.load` raises, a storage that cannot be used, a study of something
            else, or a space in which nothing can be trained.
    """
    _be_quiet()
    corpus = request.load()
    with reaching(request.place):
        studies = open_studies(request, corpus)
        _work(request, corpus, studies, on_progress)
        tuned = [Tuned.read(model, study) for model, study in studies.items()]
    return Tuning(request, corpus.task.selection[0], tuned)


def open_studies(request: Request, corpus: Corpus) -> dict[str, optuna.Study]:
    """Model to its study, made anew or found.

    Raises:
        InputError: the storage cannot be used, or the name is taken by a study of something else.
    """
    storage = open_storage(request.place)
    direction: Direction = "minimize" if corpus.task.selection[1] == "min" else "maximize"
    studies = {}
    for model, trainer in request.trainers().items():
        now = untuned(request.corpus, model, request.settings, request.data)
        studies[model] = open_study(
            storage,
            request.study_name(corpus, model),
            direction=direction,
            identity=request.identity(corpus, trainer),
            preset={key: now[key] for key, entry in trainer.space.items() if entry.holds(now[key])},
        )
    return studies


def _work(
    request: Request,
    corpus: Corpus,
    studies: Mapping[str, optuna.Study],
    on_progress: OnProgress,
) -> None:
    """Let workers bring every study to its number of trials."""
    metric = corpus.task.selection[0]
    names = {model: study.study_name for model, study in studies.items()}
    if all(len(finished(study)) >= request.trials for study in studies.values()):
        return
    context = worker_context(__name__)
    with ProcessPoolExecutor(request.jobs, context, _begin, (request,)) as pool:
        pending = {pool.submit(_run, names) for _ in range(request.jobs)}
        try:
            while pending:
                ended, pending = wait(pending, timeout=POLL, return_when=FIRST_EXCEPTION)
                on_progress(*_progress(studies, request.trials, metric))
                for future in ended:
                    future.result()
        except BrokenProcessPool:
            raise InputError(
                "a worker process was killed, perhaps for want of memory",
                remedy="repeat with fewer --jobs; what is finished is kept",
            ) from None
        except BaseException:
            # Their trials fall silent and are begun anew by whoever goes on.
            for process in list((pool._processes or {}).values()):
                process.kill()
            raise


def _progress(
    studies: Mapping[str, optuna.Study], trials: int, metric: str
) -> tuple[int, int, str]:
    counts = {model: min(len(finished(study)), trials) for model, study in studies.items()}
    model = next((m for m, count in counts.items() if count < trials), next(reversed(counts)))
    best = best_value(studies[model])
    latest = f"{model}: {'' if best is None else f'best {metric} {best:.3f}'}"
    return sum(counts.values()), trials * len(counts), latest


def _be_quiet() -> None:
    """Optuna tells of every trial; here a progress bar does."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


_request: Request | None = None
_material: Material | None = None


def _begin(request: Request) -> None:
    """Load the corpus once a process, and keep of it what tuning may see."""
    global _request, _material
    begin_worker()
    _be_quiet()
    _request, _material = request, Material.of(request.load(), request.fold)


def _run(names: Mapping[str, str]) -> None:
    assert _request is not None
    assert _material is not None
    work(_request, _material, names)


def work(request: Request, material: Material, names: Mapping[str, str]) -> None:
    """Work on studies until each has its trials.

    Args:
        material: all that is seen of the corpus.
        names: model to the name of its study.
    """
    storage, trainers = open_storage(request.place), request.trainers()
    watch = Watch()
    with reaching(request.place):
        studies = {
            model: join_study(storage, name, seed=request.seed, epochs=trainers[model].epochs)
            for model, name in names.items()
        }
        while left := [m for m, s in studies.items() if len(finished(s)) < request.trials]:
            for model in left:
                watch.look(studies[model])
            free = [m for m in left if has_room(studies[m], request.trials)]
            if not free:
                time.sleep(POLL)
                continue
            study, objective = studies[free[0]], partial(trainers[free[0]], material=material)
            run_one(study, objective, request.trials)
            _require_fitting(study, free[0], request.trials)


def _require_fitting(study: optuna.Study, model: str, trials: int) -> None:
    """Raise `InputError` where the space holds next to nothing that may be trained."""
    attributes = [trial.user_attrs for trial in study.get_trials(deepcopy=False)]
    why = [known[REJECTED] for known in attributes if REJECTED in known]
    if len(why) >= TURNED_DOWN * trials:
        raise InputError(
            f"{len(why)} settings of {model} were turned down, the last for {why[-1]}",
            remedy="change the space or --max-parameters",
        )
