"""One run of a benchmark, in a process of its own: it trains, answers the test part, and ends.

The process reads the corpus and hides the test targets before there is a model. Nothing is left of
an earlier run, whose training part may hold what this one tests.
"""

from __future__ import annotations

import gc
import shutil
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from affuse.errors import InputError
from affuse.evaluation.held_out import Answers, answer, answer_spoilt, unhidden
from affuse.evaluation.stress import Stress
from affuse.files import holds
from affuse.fusion import count_parameters
from affuse.harness.leaks import TrainingView, content_of, training_view
from affuse.harness.request import Job, Request
from affuse.processes import begin_worker, worker_context, worker_killed
from affuse.training.checkpoint import weights_digest
from affuse.training.session import RUN, epochs_of, identity, train_run


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
        parent.send(run_job(request, job, _view(request, job, content), work, parent.send))
    except Exception as error:
        # Where it happened would be lost on the way.
        error.add_note(traceback.format_exc())
        parent.send(error)


def _view(request: Request, job: Job, content: str) -> TrainingView:
    corpus = request.read()
    if content_of(corpus) != content:
        remedy = "do not change its files meanwhile; a reader must draw nothing at random"
        problem = f"corpus {corpus.name} is not the same each time it is read"
        raise InputError(problem, remedy=remedy)
    view = training_view(corpus, job.fold)
    del corpus
    # Targets that only a cycle keeps must not be found either.
    gc.collect()
    return view


def run_job(
    request: Request, job: Job, view: TrainingView, work: Path, tick: Callable[[int], None]
) -> Answered:
    """Train one run on what it may reach of a corpus and let it answer the test part.

    Args:
        work: the folder of what an interrupted run goes on from.
        tick: called with the number of epochs that were finished since the last call.
    """
    began = time.monotonic()
    planned = request.plan(job.model, job.fold)
    run = identity(view, planned, seed=job.seed, fold=job.fold, compute=request.compute)
    if not _goes_on(work, run):
        shutil.rmtree(work, ignore_errors=True)
    finished = 0

    def on_epoch(*_: object) -> None:
        nonlocal finished
        finished += 1
        tick(1)

    checkpoint = train_run(
        *(view, planned),
        seed=job.seed,
        fold=job.fold,
        folder=work,
        resume=True,
        on_epoch=on_epoch,
        compute=request.compute,
        log=None if request.logs is None else request.logs.below(job.name),
    )
    # Early stopping leaves epochs out: the progress display counts them as done.
    tick(epochs_of(view, planned, job.fold) - finished)
    tested = view.folds[job.fold].test
    hidden = checkpoint.prepare(tested)
    facts = {
        "model": job.model,
        "fold": job.fold,
        "seed": job.seed,
        "run": run,
        "parameters": count_parameters(checkpoint.model),
        "best_epoch": checkpoint.training["best_epoch"],
        "history": checkpoint.training["history"],
    }
    facts |= {k: checkpoint.training[k] for k in ("init", "distilled") if k in checkpoint.training}
    answers = answer(checkpoint, hidden, subsets=request.subsets, device=request.compute.name)
    if request.stress:
        stress = Stress.of(tested, view.modalities)
        spoilt = answer_spoilt(checkpoint, hidden, stress, device=request.compute.name)
        answers = replace(answers, spoilt=spoilt)
    facts["seconds"] = round(time.monotonic() - began, 1)
    return Answered(answers, weights_digest(work), facts)


def _goes_on(work: Path, run: Mapping[str, Any]) -> bool:
    """Whether what an interrupted benchmark left in `work` is of this run."""
    try:
        return holds(work, RUN, run)
    except InputError:
        return False


RUNS_IN = run_in_process.__module__
"""What the processes of runs load first."""

RunJobs = Callable[
    [Request, Sequence[Job], str, Path, Sequence[Sequence[str]]],
    Generator[tuple[Job, int | Answered] | None],
]
"""Has runs done, as `run_all` does."""

WAIT_SECONDS = 0.5
"""Without news from any run, that nothing has happened is told this often."""


def run_all(
    request: Request,
    jobs: Sequence[Job],
    content: str,
    runs: Path,
    tested: Sequence[Sequence[str]] = (),
) -> Generator[tuple[Job, int | Answered] | None]:
    """Yield what runs tell: how many epochs more are done, or their answers; None now and then.

    Whoever stops listening ends the runs that are under way; they go on from their last epoch when
    they are asked for again.

    Args:
        content: what the corpus holds; a run that reads another is an error.
        runs: the folder in which each has its own.
        tested: of each fold, the names of the test samples, which runs do not know.

    Raises:
        InputError: a process was killed.
        Exception: whatever went wrong in a run.
    """
    context, waiting = worker_context(RUNS_IN), deque(jobs)
    request = replace(request, memory=None)  # they read its stored form
    running: dict[Connection, tuple[Job, Any]] = {}
    slots: dict[Connection, int] = {}
    try:
        while waiting or running:
            while waiting and len(running) < request.jobs:
                job = waiting.popleft()
                ours, theirs = context.Pipe(duplex=False)
                # Each has a GPU of its own, as far as there are.
                slots[ours] = min(set(range(request.jobs)) - set(slots.values()))
                placed = replace(request, compute=request.compute.on_slot(slots[ours]))
                arguments = (placed, job, content, runs / job.name, theirs)
                process = context.Process(target=run_in_process, args=arguments)
                process.start()
                theirs.close()
                running[ours] = job, process
            heard = wait(list(running), timeout=WAIT_SECONDS)
            if not heard:
                yield None
            for connection in cast("list[Connection]", heard):
                job, process = running[connection]
                try:
                    message = _receive(connection)
                except InputError as error:
                    raise (unhidden(error, tested[job.fold]) if tested else error) from error
                if isinstance(message, Answered):
                    process.join()
                    del running[connection], slots[connection]
                    connection.close()
                yield job, message
    finally:
        for _, process in running.values():
            process.kill()
        for connection, (_, process) in running.items():
            process.join()
            connection.close()


def _receive(connection: Connection) -> int | Answered:
    try:
        message = connection.recv()
    except (EOFError, OSError):
        raise worker_killed() from None
    if isinstance(message, Exception):
        raise message
    assert isinstance(message, int | Answered)
    return message
