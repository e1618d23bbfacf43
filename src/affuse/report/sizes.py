"""How large the models of a table are: their members and parameters, alike in every table."""

from __future__ import annotations

from affuse.harness.results import BenchmarkResult, ModelResult


def size_columns(result: BenchmarkResult) -> tuple[str, ...]:
    """Members stand in a column of their own where any model has several."""
    return ("members", "parameters") if result.ensembles else ("parameters",)


def size_cells(result: BenchmarkResult, row: ModelResult, absent: str) -> tuple[str, ...]:
    """What stands under `size_columns`; a trivial row has nothing."""
    members, size = (str(row.members), f"{row.parameters:,}") if row.parameters else (absent,) * 2
    return (members, size) if result.ensembles else (size,)


def size_words(result: BenchmarkResult) -> str:
    """How to read them."""
    words = "each model is one network"
    if result.ensembles:
        words = "members are networks that answer by their mean; parameters are of all of them"
    taught: dict[int, list[str]] = {}
    for name, row in result.models.items():
        if row.distilled:
            taught.setdefault(row.distilled, []).append(name)
    return "; ".join(
        [words, *(f"{', '.join(names)} learnt from {n} members" for n, names in taught.items())]
    )
