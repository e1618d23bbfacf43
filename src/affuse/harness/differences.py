"""Models of a benchmark against each other, on the same test samples and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.evaluation.bootstrap import (
    STATISTIC,
    FoldAnswers,
    Scores,
    paired_bootstrap,
    resampled_scores,
)
from affuse.evaluation.statistics import Comparison, Summary, summarise
from affuse.harness.records import About, Run
from affuse.harness.results import TRIVIAL, ModelResult
from affuse.metrics.scores import heading, higher_is_better
from affuse.tasks import Task

if TYPE_CHECKING:
    from affuse.evaluation.held_out import Record


@dataclass(frozen=True)
class ModelRuns:
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


def runs_of(runs: Sequence[Run], folds: int) -> ModelRuns:
    """The runs of one model, of a corpus with so many folds."""
    known = {(run.record["seed"], run.record["fold"]): run for run in runs}
    seeds = sorted({seed for seed, _ in known})
    whole = tuple(s for s in seeds if all((s, fold) in known for fold in range(folds)))
    return ModelRuns(whole, tuple(tuple(known[s, fold] for s in whole) for fold in range(folds)))


def _entry(record: Any, path: Sequence[str]) -> float:
    for key in path:
        record = record[key]
    return float(record)


class Differences:
    """Comparisons of the rows of a table, each row redrawn once.

    Args:
        about: of the benchmark.
        rows: label to row; those without a finished seed are not compared.
    """

    def __init__(self, about: About, rows: Mapping[str, ModelRuns]) -> None:
        self.task = Task.from_config(about.task)
        self.metrics = self.task.metrics
        self.rows = {name: row for name, row in rows.items() if row.seeds}
        self.scores = {
            n: resampled_scores(self.task, r.tested(), self.metrics) for n, r in self.rows.items()
        }
        if about.trivial and self.rows:
            known = next(iter(self.rows.values())).tested()
            said = [
                FoldAnswers(fold.ids, fold.target, np.tile(trivial.output, (1, len(fold.ids), 1)))
                for fold, trivial in zip(known, about.trivial, strict=True)
            ]
            self.scores[TRIVIAL] = resampled_scores(self.task, said, self.metrics)

    def all_to(self, reference: str) -> dict[str, Comparison]:
        """The reference against each other row, in table order."""
        names = [TRIVIAL, *self.rows]
        found = {n: self.between(reference, n) for n in names if n != reference}
        return {name: known for name, known in found.items() if known is not None}

    def between(self, a: str, b: str) -> Comparison | None:
        """`a - b` over the seeds that both have; None where there is none."""
        if a not in self.scores or b not in self.scores:
            return None
        seeds = [set(self.rows[n].seeds) for n in (a, b) if n in self.rows]
        shared = sorted(set.intersection(*seeds))
        if not shared:
            return None
        ours, theirs = (self._of(name, shared) for name in (a, b))
        found = {metric: paired_bootstrap(ours[metric], theirs[metric]) for metric in self.metrics}
        metric = self.metrics[0]
        return Comparison(metric, found.pop(metric), found, STATISTIC)

    def _of(self, name: str, seeds: Sequence[int]) -> dict[str, Scores]:
        if name not in self.rows:
            return self.scores[name]  # the same whatever the seed
        columns = [self.rows[name].seeds.index(seed) for seed in seeds]
        return {
            metric: Scores(s.measured[columns], s.redrawn[:, columns], s.samples)
            for metric, s in self.scores[name].items()
        }

    def warnings(self, models: Mapping[str, ModelResult], singles: Sequence[str]) -> Iterator[str]:
        """A line for each model that does not beat what it must beat to be worth its parameters."""
        if not singles:
            yield (
                "no single modality stands beside these models (--no-singles): whether fusion "
                "gains anything is not shown"
            )
        best = self._best(models, [name for name in singles if name in self.rows])
        for name in self.rows:
            floors = {TRIVIAL: "the trivial prediction"}
            if name not in singles:
                floors |= {"text": "text alone"} if "text" in singles else {}
                floors |= {best: f"{best} alone, the best single modality"} if best else {}
            for other, words in floors.items():
                found = self.between(name, other)
                if found is not None and found.verdict != "better":
                    yield _warning(name, words, found)

    def _best(self, models: Mapping[str, ModelResult], names: Sequence[str]) -> str | None:
        """The row with the best mean of the headline metric."""
        metric = self.metrics[0]
        means = {name: models[name].metrics[metric].mean for name in names}
        known = {name: mean for name, mean in means.items() if not math.isnan(mean)}
        choose = max if higher_is_better(metric) else min
        return choose(known, key=known.__getitem__) if known else None


def _warning(name: str, other: str, found: Comparison) -> str:
    failing = "is worse than" if found.verdict == "worse" else "does not beat"
    d = found.difference
    return (
        f"{name} {failing} {other}: {heading(found.metric)} differs by {d.mean:+.3f} "
        f"[{d.ci95[0]:+.3f}, {d.ci95[1]:+.3f}]"
    )
