"""Differences between the rows of a table, over seeds and test samples that both have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from affuse.evaluation.bootstrap import Scores, paired_bootstrap, resampled_scores
from affuse.evaluation.statistics import Comparison
from affuse.harness.model_runs import ModelRuns
from affuse.harness.records import About
from affuse.harness.results import BEST, TRIVIAL, ModelResult
from affuse.metrics.scores import heading, higher_is_better
from affuse.tasks import Task


def best_runs(about: About, row: ModelRuns) -> ModelRuns:
    """The best possible answers as if one seed had given them, to what a model was asked."""
    folds = (
        (replace(runs[0], record={}, prediction=np.array(best.outputs)),)
        for runs, best in zip(row.folds, about.best, strict=True)
    )
    return ModelRuns((0,), tuple(folds))


class Differences:
    """Comparisons of the rows of a table, each row redrawn once.

    Rows without a finished seed are not compared.
    """

    def __init__(self, about: About, rows: Mapping[str, ModelRuns]) -> None:
        self.task = Task.from_config(about.task)
        self.metrics = self.task.metrics
        self.rows = {name: row for name, row in rows.items() if row.seeds}
        self.scores = {
            n: resampled_scores(self.task, r.tested(about.groups), self.metrics)
            for n, r in self.rows.items()
        }
        if about.trivial and self.rows:
            known = next(iter(self.rows.values())).tested(about.groups)
            said = [
                replace(fold, predictions=np.tile(trivial.output, (1, len(fold.ids), 1)))
                for fold, trivial in zip(known, about.trivial, strict=True)
            ]
            self.scores[TRIVIAL] = resampled_scores(self.task, said, self.metrics)
        if about.best and self.rows:
            best = best_runs(about, next(iter(self.rows.values()))).tested(about.groups)
            self.scores[BEST] = resampled_scores(self.task, best, self.metrics)

    def by(self, metrics: Sequence[str], scores: Mapping[str, dict[str, Scores]]) -> Differences:
        """The same rows, compared by other scores: row to metric to these."""
        other = copy(self)
        other.metrics, other.scores = tuple(metrics), dict(scores)
        return other

    def all_to(self, reference: str) -> dict[str, Comparison]:
        """The reference against each other row, in table order."""
        names = [TRIVIAL, *self.rows, BEST]
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
        headline = self.metrics[0]
        return Comparison(headline, found.pop(headline), found, ours[headline].statistic)

    def _of(self, name: str, seeds: Sequence[int]) -> dict[str, Scores]:
        if name not in self.rows:
            return self.scores[name]  # the same whatever the seed
        columns = [self.rows[name].seeds.index(seed) for seed in seeds]
        return {
            metric: replace(s, measured=s.measured[columns], redrawn=s.redrawn[:, columns])
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
                    failing = "is worse than" if found.verdict == "worse" else "does not beat"
                    mean, (low, high) = found.difference.mean, found.difference.ci95
                    yield (
                        f"{name} {failing} {words}: {heading(found.metric)} differs by "
                        f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
                    )

    def _best(self, models: Mapping[str, ModelResult], names: Sequence[str]) -> str | None:
        """The row with the best mean of the headline metric."""
        metric = self.metrics[0]
        means = {name: models[name].metrics[metric].mean for name in names}
        known = {name: mean for name, mean in means.items() if not math.isnan(mean)}
        choose = max if higher_is_better(metric) else min
        return choose(known, key=known.__getitem__) if known else None
