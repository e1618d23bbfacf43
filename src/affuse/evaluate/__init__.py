"""Metrics, statistics over seeds, tables and plots."""

from affuse.evaluate.metrics import LABELS, evaluate, heading, higher_is_better
from affuse.evaluate.paired import Comparison
from affuse.evaluate.statistics import PairedDifference, Summary, paired_difference, summarise
from affuse.evaluate.tables import BenchmarkResult, ModelResult

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
