"""One trial: settings drawn from the space, a model trained on them, its validation score."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.exceptions import TrialPruned
from optuna.trial import Trial

from affuse.config import Space, parse_options
from affuse.errors import InputError
from affuse.fusion import count_parameters, create_model, models
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Task
from affuse.training.answerable import learnable
from affuse.training.compute import Compute
from affuse.training.normalise import NormaliseMode, normalise
from affuse.training.presets import Plan, Settings, plan
from affuse.training.pretrain import Build, begin_pretrained, pretraining_plans
from affuse.training.run_log import RunLog
from affuse.training.session import fitting_options
from affuse.tuning.space import base_name, draw_value, for_model
from affuse.tuning.study import REJECTED

if TYPE_CHECKING:
    from affuse.training.fit import FitResult, OnEpoch

PARAMETERS = "parameters"
STOPPED = "stopped"
"""Why training could not go on, where it could not."""


@dataclass(frozen=True, eq=False)
class FoldData:
    """What tuning sees of one fold of a corpus; its test part is not among it."""

    task: Task
    widths: Mapping[str, int]
    train: Sequence[Sample]
    valid: Sequence[Sample]

    @property
    def parts(self) -> Split:
        return Split(self.train, self.valid, ())

    @classmethod
    def of(cls, corpus: Corpus, fold: int) -> FoldData:
        split = corpus.folds[fold]
        return cls(corpus.task, corpus.widths, split.train, split.valid)


@dataclass(frozen=True)
class Objective:
    """Trains one model with settings that a trial draws.

    Attributes:
        settings: what the user fixed.
        space: what is drawn.
        seed: of every trial's training.
        max_parameters: a larger model is turned down before it is trained; None for any size.
        compute: on what it trains.
        logs: what is written of the epochs of each trial, and where.
    """

    corpus: str
    model: str
    settings: Settings
    space: Space
    seed: int
    max_parameters: int | None = None
    data: Path | None = None
    compute: Compute = field(default_factory=Compute)
    logs: RunLog | None = None

    @property
    def epochs(self) -> int:
        """Of a trial, where they are not searched."""
        return plan(self.corpus, self.model, self.settings, self.data).train.epochs

    def __call__(self, trial: Trial, fold: FoldData) -> float:
        """The score of the epoch that validation selects.

        Raises:
            TrialPruned: it is turned down, falls behind or cannot be trained to the end.
        """
        planned, build = self._draw(trial, fold)
        metric = f"valid_{fold.task.selection[0]}"

        def report(epoch: int, record: Mapping[str, float]) -> None:
            trial.report(record[metric], epoch)
            if trial.should_prune():
                raise TrialPruned

        # Lightning takes seconds to load; whoever only hands trials out has no need of it.
        from affuse.training.fit import fit

        logs = None
        if self.logs is not None:
            study = re.sub(r"[^\w.-]+", "-", trial.study.study_name)
            logs = self.logs.below(f"{study}-{trial.number}")

        def train(planned: Plan, build: Build, place: Path, on_epoch: OnEpoch) -> FitResult:
            visible = _standardised(fold, planned.train.normalise, build().modalities)
            return fit(
                *(build, fold.task, visible.train, visible.valid, planned.train),
                seed=self.seed,
                folder=place,
                on_epoch=on_epoch,
                compute=self.compute,
                log=None if logs is None else replace(logs, settings=trial.params),
            )

        try:
            # Left behind by no ending but a kill.
            with tempfile.TemporaryDirectory(prefix="affuse-tune-") as folder:
                work = Path(folder)
                alone = [
                    train(one, _builder(one, fold), work / modality, lambda *_: None).model
                    for modality, one in pretraining_plans(planned, build, fold.parts).items()
                ]
                begin = partial(begin_pretrained, build, alone, planned)
                result = train(planned, begin, work, report)
        except InputError as error:
            trial.set_user_attr(STOPPED, str(error))
            raise TrialPruned from None
        trial.set_user_attr("best_epoch", result.best_epoch)
        value = result.history[result.best_epoch][metric]
        if math.isnan(value):
            trial.set_user_attr(STOPPED, f"{metric} is not defined")
            raise TrialPruned
        return value

    def _draw(self, trial: Trial, fold: FoldData) -> tuple[Plan, Build]:
        """How the model is trained, and how it is made, for the settings that a trial draws."""
        drawn = {key: draw_value(trial, key, entry) for key, entry in self.space.items()}
        try:
            settings = {**self.settings, **for_model(self.model, drawn)}
            planned = plan(self.corpus, self.model, settings, self.data)
            build = _builder(planned, fold)
            size = count_parameters(build())
        except InputError as error:
            # Options that exclude each other, in a space of the user's own.
            raise _rejected(trial, str(error)) from None
        trial.set_user_attr(PARAMETERS, size)
        if self.max_parameters is not None and size > self.max_parameters:
            raise _rejected(trial, f"{size:,} parameters")
        return planned, build


def _builder(planned: Plan, fold: FoldData) -> Build:
    cls = models()[base_name(planned.model)].cls
    fitting = fitting_options(cls, fold.train, fold.task)
    options = parse_options(cls.Options, {**fitting, **planned.options}).model_dump()
    return partial(create_model, planned.model, fold.widths, fold.task.outputs, options)


def _rejected(trial: Trial, why: str) -> TrialPruned:
    trial.set_user_attr(REJECTED, why)
    return TrialPruned(why)


@lru_cache(maxsize=1)
def _standardised(fold: FoldData, mode: NormaliseMode, modalities: tuple[str, ...]) -> Split:
    visible, _ = normalise(learnable(fold.parts, modalities), mode)
    return visible
