"""What rows of a table are worth under stress: curves, the areas under them, and differences.

An area is the mean height under the curve of the headline metric over the levels. It is a weighted
sum of the levels' scores, and so is what a bootstrap redraws of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from affuse.evaluation.bootstrap import FoldAnswers, Scores, resampled_scores
from affuse.evaluation.statistics import Comparison, Summary, summarise
from affuse.evaluation.stress import area_weights
from affuse.harness.model_runs import ModelRuns
from affuse.harness.records import About
from affuse.harness.results import TRIVIAL, StressCurve
from affuse.harness.row_differences import Differences
from affuse.metrics.definitions import Array


class StressAreas:
    """The areas of all rows of which runs were asked under stress; empty where none was.

    Args:
        differences: of the same rows, without stress.
    """

    def __init__(
        self, about: About, rows: Mapping[str, ModelRuns], differences: Differences
    ) -> None:
        self.about, self.differences = about, differences
        self.metric = differences.metrics[0]
        asked = {name: row for name, row in rows.items() if row.seeds}
        self.rows = {n: row for n, row in asked.items() if "stress" in row.records[0]}
        first = next(iter(self.rows.values()), None)
        known = {} if first is None else first.records[0]["stress"]
        self.levels = {kind: [float(level) for level, _ in pairs] for kind, pairs in known.items()}

    def curves(self) -> dict[str, dict[str, StressCurve]]:
        """Kind to row to its curve, that of the trivial prediction first, which nothing moves."""
        return {kind: dict(self._curves(kind)) for kind in self.levels}

    def bands(self) -> dict[str, dict[str, list[list[float]]]]:
        """Kind to row to the 95% interval of the mean over seeds at each level."""
        return {
            kind: {
                name: [list(level.ci95) for level in self._by_level(row, kind)]
                for name, row in self.rows.items()
            }
            for kind in self.levels
        }

    def paired(self, reference: str) -> dict[str, dict[str, dict[str, Comparison]]]:
        """Kind to the reference to each other row to the difference of their areas."""
        found = {kind: self._differences(kind).all_to(reference) for kind in self.levels}
        return {kind: {reference: others} for kind, others in found.items() if others}

    def _curves(self, kind: str) -> Iterator[tuple[str, StressCurve]]:
        levels = self.levels[kind]
        if (trivial := self.differences.scores.get(TRIVIAL)) is not None:
            constant = summarise(trivial[self.metric].measured.tolist(), self.metric)
            yield TRIVIAL, StressCurve(constant, tuple((level, constant.mean) for level in levels))
        for name, row in self.rows.items():
            areas = _level_scores(row, kind) @ area_weights(levels)
            means = (level.mean for level in self._by_level(row, kind))
            area = summarise(areas.tolist(), self.metric)
            yield name, StressCurve(area, tuple(zip(levels, means, strict=True)))

    def _by_level(self, row: ModelRuns, kind: str) -> list[Summary]:
        return [summarise(scores.tolist(), self.metric) for scores in _level_scores(row, kind).T]

    def _differences(self, kind: str) -> Differences:
        scores = {name: {self.metric: self._area(row, kind)} for name, row in self.rows.items()}
        if (trivial := self.differences.scores.get(TRIVIAL)) is not None:
            scores[TRIVIAL] = {self.metric: trivial[self.metric]}
        return self.differences.by((self.metric,), scores)

    def _area(self, row: ModelRuns, kind: str) -> Scores:
        """The area of each seed, as measured and as redrawn."""
        folds = [
            _with_levels(fold, np.stack([run.spoilt[kind] for run in runs]))
            for fold, runs in zip(row.tested(self.about.groups), row.folds, strict=True)
        ]
        known = resampled_scores(self.differences.task, folds, (self.metric,))[self.metric]
        weights, seeds = area_weights(self.levels[kind]), len(row.seeds)
        return replace(
            known,
            measured=known.measured.reshape(seeds, -1) @ weights,
            redrawn=known.redrawn.reshape(len(known.redrawn), seeds, -1) @ weights,
        )


def _level_scores(row: ModelRuns, kind: str) -> Array:
    """The headline score of each seed at each level, `(S, L)`, averaged over folds."""
    each = [[[s for _, s in run.record["stress"][kind]] for run in fold] for fold in row.folds]
    return np.asarray(np.mean(each, axis=0))


def _with_levels(fold: FoldAnswers, spoilt: Array) -> FoldAnswers:
    """Each of S seeds as so many answerers as there are levels: `(S * L, N, C)`, the clean first.

    Args:
        spoilt: what was answered at the other levels, `(S, L - 1, N, C)`.
    """
    every = np.concatenate([fold.predictions[:, None], spoilt], axis=1)
    return replace(fold, predictions=every.reshape(-1, *every.shape[2:]))
