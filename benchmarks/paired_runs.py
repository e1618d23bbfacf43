"""Benchmarks of HCT-MG that are kept apart, and compared as rows of one table are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import affuse
from affuse.evaluation.bootstrap import Scores, paired_bootstrap, resampled_scores
from affuse.harness import REFERENCE as MODEL
from affuse.harness.model_runs import runs_of
from affuse.harness.records import read_about, read_runs
from affuse.samples import Corpus
from affuse.tasks import Task

SEEDS = 5


def scores_of(
    corpus: Corpus,
    settings: Mapping[str, Any],
    metrics: Sequence[str],
    out: Path,
    jobs: int | None,
) -> dict[str, Scores]:
    """What HCT-MG scores by those settings; its runs are kept in `out` and taken up again."""
    asked: dict[str, Any] = {"seeds": SEEDS, "singles": False, "out": out, "jobs": jobs}
    affuse.benchmark(corpus, MODEL, settings=settings, **asked)
    about = read_about(out)
    row = runs_of(read_runs(out, about), about.folds)
    return resampled_scores(Task.from_config(about.task), row.tested(about.groups), metrics)


def compared(ours: Scores, theirs: Scores) -> list[float]:
    """Both means, their difference and the ends of its interval."""
    found = paired_bootstrap(ours, theirs)
    values = (ours.measured.mean(), theirs.measured.mean(), found.mean, *found.ci95)
    return [round(float(value), 4) for value in values]
