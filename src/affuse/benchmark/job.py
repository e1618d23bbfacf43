"""One run of a benchmark, in a worker process: train, open the test part once, record."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affuse.benchmark.request import Job, Request
from affuse.corpora.corpus import Corpus
from affuse.errors import InputError
from affuse.evaluate.metrics import evaluate
from affuse.evaluate.predict import predict
from affuse.files import null_to_nan, to_strict_json, write_atomic
from affuse.models import count_parameters
from affuse.samples import Sample
from affuse.train.checkpoint import Checkpoint
from affuse.train.presets import plan
from affuse.train.session import prepare, train_run

Record = dict[str, Any]

_corpus: Corpus | None = None
_request: Request | None = None
_tick: Callable[[int], None] = print


def start_worker(request: Request, tick: Callable[[int], None]) -> None:
    """Load the corpus once a process; runs share nothing else."""
    global _corpus, _request, _tick
    # One core a run: small models gain nothing from two, and results depend on the count.
    torch.set_num_threads(1)
    _request, _corpus, _tick = request, request.load(), tick


def run_job(job: Job, folder: Path) -> Record:
    """Train and test one run, unless its record is in `folder` already."""
    assert _corpus is not None
    assert _request is not None
    file = folder / f"{job.name}.json"
    options = plan(_request.corpus, job.model, _request.settings)
    known = _known(file, _corpus.fingerprint(), options.train.epochs)
    if known is not None:
        return known
    began = time.monotonic()
    work = folder / job.name
    checkpoint = train_run(
        _corpus,
        options,
        seed=job.seed,
        fold=job.fold,
        folder=work,
        resume=True,
        on_epoch=lambda *_: _tick(1),
    )
    # Early stopping leaves epochs out: the progress display counts them as done.
    _tick(options.train.epochs - len(checkpoint.training["history"]))
    record = {
        "model": job.model,
        "fold": job.fold,
        "seed": job.seed,
        "fingerprint": _corpus.fingerprint(),
        "epochs": options.train.epochs,
        "parameters": count_parameters(checkpoint.model),
        **open_test(checkpoint, _corpus.folds[job.fold].test, subsets=_request.subsets),
        "best_epoch": checkpoint.training["best_epoch"],
        "history": checkpoint.training["history"],
        "seconds": round(time.monotonic() - began, 1),
    }
    write_atomic(file, to_strict_json(record).encode())
    shutil.rmtree(work, ignore_errors=True)
    return record


def open_test(checkpoint: Checkpoint, samples: Sequence[Sample], *, subsets: bool) -> Record:
    """Score a checkpoint on a test part; the model sees its features without its targets.

    Returns:
        `metrics`; for a gated model `primary` (the modality that led most samples), `led` (samples
        that each modality led) and mean `gate` weights; `subsets` if asked for.
    """
    labelled = [s for s in samples if s.target is not None]
    if not labelled:
        raise InputError("the test part has no labels", remedy="use a corpus with test labels")
    targets = np.stack([s.target for s in labelled if s.target is not None]).astype(np.float64)
    hidden = prepare(
        [s.without_target() for s in labelled], checkpoint.normaliser, checkpoint.training
    )
    answers = predict(checkpoint.model, hidden)
    record: Record = {"metrics": evaluate(checkpoint.task, answers.prediction, targets)}
    modalities = checkpoint.model.modalities
    if checkpoint.model.gated:
        led = Counter(modalities[i] for i in answers.primary)
        record["primary"] = led.most_common(1)[0][0]
        record["led"] = dict(led)
        record["gate"] = dict(zip(modalities, answers.gate.mean(axis=0).tolist(), strict=True))
        known = [s.truth.get("primary") for s in labelled]
        if all(known):
            right = [modalities[i] == k for i, k in zip(answers.primary, known, strict=True)]
            record["metrics"]["primary_accuracy"] = float(np.mean(right))
    if subsets and len(modalities) > 1:
        record["subsets"] = _subsets(checkpoint, hidden, targets)
    return record


def _subsets(checkpoint: Checkpoint, samples: Sequence[Sample], targets: Any) -> Record:
    """Metrics for every non-empty choice of modalities at inference."""
    modalities = checkpoint.model.modalities
    scores: Record = {}
    for size in range(1, len(modalities) + 1):
        for kept in combinations(modalities, size):
            chosen = [s.keep(kept) for s in samples]
            usable = np.array([bool(s.sequences) for s in chosen])
            if not usable.any():
                continue
            answers = predict(checkpoint.model, [s for s in chosen if s.sequences])
            metrics = evaluate(checkpoint.task, answers.prediction, targets[usable])
            scores["+".join(kept)] = metrics
    return scores


def _known(file: Path, fingerprint: str, epochs: int) -> Record | None:
    """The record of a finished run; one of other data or settings is not taken."""
    try:
        record = null_to_nan(json.loads(file.read_text()))
    except (OSError, ValueError):
        return None
    same = isinstance(record, dict) and record.get("fingerprint") == fingerprint
    return record if same and record.get("epochs") == epochs else None
