"""Models side by side on one corpus: the runs, their workers and the table made of them."""

from affuse.benchmark.request import Request
from affuse.benchmark.results import read_results
from affuse.benchmark.run import run_benchmark

__all__ = ["Request", "read_results", "run_benchmark"]
