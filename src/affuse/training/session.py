"""A training run from corpus to checkpoint: normalise, build, fit, and resume after a kill."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse import __version__
from affuse.config import parse_options
from affuse.errors import InputError, unknown_name
from affuse.files import claim, differences, holds, to_strict_json
from affuse.fusion import FusionModel, create_model, models
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Classification, Task
from affuse.training.answerable import (
    TRIVIAL,
    coverage,
    coverage_in_words,
    learnable,
    trivial_output,
)
from affuse.training.balance import require_own_answers
from affuse.training.checkpoint import CONFIG, Checkpoint, load_checkpoint, seen_in, weights_digest
from affuse.training.code import code_of
from affuse.training.compute import Compute, compute_in_words
from affuse.training.distil import Teacher, read_teacher, teacher_plan
from affuse.training.normalise import Normaliser, normalise
from affuse.training.presets import Plan
from affuse.training.pretrain import ALONE, begin_pretrained, pretraining_plans, told_alone
from affuse.training.transfer import CHOSEN, Origin, begin_with, origin_folder, read_origin

if TYPE_CHECKING:
    from affuse.training.fit import FitResult, OnEpoch
    from affuse.training.run_log import RunLog

RUN = "run.json"
WORK_FOLDER = "training"
TEACHER = "teacher"
COMPUTE = "compute"
"""Entry of a run's identity and of a checkpoint's training: processes and precision."""
# That another node's checkpoint may take to be seen here.
_FIRST_SECONDS = 120.0


def train_run(
    corpus: Corpus,
    plan: Plan,
    *,
    seed: int,
    folder: Path,
    fold: int = 0,
    resume: bool = False,
    on_epoch: OnEpoch = lambda *_: None,
    compute: Compute | None = None,
    log: RunLog | None = None,
) -> Checkpoint:
    """Train one model on one fold and leave its checkpoint in `folder`.

    The test part of the fold is never touched, save that the corpus' fingerprint covers it.

    Args:
        resume: go on with what an interrupted run left in `folder`.
        on_epoch: told each epoch and its history record.
        compute: on what it trains; by default on one device. A run may go on elsewhere than where
            it began, but by as many processes and as precisely. Of several nodes, all find `folder`
            on storage that they share, and the first writes there.
        log: what is written of its epochs beside the checkpoint's history, and where.

    Raises:
        InputError: a folder that holds another run, or one when `resume` is not asked for; data or
            options that cannot be trained; no such device. Then the folder is as it was.
    """
    compute = (compute or Compute()).require()
    # Lightning takes seconds to load, and most of what is asked of runs needs none of it.
    from affuse.training.fit import fit

    run = identity(corpus, plan, seed=seed, fold=fold, compute=compute)
    _require_same_compute(folder, run)
    begun = compute.leads and holds(folder, RUN, run)
    if begun and not resume:
        remedy = "add --resume or give another folder"
        raise InputError("holds a run already", remedy=remedy, source=folder)
    if not (folder / CONFIG).exists():
        origin, reads = _checked(corpus, plan, fold)
        whole = corpus.folds[fold]
        require_targets([*whole.train, *whole.valid])
        # Standardised without the test part; it follows the normaliser when it is opened.
        known = learnable(Split(whole.train, whole.valid, ()), reads)
        asked = told_alone(known, reads) if plan.train.alone else known
        visible, normaliser = normalise(asked, plan.train.normalise)
        # What fits a model gets no more of the corpus than this.
        sizes = plan.model, corpus.widths, corpus.task.outputs, run["options"]
        if compute.leads:
            claim(folder, RUN, run)
        same: dict[str, Any] = {"seed": seed, "fold": fold, "on_epoch": on_epoch}
        work = folder / WORK_FOLDER

        def first(before: Plan, name: str) -> Checkpoint:
            """What is trained before the model."""
            its = None if log is None else log.below(name)
            place: dict[str, Any] = {"folder": work / name, "compute": compute, "log": its}
            return train_run(corpus, before, resume=True, **same, **place)

        teacher = _teacher(corpus, plan, fold)
        if plan.train.distil:
            first(teacher_plan(plan), TEACHER)
            teacher = Teacher.at(work / TEACHER)
        alone = [
            first(one, f"{ALONE}-{modality}").model
            for modality, one in _pretraining(corpus, plan, fold).items()
        ]
        build = partial(begin_pretrained, partial(_begin, origin, *sizes), alone, plan)
        result = fit(
            *(build, corpus.task, visible.train, visible.valid, plan.train),
            seed=seed,
            folder=work,
            on_epoch=on_epoch,
            compute=compute,
            teacher=None if teacher is None else teacher.model,
            log=None if log is None else replace(log, settings=run),
        )
        if not compute.leads:
            return _written_by_first(folder)
        _checkpoint(corpus, run, result, normaliser, origin, teacher).save(folder)
    if compute.leads:
        shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
    return load_checkpoint(folder)


def _require_same_compute(folder: Path, run: Mapping[str, Any]) -> None:
    """Raise `InputError` where all that differs from what `folder` holds is how it is computed."""
    try:
        found = json.loads((folder / RUN).read_text())
        differing = set(differences(run, found))
    except (OSError, ValueError):
        return
    if differing and all(path.partition(".")[0] == COMPUTE for path in differing):
        theirs, ours = (compute_in_words(one.get(COMPUTE, {})) for one in (found, run))
        problem = f"holds a run by {theirs}, and {ours} would end otherwise"
        remedy = "repeat its command, or give another folder"
        raise InputError(problem, remedy=remedy, source=folder)


def _written_by_first(folder: Path) -> Checkpoint:
    """The checkpoint that the first node writes, on a node that wrote none."""
    until = time.monotonic() + _FIRST_SECONDS
    while not (folder / CONFIG).exists():
        if time.monotonic() > until:
            problem = "the first node has left no checkpoint here"
            remedy = "give all nodes an --out folder on storage that they share"
            raise InputError(problem, remedy=remedy, source=folder)
        time.sleep(0.2)
    return load_checkpoint(folder)


def _begin(origin: Origin | None, *sizes: Any) -> FusionModel:
    model = create_model(*sizes)
    if origin is not None:
        begin_with(model, origin.checkpoint.model)
    return model


def _pretraining(corpus: Corpus, plan: Plan, fold: int) -> dict[str, Plan]:
    """Modality to how it is trained alone before the model."""
    return pretraining_plans(plan, partial(build_model, corpus, plan, fold), corpus.folds[fold])


def epochs_of(corpus: Corpus, plan: Plan, fold: int = 0) -> int:
    """Epochs at most of all that is trained for a model: of what it begins with, too."""
    return plan.epochs + sum(first.epochs for first in _pretraining(corpus, plan, fold).values())


def what_is_not_pretrained(corpus: Corpus, plan: Plan, fold: int = 0) -> str:
    """That a model begins as ever although `pretrain` is set, in words; empty where it does not."""
    alone = plan.model.partition(":")[0] == ALONE
    if plan.train.pretrain == "none" or alone or _pretraining(corpus, plan, fold):
        return ""
    return f"{plan.model} is not pretrained: its encoders are not those of {ALONE}"


def build_model(corpus: Corpus, plan: Plan, fold: int = 0) -> FusionModel:
    """The model as a training on that fold begins with it, but for the option `init`.

    Raises:
        InputError: a model or an option that the corpus' modalities do not allow.
    """
    for key, value in {**plan.train.model_dump(), **plan.options}.items():
        # Options that are dicts have a value for each modality.
        for modality in value if isinstance(value, dict) else ():
            if modality not in corpus.widths:
                raise unknown_name("modality", str(modality), corpus.widths, source=f"option {key}")
    options = _model_options(corpus, plan, fold)
    return create_model(plan.model, corpus.widths, corpus.task.outputs, options)


def identity(
    corpus: Corpus, plan: Plan, *, seed: int, fold: int, compute: Compute | None = None
) -> dict[str, Any]:
    """All that decides how a run ends, as JSON content: equal for runs that end alike."""
    train = plan.train.model_dump()
    if plan.train.init:
        # Not where it lies, but what it is.
        place = origin_folder(plan.train.init, corpus)
        train["init"] = "" if place is None else weights_digest(place)
    if plan.train.teacher:
        train["teacher"] = weights_digest(Path(plan.train.teacher))
    content = {
        "affuse": __version__,
        "code": code_of(plan.model),
        "corpus": corpus.name,
        "fingerprint": corpus.fingerprint(),
        "fold": fold,
        "model": plan.model,
        "options": _model_options(corpus, plan, fold),
        "train": train,
        "seed": seed,
        # Folders of one process in full precision have no such entry.
        **({COMPUTE: found} if (found := (compute or Compute()).identity()) else {}),
    }
    plain: dict[str, Any] = json.loads(to_strict_json(content))
    return plain


def _model_options(corpus: Corpus, plan: Plan, fold: int) -> dict[str, Any]:
    """The model's options, with those that the task and the lengths in the training part decide."""
    cls = models()[plan.model.partition(":")[0]].cls
    fitting = fitting_options(cls, corpus.folds[fold].train, corpus.task)
    return parse_options(cls.Options, {**fitting, **plan.options}, source=plan.model).model_dump()


