"""How often the 95% intervals of a results table hold the truth, in simulated benchmarks.

A draw is a benchmark of two models: samples that are hard for both or for one, seeds that end
better or worse, and noise. Two intervals are tried.

- `mean over seeds`: Student's, of one model. Its truth is the mean over 400 seeds more, tested on
  the same samples.
- `paired difference`: of both models (`affuse.evaluation.bootstrap`). Its truth is the mean over
  4,000 seeds, every four of them tested on 2,000 samples of their own.

    python benchmarks/interval_coverage.py [--draws 1000]
"""

from __future__ import annotations

import argparse
import csv
import io
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from affuse.evaluation.bootstrap import FoldAnswers, paired_bootstrap, resampled_scores
from affuse.evaluation.statistics import summarise
from affuse.files import write_atomic
from affuse.metrics.scores import resampled
from affuse.tasks import Classification, Regression, Task

OUT = Path(__file__).parent / "results" / "interval_coverage.csv"
COLUMNS = (
    *("interval", "task", "metric", "seeds", "samples", "folds", "seeds_differ", "draws"),
    *("coverage", "python", "numpy"),
)
SENTIMENT, EMOTION = Regression(-3.0, 3.0), Classification(("neutral", "happy", "sad", "angry"))
METRICS = {
    "regression": ("mae", "corr", "f1_nonzero"),
    "classification": ("accuracy", "f1_weighted"),
}
SIZES = {
    "regression": ((3, 300, 1), (5, 300, 1), (10, 300, 1), (5, 60, 1), (5, 100, 3)),
    "classification": ((5, 300, 1),),
}
"""Seeds, samples of a fold, folds."""
SEEDS_DIFFER = {"a lot": 0.30, "some": 0.12, "little": 0.02}
"""Standard deviation, over seeds, of the logarithm of the noise and of a shift of the outputs."""
TRUTH = 1000
"""Test parts, of 2,000 samples and for 4 seeds each, over which a true difference is averaged."""
BETTER, WORSE = 1.0, 1.15
"""Scale of the models' noise."""

Array = NDArray[Any]
Sizes = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """Test samples: target `(N, 1)`, and how hard each is, for all and for each model by scale."""

    target: Array
    hard: Array
    own: dict[float, Array]


@dataclass(frozen=True)
class World:
    """What models of a task do whose seeds differ so much."""

    task: Task
    differ: float

    @property
    def metrics(self) -> tuple[str, ...]:
        return METRICS[self.task.kind]

    def part(self, rng: np.random.Generator, count: int) -> Part:
        if isinstance(self.task, Classification):
            target = rng.choice(4, (count, 1), p=(0.4, 0.3, 0.2, 0.1)).astype(np.float64)
        else:
            target = np.clip(np.round(rng.normal(0, 1.5, (count, 1)) * 5) / 5, -3, 3)
        shape = 1, count, self.task.outputs
        own = {model: rng.normal(0, 0.6, shape) for model in (BETTER, WORSE)}
        return Part(target, np.exp(rng.normal(0, 0.5, (1, count, 1))), own)

    def answers(self, rng: np.random.Generator, model: float, part: Part, seeds: int) -> Array:
        """Raw outputs `(S, N, C)`."""
        classes, count = self.task.outputs, len(part.target)
        known = isinstance(self.task, Classification)
        signal = np.eye(4)[part.target[:, 0].astype(int)] * 1.5 if known else 0.8 * part.target
        scale = model * np.exp(rng.normal(0, self.differ, (seeds, 1, 1)))
        shift = rng.normal(0, self.differ, (seeds, 1, classes))
        noise = part.own[model] + rng.normal(0, 0.6, (seeds, count, classes))
        return np.asarray(signal + shift + scale * part.hard * noise)

    def scores(self, part: Part, answers: Array) -> dict[str, Array]:
        """Metric to scores `(S,)`."""
        once = np.ones((1, len(part.target)))
        found = resampled(self.task, answers, part.target, once, self.metrics)
        return {metric: values[0] for metric, values in found.items()}


def student(world: World, sizes: Sizes, draws: int, rng: np.random.Generator) -> dict[str, float]:
    """How often Student's interval of one model's mean over seeds holds it, by metric."""
    held = dict.fromkeys(world.metrics, 0)
    for _ in range(draws):
        part = world.part(rng, sizes[1])
        few, many = (
            world.scores(part, world.answers(rng, BETTER, part, seeds)) for seeds in (sizes[0], 400)
        )
        for metric in world.metrics:
            low, high = summarise(few[metric].tolist()).ci95
            held[metric] += int(low <= many[metric].mean() <= high)
    return {metric: count / draws for metric, count in held.items()}


def paired(world: World, sizes: Sizes, draws: int, rng: np.random.Generator) -> dict[str, float]:
    """How often the interval of the paired difference holds it, by metric."""
    right, held = truth(world, rng), dict.fromkeys(world.metrics, 0)
    for _ in range(draws):
        a, b = (
            resampled_scores(world.task, folds, world.metrics) for folds in both(world, sizes, rng)
        )
        for metric in world.metrics:
            low, high = paired_bootstrap(a[metric], b[metric]).ci95
            held[metric] += int(low <= right[metric] <= high)
    return {metric: count / draws for metric, count in held.items()}


def truth(world: World, rng: np.random.Generator) -> dict[str, float]:
    differences: dict[str, list[float]] = {metric: [] for metric in world.metrics}
    for _ in range(TRUTH):
        part = world.part(rng, 2000)
        better, worse = (
            world.scores(part, world.answers(rng, model, part, 4)) for model in (BETTER, WORSE)
        )
        for metric, found in differences.items():
            found.append(float((better[metric] - worse[metric]).mean()))
    return {metric: float(np.mean(found)) for metric, found in differences.items()}


def both(
    world: World, sizes: Sizes, rng: np.random.Generator
) -> tuple[Sequence[FoldAnswers], Sequence[FoldAnswers]]:
    """What two models say of every fold."""
    seeds, samples, folds = sizes
    parts = [world.part(rng, samples) for _ in range(folds)]
    better, worse = (
        [
            FoldAnswers(
                [(fold, row) for row in range(samples)],
                part.target,
                world.answers(rng, model, part, seeds),
            )
            for fold, part in enumerate(parts)
        ]
        for model in (BETTER, WORSE)
    )
    return better, worse


def rows(draws: int, progress: Console) -> Iterator[tuple[Any, ...]]:
    versions = platform.python_version(), np.__version__
    for task in (SENTIMENT, EMOTION):
        for differ, spread in SEEDS_DIFFER.items():
            world = World(task, spread)
            for sizes in SIZES[task.kind]:
                tried = {"paired difference": paired}
                # Of several folds, a seed's score is a mean: the same as of one.
                if sizes[2] == 1:
                    tried["mean over seeds"] = student
                for interval, simulate in tried.items():
                    found = simulate(world, sizes, draws, np.random.default_rng(0))
                    progress.print(task.kind, differ, sizes, interval, found, highlight=False)
                    for metric, coverage in found.items():
                        name = (interval, task.kind, metric)
                        yield (*name, *sizes, differ, draws, coverage, *versions)


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of the intervals of results tables.")
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(draws, Console(stderr=True)))
    write_atomic(OUT, text.getvalue().encode())


if __name__ == "__main__":
    main()
