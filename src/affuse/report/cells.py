"""Cells and rows that several tables of a benchmark share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from affuse.evaluation.statistics import Comparison, PairedDifference, Summary, verdict
from affuse.metrics.scores import heading

ABSENT = "—"
PAIRED_COLUMNS = ("models", "metric", "difference", "95% interval", "p", "verdict")


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as Markdown writes it."""
    head = [text.replace("|", "\\|") for text in header]
    lines = [head, ["---"] * len(head), *([t.replace("|", "\\|") for t in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def score_text(summary: Summary | None, separator: str) -> str:
    """Mean, deviation and interval; one number where runs do not differ."""
    if summary is None or not summary.runs:
        return ABSENT
    if math.isnan(summary.mean):
        return "undefined"
    if summary.std == 0:
        return f"{summary.mean:.3f}"
    low, high = summary.ci95
    return f"{summary.mean:.3f} ±{summary.std:.3f}{separator}[{low:.3f}, {high:.3f}]"


Paired = Mapping[str, Mapping[str, Comparison]]
"""Reference model to other model to their difference."""


def paired_rows(paired: Paired, *, every: bool) -> Iterator[tuple[str, ...]]:
    """Cells under `PAIRED_COLUMNS`: a row a pair of models, or one for each of its metrics."""
    for reference, others in paired.items():
        for other, c in others.items():
            yield paired_cells(reference, other, c.metric, c.difference)
            for metric, difference in c.others.items() if every else ():
                yield paired_cells(reference, other, metric, difference)


def paired_statistics(paired: Paired) -> list[str]:
    """How the differences were tested, in words."""
    found = [c for others in paired.values() for c in others.values()]
    lines = [
        f"95% interval and p: {statistic}; not corrected for several tests"
        for statistic in dict.fromkeys(c.statistic for c in found)
    ]
    if any(len(c.difference.runs) == 1 for c in found):
        lines.append("of one seed: nothing is known of how training ends another time")
    return lines


def paired_cells(
    reference: str, other: str, metric: str, difference: PairedDifference
) -> tuple[str, ...]:
    found = verdict(metric, difference)
    return (
        f"{reference} against {other}",
        heading(metric),
        f"{difference.mean:+.3f}",
        "[{:+.3f}, {:+.3f}]".format(*difference.ci95),
        "<0.001" if difference.p < 0.001 else f"{difference.p:.3f}",
        found if found == "undecided" else f"{reference} {found}",
    )
