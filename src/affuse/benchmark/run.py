"""Runs in parallel processes, then one table."""

from __future__ import annotations

import multiprocessing
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any

from affuse.benchmark.job import known_record, record_file, run_job, start_worker
from affuse.benchmark.request import REFERENCE, Job, Request, jobs
from affuse.corpora.corpus import Corpus
from affuse.errors import InputError
from affuse.evaluate.locked import Record
from affuse.evaluate.statistics import Summary, paired_difference, summarise
from affuse.evaluate.tables import BenchmarkResult, Comparison, ModelResult
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
    runs = folder / "runs"
    make_folder(runs)
    records = _run_all(request, corpus, runs, on_progress)
    return assemble(request, corpus, records), records


def _run_all(request: Request, corpus: Corpus, runs: Path, on_progress: OnProgress) -> list[Record]:
    """The record of every run: those on disk are taken as they are, the others are made."""
    todo = jobs(request, corpus)
    plans = {job.model: plan(request.corpus, job.model, request.settings) for job in todo}
    records: dict[Job, Record] = {}
    for job in todo:
        run = identity(corpus, plans[job.model], seed=job.seed, fold=job.fold)
        known = known_record(record_file(runs, job), run)
        if known is not None:
            records[job] = known
    missing = {job: plans[job.model].train.epochs for job in todo if job not in records}
    if missing:
        records |= _work(request, missing, runs, on_progress)
    return [records[job] for job in todo]


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


def assemble(request: Request, corpus: Corpus, records: Sequence[Record]) -> BenchmarkResult:
    """The table: trivial row, then each model over its runs, and differences to the reference."""
    by_model = {
        name: sorted(
            (r for r in records if r["model"] == name), key=lambda r: (r["fold"], r["seed"])
        )
        for name in request.rows(corpus)
    }
    mode = plan(request.corpus, request.rows(corpus)[-1], request.settings).train.normalise
    models = {"trivial": ModelResult(0, _trivial(corpus))}
    models |= {_label(name): _row(runs) for name, runs in by_model.items()}
    extra: dict[str, Any] = {
        "fingerprint": corpus.fingerprint(),
        "options": dict(corpus.options),
        "features": dict(corpus.features),
        "folds": len(corpus.folds),
        "seeds": request.seeds,
        "normalise": mode,
        "settings": dict(request.settings),
    }
    subsets = {_label(n): _subsets(runs) for n, runs in by_model.items() if "subsets" in runs[0]}
    if subsets:
        extra["subsets"] = subsets
    versions = {p: version(p) for p in PACKAGES} | {"python": platform.python_version()}
    metric = corpus.task.metrics[0]
    paired = _paired(by_model, metric)
    # What uses a test speaker's other clips, or nothing, is said wherever the numbers stand.
    name = corpus.name if mode == "train" else f"{corpus.name}, normalise={mode}"
    return BenchmarkResult(name, request.command, versions, models, paired, extra)


def _label(model: str) -> str:
    """A single modality's row is named after it."""
    return model.removeprefix("unimodal:")


def _row(runs: Sequence[Record]) -> ModelResult:
    metrics = {
        name: summarise([run["metrics"][name] for run in runs]) for name in runs[0]["metrics"]
    }
    primary = Counter(run["primary"] for run in runs if "primary" in run)
    return ModelResult(runs[0]["parameters"], metrics, dict(primary))


def _paired(by_model: dict[str, list[Record]], metric: str) -> dict[str, dict[str, Comparison]]:
    if REFERENCE not in by_model:
        return {}
    scores = {name: [r["metrics"][metric] for r in runs] for name, runs in by_model.items()}
    ours = scores.pop(REFERENCE)
    differences = {
        _label(name): Comparison(metric, paired_difference(ours, theirs))
        for name, theirs in scores.items()
    }
    return {REFERENCE: differences}


def _subsets(runs: Sequence[Record]) -> dict[str, dict[str, Any]]:
    names = runs[0]["subsets"]
    return {
        kept: {
            metric: _plain(summarise([run["subsets"][kept][metric] for run in runs]))
            for metric in names[kept]
        }
        for kept in names
    }


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "mean": summary.mean,
        "std": summary.std,
        "ci95": list(summary.ci95),
        "runs": list(summary.runs),
    }


def _trivial(corpus: Corpus) -> dict[str, Summary]:
    folds = trivial_folds(corpus)
    names = folds[0] if folds else {}
    return {name: summarise([scores[name] for scores in folds]) for name in names}
