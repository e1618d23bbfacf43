"""The hard slice of a benchmark: every model on the samples whose modalities mislead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from affuse.benchmark.records import About
from affuse.benchmark.rows import Row
from affuse.evaluate.metrics import evaluate
from affuse.evaluate.statistics import Summary, summarise
from affuse.tasks import Task


def hard_slice(about: About, rows: Mapping[str, Row]) -> dict[str, Any]:
    """The slice's size, and each model's scores on it, one a seed over all folds together.

    Returns:
        Empty where no sample is hard; else `samples`, `of` and `models`: name to metric to summary.
    """
    task = Task.from_config(about.task)
    count = sum(map(len, about.hard))
    finished = {name: row for name, row in rows.items() if row.seeds}
    if not count or not finished:
        return {}
    first = next(iter(finished.values()))
    return {
        "samples": count,
        "of": sum(len(fold[0].ids) for fold in first.folds),
        "models": {name: _scores(task, about, row) for name, row in finished.items()},
    }


def _scores(task: Task, about: About, row: Row) -> dict[str, Summary]:
    scored = []
    for seed in range(len(row.seeds)):
        targets, said = [], []
        for ids, fold in zip(about.hard, row.folds, strict=True):
            run, hard = fold[seed], set(ids)
            chosen = np.array([name in hard for name in run.ids], dtype=np.bool_)
            targets.append(run.target[chosen])
            said.append(run.prediction[chosen])
        scored.append(evaluate(task, np.concatenate(said), np.concatenate(targets)))
    return {metric: summarise([scores[metric] for scores in scored]) for metric in scored[0]}
