"""One run of a benchmark, in a process of its own: it trains, answers the test part, and ends.

The process reads the corpus and seals it before there is a model. Nothing is left of an earlier
run, whose training part may hold what this one tests.
"""

from __future__ import annotations

import gc
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from affuse.benchmark.request import Job, Request
from affuse.benchmark.sealed import Sealed, content_of, seal
from affuse.errors import InputError
from affuse.evaluate.locked import Answers, answer
from affuse.models import count_parameters
from affuse.processes import begin_worker
from affuse.train.checkpoint import weights_digest
from affuse.train.folders import holds
from affuse.train.session import RUN, identity, train_run


@dataclass(frozen=True)
class Answered:
    """What a run hands over: answers to the test part, and how it came to them.

    Attributes:
        answers: in the order of the fold's `Key`.
        checkpoint: the digest of the weights that gave them.
        facts: entries of the run's record.
    """

    answers: Answers
    checkpoint: str
    facts: dict[str, Any]


def run_in_process(
    request: Request, job: Job, content: str, work: Path, parent: Connection
) -> None:
    """Send `parent` the number of epochs done, now and then, and at last `Answered` or an error.

    Args:
        content: what the corpus holds; one that is read here with another is an error.
        work: the folder of what an interrupted run goes on from.
    """
    begin_worker()
    try:
        parent.send(run_job(request, job, _sealed(request, job, content), work, parent.send))
    except Exception as error:
        # Where it happened would be lost on the way.
        error.add_note(traceback.format_exc())
        parent.send(error)


def _sealed(request: Request, job: Job, content: str) -> Sealed:
    corpus = request.read()
    if content_of(corpus) != content:
        raise InputError(
            f"corpus {corpus.name} is not the same each time it is read",
            remedy="do not change its files meanwhile; a reader must draw nothing at random",
        )
    sealed = seal(corpus, job.fold)
    del corpus
    # Targets that only a cycle keeps must not be found either.
    gc.collect()
    return sealed


def run_job(
    request: Request, job: Job, sealed: Sealed, work: Path, tick: Callable[[int], None]
) -> Answered:
    """Train one run on a sealed corpus and let it answer the test part.

    Args:
        work: the folder of what an interrupted run goes on from.
        tick: told how many epochs more are done.
    """
    began = time.monotonic()
    planned = request.plan(job.model)
    run = identity(sealed, planned, seed=job.seed, fold=job.fold)
    if not _goes_on(work, run):
        shutil.rmtree(work, ignore_errors=True)
    checkpoint = train_run(
        sealed,
        planned,
        seed=job.seed,
        fold=job.fold,
        folder=work,
        resume=True,
        on_epoch=lambda *_: tick(1),
    )
    # Early stopping leaves epochs out: the progress display counts them as done.
    tick(planned.train.epochs - len(checkpoint.training["history"]))
    hidden = checkpoint.prepare(sealed.folds[job.fold].test)
    facts = {
        "model": job.model,
        "fold": job.fold,
        "seed": job.seed,
        "run": run,
        "parameters": count_parameters(checkpoint.model),
        "best_epoch": checkpoint.training["best_epoch"],
        "history": checkpoint.training["history"],
    }
    if "init" in checkpoint.training:
        facts["init"] = checkpoint.training["init"]
    answers = answer(checkpoint, hidden, subsets=request.subsets)
    facts["seconds"] = round(time.monotonic() - began, 1)
    return Answered(answers, weights_digest(work), facts)


def _goes_on(work: Path, run: Mapping[str, Any]) -> bool:
    """Whether what an interrupted benchmark left in `work` is of this run."""
    try:
        return holds(work, RUN, run)
    except InputError:
        return False
