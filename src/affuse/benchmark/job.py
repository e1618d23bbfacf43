"""One run of a benchmark, in a worker process: train, open the test part once, record."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch

from affuse.benchmark.request import Job, Request
from affuse.corpora.corpus import Corpus
from affuse.errors import InputError
from affuse.evaluate.locked import Record, open_test
from affuse.files import to_strict_json, write_atomic
from affuse.models import count_parameters
from affuse.train.folders import holds
from affuse.train.presets import plan
from affuse.train.session import RUN, identity, train_run

_corpus: Corpus | None = None
_request: Request | None = None
_tick: Callable[[int], None] = print


def start_worker(request: Request, tick: Callable[[int], None]) -> None:
    """Load the corpus once a process; runs share nothing else."""
    global _corpus, _request, _tick
    # An interrupt reaches the whole group; the parent decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    # One core a run: small models gain nothing from two, and results depend on the count.
    torch.set_num_threads(1)
    _request, _corpus, _tick = request, request.load(), tick


def _follow_parent() -> None:
    """End with the parent, however it ends: an orphan would write into the next one's runs."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def run_job(job: Job, runs: Path) -> Record:
    """Train and test one run and keep its record."""
    assert _corpus is not None
    assert _request is not None
    began = time.monotonic()
    planned = plan(_request.corpus, job.model, _request.settings)
    run = identity(_corpus, planned, seed=job.seed, fold=job.fold)
    work = runs / job.name
    if not _goes_on(work, run):
        shutil.rmtree(work, ignore_errors=True)
    checkpoint = train_run(
        _corpus,
        planned,
        seed=job.seed,
        fold=job.fold,
        folder=work,
        resume=True,
        on_epoch=lambda *_: _tick(1),
    )
    # Early stopping leaves epochs out: the progress display counts them as done.
    _tick(planned.train.epochs - len(checkpoint.training["history"]))
    record = {
        "model": job.model,
        "fold": job.fold,
        "seed": job.seed,
        "run": run,
        "parameters": count_parameters(checkpoint.model),
        **open_test(checkpoint, _corpus.folds[job.fold].test, subsets=_request.subsets),
        "best_epoch": checkpoint.training["best_epoch"],
        "history": checkpoint.training["history"],
        "seconds": round(time.monotonic() - began, 1),
    }
    write_atomic(runs / f"{job.name}.json", to_strict_json(record).encode())
    shutil.rmtree(work, ignore_errors=True)
    return record


def _goes_on(work: Path, run: Mapping[str, Any]) -> bool:
    """Whether what an interrupted benchmark left in `work` is of this run."""
    try:
        return holds(work, RUN, run)
    except InputError:
        return False
