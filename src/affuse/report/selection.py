"""The rows of a result: which are baselines, which lack seeds, and a choice of their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from affuse.config import invalid
from affuse.errors import unknown_name
from affuse.evaluation.statistics import Comparison
from affuse.report.tables import BenchmarkResult

TRIVIAL = "trivial"
MODALITIES = ("text", "audio", "vision")


class _Extra(BaseModel):
    """Further entries of a result that reports go by."""

    fingerprint: str | None = None
    folds: int | None = None
    seeds: int | None = None
    features: dict[str, str] = {}
    configuration: dict[str, dict[str, Any]] = {}


def check_extra(result: BenchmarkResult, source: Path) -> None:
    """Raise `InputError` naming `source` where a further entry is not what a benchmark writes."""
    try:
        _Extra.model_validate(result.extra)
    except ValidationError as error:
        raise invalid(
            error,
            "a benchmark's result",
            remedy="give a file that a benchmark wrote",
            source=source,
        ) from None


def is_baseline(result: BenchmarkResult, model: str) -> bool:
    """Whether a row is the trivial prediction, or that of a single modality, named after it."""
    return model in (TRIVIAL, *MODALITIES, *result.extra.get("features", {}))


def unfinished(result: BenchmarkResult) -> dict[str, tuple[int, int]]:
    """Models that lack seeds, with how many they have and how many were asked for."""
    asked = result.extra.get("seeds") or 0
    seeds = {
        model: max((len(s.runs) for s in row.metrics.values()), default=0)
        for model, row in result.models.items()
        if model != TRIVIAL
    }
    return {model: (count, asked) for model, count in seeds.items() if count < asked}


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
        reference: {
            other: chosen
            for other, found in others.items()
            if (chosen := _select(found, metrics)) is not None
        }
        for reference, others in result.paired.items()
    }
    kept = {reference: others for reference, others in paired.items() if others}
    return replace(result, models=models, paired=kept)


def _select(found: Comparison, metrics: Sequence[str]) -> Comparison | None:
    known = {found.metric: found.difference, **found.others}
    chosen = {name: known[name] for name in metrics if name in known}
    if not chosen:
        return None
    first = next(iter(chosen))
    return replace(found, metric=first, difference=chosen.pop(first), others=chosen)
