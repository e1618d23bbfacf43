"""Runs in parallel processes, then one table."""

from __future__ import annotations

import multiprocessing
import platform
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from affuse.benchmark.job import run_job, start_worker
from affuse.benchmark.request import REFERENCE, Job, Request, jobs
from affuse.benchmark.results import RUNS, About, assemble, digest, known_record, read_records
from affuse.corpora.corpus import Corpus
from affuse.errors import InputError
from affuse.evaluate.locked import Record
from affuse.evaluate.tables import BenchmarkResult
from affuse.evaluate.trivial import trivial_folds
from affuse.files import make_folder
from affuse.train.folders import claim, holds
from affuse.train.presets import plan
from affuse.train.session import identity

PACKAGES = ("affuse", "torch", "pytorch-lightning", "numpy", "scipy")

MARK = "benchmark.json"

OnProgress = Callable[[int, int, Record | None], None]
"""Told epochs done, epochs in all, and the record of a run that has just ended."""


def run_benchmark(
    request: Request, folder: Path, on_progress: OnProgress = lambda *_: None
) -> tuple[BenchmarkResult, list[Record]]:
    """Train and test every model of a request.

    Finished runs are kept as one JSON file each in `folder/runs`; called again with the same
    folder, a benchmark that was stopped goes on.

    Raises:
        InputError: what `Request.load` raises, or a folder that holds another benchmark.
    """
    corpus = request.load()
    mark = {
        "corpus": corpus.name,
        "fingerprint": corpus.fingerprint(),
        "settings": {k: str(v) for k, v in request.settings.items()},
        "subsets": request.subsets,
    }
    if not holds(folder, MARK, mark):
        claim(folder, MARK, mark)
    make_folder(folder / RUNS)
    about = _about(request, corpus)
    about.write(folder)
    _run_missing(request, corpus, about, folder / RUNS, on_progress)
    records = read_records(folder, about)
    return assemble(about, records), records


def _about(request: Request, corpus: Corpus) -> About:
    todo = jobs(request, corpus)
    plans = {job.model: plan(request.corpus, job.model, request.settings) for job in todo}
    mode = plans[request.rows(corpus)[-1]].train.normalise
    return About(
        # What uses a test speaker's other clips, or nothing, is said wherever the numbers stand.
        corpus=corpus.name if mode == "train" else f"{corpus.name}, normalise={mode}",
        command=request.command,
        versions={p: version(p) for p in PACKAGES} | {"python": platform.python_version()},
        rows=request.rows(corpus),
        reference=REFERENCE,
        metric=corpus.task.metrics[0],
        trivial=[dict(scores) for scores in trivial_folds(corpus)],
        runs={
            job.name: digest(identity(corpus, plans[job.model], seed=job.seed, fold=job.fold))
            for job in todo
        },
        extra={
            "fingerprint": corpus.fingerprint(),
            "options": dict(corpus.options),
            "features": dict(corpus.features),
            "folds": len(corpus.folds),
            "seeds": request.seeds,
            "normalise": mode,
            "settings": dict(request.settings),
        },
    )


def _run_missing(
    request: Request, corpus: Corpus, about: About, runs: Path, on_progress: OnProgress
) -> None:
    """Make the records of the runs that are not on disk."""
    epochs = {
        job: plan(request.corpus, job.model, request.settings).train.epochs
        for job in jobs(request, corpus)
        if known_record(runs / f"{job.name}.json", about.runs[job.name]) is None
    }
    if epochs:
        _work(request, epochs, runs, on_progress)


def _work(
    request: Request, epochs: Mapping[Job, int], runs: Path, on_progress: OnProgress
) -> dict[Job, Record]:
    """Runs, each with its number of epochs, in parallel."""
    total, done = sum(epochs.values()), 0
    context = _context()
    ticks = context.SimpleQueue()
    records: dict[Job, Record] = {}
    workers = min(request.jobs, len(epochs))
    with ProcessPoolExecutor(workers, context, start_worker, (request, ticks.put)) as pool:
        pending: dict[Future[Record], Job] = {pool.submit(run_job, j, runs): j for j in epochs}
        try:
            while pending:
                ended, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                while not ticks.empty():
                    done += ticks.get()
                on_progress(done, total, None)
                for future in ended:
                    job = pending.pop(future)
                    records[job] = future.result()
                    on_progress(done, total, records[job])
        except BrokenProcessPool:
            raise InputError(
                "a worker process was killed, perhaps for want of memory",
                remedy="repeat with fewer --jobs; what is finished is kept",
            ) from None
        except BaseException:
            # What is finished is on disk; what is under way resumes from its last epoch.
            for process in list((pool._processes or {}).values()):
                process.kill()
            raise
    return records


def _context() -> ForkServerContext | SpawnContext:
    """Workers start afresh: a fork would inherit torch's threads in an unknown state."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Imported once, for all workers.
    context.set_forkserver_preload([run_job.__module__])
    return context
