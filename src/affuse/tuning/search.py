"""The search: what is asked of it, and its studies, on which others work."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from affuse import __version__
from affuse.errors import InputError
from affuse.progress import OnWork
from affuse.readers.registry import load_corpus
from affuse.samples import Corpus
from affuse.training.code import code_of
from affuse.training.compute import Compute
from affuse.training.presets import check_keys, corpus_options, plan
from affuse.training.run_log import RunLog
from affuse.training.session import require_targets, require_trainable
from affuse.tuning.outcome import StudyResult, TuningResult
from affuse.tuning.search_workers import Place, Workers, by_processes
from affuse.tuning.space import SpaceChanges, base_name, describe, search_space, untuned
from affuse.tuning.storage import Database, database_errors, open_storage
from affuse.tuning.study import Direction, best_value, finished, open_study
from affuse.tuning.trial import Objective

NOT_SEARCHED_WITH = {
    "init": "sizes, which the weights of 'init' do not fit",
    "distil": "settings by the dozen, and 'distil' would train a teacher for each",
    "teacher": "sizes and rates, for which a 'teacher' trained with others would decide",
}
"""Options of training that a search refuses, and why."""


@dataclass(frozen=True)
class TuningRequest:
    """A search of settings for one model or several, each with a study and a budget of its own.

    Attributes:
        corpus: a registered name or the path of a corpus file.
        data: where the corpus lies, for a name that needs it.
        models: names, each tuned by itself.
        trials: how many of each model count in the end, those of earlier calls included.
        settings: `key=value` over the corpus' preset; what they fix is not searched.
        space_changes: to the space that the models declare.
        fold: which one is tuned on; by default each, in a study of its own.
        seed: of the drawn settings and of every training.
        study: name of the studies, to which each adds its model; by default the corpus' name
            and, of several, its fold.
        max_parameters: a larger model is turned down before it is trained.
        compute: on what models train; of several GPUs, each process has its own.
        logs: what is written of each trial's epochs (`affuse.training.run_log`), and where.
    """

    corpus: str
    database: Database
    data: Path | None = None
    models: tuple[str, ...] = ("hct_mg",)
    trials: int = 30
    settings: Mapping[str, Any] = field(default_factory=dict)
    space_changes: SpaceChanges = field(default_factory=dict)
    fold: int | None = None
    seed: int = 0
    study: str | None = None
    max_parameters: int | None = None
    jobs: int = 1
    compute: Compute = field(default_factory=Compute)
    logs: RunLog | None = None

    def load(self) -> Corpus:
        """The corpus, after everything that can be checked without it.

        Raises:
            InputError: an unknown model, setting, fold or device, or a corpus that cannot be read.
        """
        if self.trials < 1 or self.jobs < 1:
            raise InputError("trials and jobs", remedy="give 1 or more of each")
        if not self.models or len(set(map(base_name, self.models))) < len(self.models):
            # The settings that come out go by the registered name.
            raise InputError("no model, or one named twice", remedy="name each model once")
        self.compute.require_here()
        check_keys(self.corpus, self.settings)
        plans = [plan(self.corpus, name, self.settings, self.data) for name in self.models]
        for planned in plans:
            for key, why in NOT_SEARCHED_WITH.items():
                if getattr(planned.train, key):
                    raise InputError(
                        f"a search tries {why}",
                        remedy="leave it out; affuse train and benchmark take it beside --settings",
                    )
        self.objectives()
        options = corpus_options(self.corpus, self.settings, self.data)
        corpus = load_corpus(self.corpus, self.data, options)
        corpus.require_fold(self.fold or 0)
        for fold in self.folds(corpus):
            split = corpus.folds[fold]
            require_targets([*split.train, *split.valid])
            for planned in plans:
                require_trainable(corpus, planned, fold)
        return corpus

    def folds(self, corpus: Corpus) -> Sequence[int]:
        """Those that are searched in."""
        return range(len(corpus.folds)) if self.fold is None else (self.fold,)

    def objectives(self) -> dict[str, Objective]:
        """Each model's space and how a trial of it is trained.

        Raises:
            InputError: a space that is empty or holds what the model does not allow.
        """
        found = {}
        for model in self.models:
            space = search_space(self.corpus, model, self.settings, self.space_changes, self.data)
            if not space:
                raise InputError(f"nothing of {model} is left to search", remedy="set less by hand")
            found[model] = Objective(
                *(self.corpus, model, self.settings, space, self.seed),
                max_parameters=self.max_parameters,
                data=self.data,
                compute=self.compute,
                logs=self.logs,
            )
        return found

    def study_name(self, corpus: Corpus, model: str, fold: int) -> str:
        """Of a model's study; folds are apart: one's validation part is another's test part."""
        which = f" fold {fold}" if len(corpus.folds) > 1 else ""
        return f"{self.study or corpus.name}{which}/{model}"

    def identity(self, corpus: Corpus, objective: Objective, fold: int) -> dict[str, Any]:
        """All that decides what a trial's score means, as JSON content."""
        return {
            "affuse": __version__,
            "code": code_of(objective.model),
            "corpus": corpus.name,
            "fingerprint": corpus.fingerprint(),
            "fold": fold,
            "folds": len(corpus.folds),
            "metric": corpus.task.selection[0],
            "model": objective.model,
            "settings": {key: str(value) for key, value in self.settings.items()},
            "space": describe(objective.space),
            "max_parameters": self.max_parameters,
            "seed": self.seed,
        }


