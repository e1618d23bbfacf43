"""The rows of a result: which are baselines, which lack runs, and a choice of their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from affuse.errors import unknown_name
from affuse.evaluate.tables import BenchmarkResult

TRIVIAL = "trivial"
MODALITIES = ("text", "audio", "vision")


def is_baseline(result: BenchmarkResult, model: str) -> bool:
    """Whether a row is the trivial prediction, or that of a single modality, named after it."""
    return model in (TRIVIAL, *MODALITIES, *result.extra.get("features", {}))


def unfinished(result: BenchmarkResult) -> dict[str, tuple[int, int]]:
    """Models that lack runs, with how many they have and how many were asked for."""
    asked = result.extra.get("folds", 0) * result.extra.get("seeds", 0)
    runs = {
        model: max((len(s.runs) for s in row.metrics.values()), default=0)
        for model, row in result.models.items()
        if model != TRIVIAL
    }
    return {model: (count, asked) for model, count in runs.items() if count < asked}


def select(result: BenchmarkResult, metrics: Sequence[str]) -> BenchmarkResult:
    """The result with these metrics alone, in this order.

    Raises:
        InputError: no model has one of them.
    """
    for name in metrics:
        if name not in result.metrics:
            raise unknown_name("metric", name, result.metrics)
    models = {
        model: replace(row, metrics={m: row.metrics[m] for m in metrics if m in row.metrics})
        for model, row in result.models.items()
    }
    paired = {
        reference: {other: c for other, c in others.items() if c.metric in metrics}
        for reference, others in result.paired.items()
    }
    kept = {reference: others for reference, others in paired.items() if others}
    return replace(result, models=models, paired=kept)
