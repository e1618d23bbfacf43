"""A model's runs, as the seeds and folds of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.benchmark.records import Run
from affuse.evaluate.bootstrap import FoldAnswers
from affuse.evaluate.statistics import Summary, summarise

if TYPE_CHECKING:
    from affuse.evaluate.locked import Record


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
