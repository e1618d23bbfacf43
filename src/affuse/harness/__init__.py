"""Models side by side on one corpus: the runs, their workers and the table made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from affuse.harness.assemble import read_results

if TYPE_CHECKING:
    from affuse.harness.request import Request
    from affuse.harness.run import run_benchmark

__all__ = ["Request", "read_results", "run_benchmark"]


def __getattr__(name: str) -> Any:
    """Import torch only with what needs it: results are read without."""
    if name == "Request":
        from affuse.harness.request import Request

        return Request
    if name == "run_benchmark":
        from affuse.harness.run import run_benchmark

        return run_benchmark
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