def run_search(
    request: TuningRequest,
    on_progress: OnWork = lambda *_: None,
    on_notice: Callable[[str], object] = warnings.warn,
    workers: Workers | None = None,
) -> TuningResult:
    """Search until every model has its number of trials, and report what was found.

    The test part of the corpus is never touched, save that its fingerprint covers it. Called
    again, or on several machines at once, all work towards the same number.

    Args:
        on_progress: told trials finished, trials in all, and a word on the best so far.
        on_notice: told in a line what the corpus was read as, and which earlier trials are not
            counted, and why.
        workers: what works on the studies; by default processes of this machine.

    Raises:
        InputError: what `TuningRequest.load` raises, a storage that cannot be used, a study of
            something else, or a space in which nothing can be trained.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of every trial
    corpus = request.load()
    for line in corpus.notices:
        on_notice(line)
    with database_errors(request.database):
        studies = open_studies(request, corpus, on_notice)
        _work(request, corpus, studies, on_progress, workers or by_processes)
        found = [StudyResult.read(model, study) for (model, _), study in studies.items()]
    return TuningResult(request, corpus.task.selection[0], found)


def open_studies(
    request: TuningRequest, corpus: Corpus, on_notice: Callable[[str], object] = warnings.warn
) -> dict[Place, optuna.Study]:
    """Each model's study in each fold, made anew or found.

    Raises:
        InputError: the storage cannot be used, or the name is taken by a study of something else.
    """
    storage = open_storage(request.database)
    direction: Direction = "minimize" if corpus.task.selection[1] == "min" else "maximize"
    studies = {}
    for model, objective in request.objectives().items():
        now = untuned(request.corpus, model, request.settings, request.data)
        for fold in request.folds(corpus):
            studies[model, fold] = open_study(
                storage,
                request.study_name(corpus, model, fold),
                direction=direction,
                identity=request.identity(corpus, objective, fold),
                preset={key: now[key] for key, e in objective.space.items() if e.holds(now[key])},
                on_notice=on_notice,
            )
    return studies


def _work(
    request: TuningRequest,
    corpus: Corpus,
    studies: Mapping[Place, optuna.Study],
    on_progress: OnWork,
    workers: Workers,
) -> None:
    """Let workers bring every study to its number of trials."""
    metric = corpus.task.selection[0]
    if all(len(finished(study)) >= request.trials for study in studies.values()):
        return
    names = {place: study.study_name for place, study in studies.items()}
    with closing(workers(request, names)) as events:
        for _ in events:
            on_progress(*_progress(studies, request.trials, metric))
    on_progress(*_progress(studies, request.trials, metric))


def _progress(
    studies: Mapping[Place, optuna.Study], trials: int, metric: str
) -> tuple[int, int, str]:
    counts = {place: min(len(finished(study)), trials) for place, study in studies.items()}
    place = next((p for p, count in counts.items() if count < trials), next(reversed(counts)))
    best, (model, fold) = best_value(studies[place]), place
    which = f", fold {fold}" if any(other for _, other in studies) else ""
    latest = f"{model}{which}: {'' if best is None else f'best {metric} {best:.3f}'}"
    return sum(counts.values()), trials * len(counts), latest
