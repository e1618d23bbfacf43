"""The finished runs of one model: a run a seed, fold by fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.evaluation.bootstrap import FoldAnswers
from affuse.evaluation.statistics import Summary, summarise
from affuse.harness.records import Run

if TYPE_CHECKING:
    from affuse.evaluation.held_out import Record


@dataclass(frozen=True)
class ModelRuns:
    """A model's seeds of which all folds are finished."""

    seeds: tuple[int, ...]
    folds: tuple[tuple[Run, ...], ...]  # a run a seed, fold by fold

    @property
    def records(self) -> list[Record]:
        return [run.record for fold in self.folds for run in fold]

    @property
    def members(self) -> int:
        """Networks that answer by their mean; versions that knew of none had one."""
        known: int = self.records[0]["run"].get("options", {}).get("members", 1)
        return known

    def summarise(self, *path: str) -> Summary:
        """An entry of every run's record, averaged over folds: one number a seed."""

        def entry(record: Any) -> float:
            return float(reduce(getitem, path, record))

        values = [[entry(run.record) for run in fold] for fold in self.folds]
        return summarise(np.mean(values, axis=0).tolist())

    def tested(self) -> list[FoldAnswers]:
        """What was said of each fold."""
        return [
            FoldAnswers(fold[0].ids, fold[0].target, np.stack([run.prediction for run in fold]))
            for fold in self.folds
        ]


def runs_of(runs: Sequence[Run], folds: int) -> ModelRuns:
    """The runs of one model, of a corpus with so many folds."""
    known = {(run.record["seed"], run.record["fold"]): run for run in runs}
    seeds = sorted({seed for seed, _ in known})
    whole = tuple(s for s in seeds if all((s, fold) in known for fold in range(folds)))
    return ModelRuns(whole, tuple(tuple(known[s, fold] for s in whole) for fold in range(folds)))
