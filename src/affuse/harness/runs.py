"""A model's runs, as the seeds and folds of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.evaluation.bootstrap import FoldAnswers
from affuse.evaluation.statistics import Summary, summarise
from affuse.harness.records import About, Run
from affuse.metrics.scores import evaluate
from affuse.tasks import Task

if TYPE_CHECKING:
    from affuse.evaluation.held_out import Record


@dataclass(frozen=True)
class Row:
    """A model's seeds of which all folds are finished.

    Attributes:
        seeds: their numbers.
        folds: a run a seed, fold by fold.
    """

    seeds: tuple[int, ...]
    folds: tuple[tuple[Run, ...], ...]

    @property
    def records(self) -> list[Record]:
        return [run.record for fold in self.folds for run in fold]

    def summarise(self, *path: str) -> Summary:
        """An entry of every run's record, averaged over folds: one number a seed."""
        values = [[_entry(run.record, path) for run in fold] for fold in self.folds]
        return summarise(np.mean(values, axis=0).tolist())

    def tested(self) -> list[FoldAnswers]:
        """What was said of each fold."""
        return [
            FoldAnswers(fold[0].ids, fold[0].target, np.stack([run.prediction for run in fold]))
            for fold in self.folds
        ]


def row_of(runs: Sequence[Run], folds: int) -> Row:
    """The runs of one model, of a corpus with so many folds."""
    known = {(run.record["seed"], run.record["fold"]): run for run in runs}
    seeds = sorted({seed for seed, _ in known})
    whole = tuple(s for s in seeds if all((s, fold) in known for fold in range(folds)))
    return Row(whole, tuple(tuple(known[s, fold] for s in whole) for fold in range(folds)))


def _entry(record: Any, path: Sequence[str]) -> float:
    for key in path:
        record = record[key]
    return float(record)


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