def fitting_options(cls: type[FusionModel], train: Sequence[Sample], task: Task) -> dict[str, Any]:
    """A model's options that the lengths in a training part and what is asked decide."""
    return {**cls.options_for(typical_lengths(train)), **cls.options_for_task(task)}


def require_trainable(corpus: Corpus, plan: Plan, fold: int = 0) -> Origin | None:
    """What training on that fold begins with, if the option `init` asks for it.

    Raises:
        InputError: as `build_model`, `read_origin` or `read_teacher`, or no sample to learn from or
            to validate on that has what the model reads.
    """
    return _checked(corpus, plan, fold)[0]


def _checked(corpus: Corpus, plan: Plan, fold: int) -> tuple[Origin | None, tuple[str, ...]]:
    """What `require_trainable` returns, and the modalities that the model reads."""
    model, init = build_model(corpus, plan, fold), plan.train.init
    learnable(corpus.folds[fold], model.modalities)
    _teacher(corpus, plan, fold)
    if plan.train.ogm_ge:
        require_own_answers(model, plan.model)
    if plan.train.balance and not isinstance(corpus.task, Classification):
        problem = f"{corpus.name} has no classes to balance"
        raise InputError(problem, remedy="leave balance out")
    place = origin_folder(init, corpus)
    if place is None:
        return None, model.modalities
    origin = read_origin(place, model, corpus, fold, needed=init != CHOSEN)
    return origin, model.modalities


