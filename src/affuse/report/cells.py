"""What stands in the cells of tables, and the rows of the hard slice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from affuse.evaluation.statistics import Summary
from affuse.files import null_to_nan

ABSENT = "—"
HARD = "a modality, read by itself, leans clearly against another or against the label"


def cell(summary: Summary | None, separator: str) -> str:
    """Mean, deviation and interval; one number where runs do not differ."""
    if summary is None or not summary.runs:
        return ABSENT
    if math.isnan(summary.mean):
        return "undefined"
    if summary.std == 0:
        return f"{summary.mean:.3f}"
    low, high = summary.ci95
    return f"{summary.mean:.3f} ±{summary.std:.3f}{separator}[{low:.3f}, {high:.3f}]"


def hard_title(hard: Mapping[str, Any]) -> str:
    """How many samples the slice holds."""
    return f"hard samples, {hard['samples']} of {hard['of']}"


def hard_rows(
    hard: Mapping[str, Any], metrics: Sequence[str], separator: str
) -> list[tuple[str, ...]]:
    """A model and its cells a row; metrics that it lacks are absent."""
    models = null_to_nan(hard["models"])
    return [
        (model, *(cell(_summary(scores.get(m)), separator) for m in metrics))
        for model, scores in models.items()
    ]


def _summary(plain: Mapping[str, Any] | None) -> Summary | None:
    if plain is None:
        return None
    low, high = plain["ci95"]
    return Summary(plain["mean"], plain["std"], (low, high), tuple(plain["runs"]))
