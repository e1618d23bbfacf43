"""Metrics, statistics over seeds, tables and plots."""

from affuse.evaluation.statistics import (
    Comparison,
    PairedDifference,
    Summary,
    paired_difference,
    summarise,
)
from affuse.metrics.scores import LABELS, evaluate, heading, higher_is_better
from affuse.report.tables import BenchmarkResult, ModelResult

__all__ = [
    "LABELS",
    "BenchmarkResult",
    "Comparison",
    "ModelResult",
    "PairedDifference",
    "Summary",
    "evaluate",
    "heading",
    "higher_is_better",
    "paired_difference",
    "summarise",
]