def what_is_lacking(corpus: Corpus, plan: Plan, fold: int = 0) -> str:
    """What a model on that fold learns from and answers, in words; empty where that is all."""
    alone = replace(corpus, folds=(corpus.folds[fold],))
    modalities = build_model(corpus, plan, fold).modalities
    return coverage_in_words(plan.model, modalities, coverage(alone, modalities))


def _teacher(corpus: Corpus, plan: Plan, fold: int) -> Teacher | None:
    """The one that is there already, if the option `teacher` names it."""
    folder = plan.train.teacher
    return read_teacher(Path(folder), corpus, plan, fold) if folder else None


def _checkpoint(
    corpus: Corpus,
    run: Mapping[str, Any],
    result: FitResult,
    normaliser: Normaliser | None,
    origin: Origin | None,
    teacher: Teacher | None,
) -> Checkpoint:
    about = {
        "name": corpus.name,
        "fingerprint": run["fingerprint"],
        "fold": run["fold"],
        "options": dict(corpus.options),
        "features": dict(corpus.features),
    }
    training = {
        "seed": run["seed"],
        "options": run["train"],
        "best_epoch": result.best_epoch,
        "history": result.history,
        TRIVIAL: trivial_output(corpus.task, corpus.folds[run["fold"]].train),
    }
    if COMPUTE in run:
        training[COMPUTE] = run[COMPUTE]
    if origin is not None:
        training["init"] = origin.to_dict()
    if teacher is not None:
        training["distilled"] = teacher.to_dict()
    name = run["model"].partition(":")[0]
    fold = corpus.folds[run["fold"]]
    seen = seen_in([*fold.train, *fold.valid])
    return Checkpoint(name, result.model, corpus.task, normaliser, about, training, seen)


def require_targets(samples: Sequence[Sample]) -> None:
    """Raise `InputError` for a sample that has nothing to learn from."""
    for sample in samples:
        if sample.target is None:
            problem = f"sample '{sample.id}' has no target to learn from"
            remedy = "leave it out of the training and validation parts"
            raise InputError(problem, remedy=remedy)


def typical_lengths(samples: Sequence[Sample]) -> dict[str, int]:
    """Median number of steps of each modality."""
    lengths: dict[str, list[int]] = {}
    for sample in samples:
        for modality, sequence in sample.sequences.items():
            lengths.setdefault(modality, []).append(len(sequence))
    return {modality: int(np.median(counts)) for modality, counts in lengths.items()}
