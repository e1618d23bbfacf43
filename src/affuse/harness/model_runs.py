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
    def configuration(self) -> dict[str, Any]:
        """Options of the model and of training; `folds` has those that differ from the first's."""
        each = [{k: fold[0].record["run"][k] for k in ("options", "train")} for fold in self.folds]
        others = {str(n): known for n, known in enumerate(each) if known != each[0]}
        return {**each[0], **({"folds": others} if others else {})}

    @property
    def members(self) -> int:
        """Networks that answer by their mean; versions that knew of none had one."""
        known: int = self.records[0]["run"].get("options", {}).get("members", 1)
        return known

    @property
    def distilled(self) -> int:
        """Members of the teacher that it learnt from; 0 without one."""
        return int(self.records[0].get("distilled", {}).get("members", 0))

    def summarise(self, *path: str) -> Summary:
        """An entry of every run's record, averaged over folds: one number a seed."""

        def entry(record: Any) -> float:
            return float(reduce(getitem, path, record))

        values = [[entry(run.record) for run in fold] for fold in self.folds]
        return summarise(np.mean(values, axis=0).tolist(), path[-1])

    def tested(self, groups: Sequence[Sequence[str | None]] = ()) -> list[FoldAnswers]:
        """What was said of each fold, whose samples are of these groups where there are any."""
        return [
            FoldAnswers(
                fold[0].ids, fold[0].target, np.stack([run.prediction for run in fold]), known
            )
            for fold, known in zip(self.folds, groups or [()] * len(self.folds), strict=True)
        ]


def runs_of(runs: Sequence[Run], folds: int) -> ModelRuns:
    """The runs of one model, of a corpus with so many folds."""
    known = {(run.record["seed"], run.record["fold"]): run for run in runs}
    seeds = sorted({seed for seed, _ in known})
    whole = tuple(s for s in seeds if all((s, fold) in known for fold in range(folds)))
    return ModelRuns(whole, tuple(tuple(known[s, fold] for s in whole) for fold in range(folds)))
