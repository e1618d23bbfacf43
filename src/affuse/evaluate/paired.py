"""Differences between two models of a benchmark, as a table shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from affuse.evaluate.metrics import heading, higher_is_better
from affuse.evaluate.statistics import PairedDifference

PAIRED_COLUMNS = ("models", "metric", "difference", "95% interval", "p", "verdict")


@dataclass(frozen=True)
class Comparison:
    """The difference, one model minus another, over the seeds that they share.

    Attributes:
        metric: the corpus' headline metric.
        difference: of that.
        others: differences of further metrics, by name.
        statistic: what gave intervals and p.
    """

    metric: str
    difference: PairedDifference
    others: dict[str, PairedDifference] = field(default_factory=dict)
    statistic: str = "paired t over seeds, two-sided"

    @property
    def verdict(self) -> str:
        """`better` or `worse` of the first, by the headline metric; or `undecided`."""
        return verdict(self.metric, self.difference)


def verdict(metric: str, difference: PairedDifference) -> str:
    """`better` or `worse` of the first model where the 95% interval excludes zero."""
    low, high = difference.ci95
    unknown = len(difference.runs) < 2 and low == high
    if unknown or not (low > 0 or high < 0):
        return "undecided"
    return "better" if (low > 0) == higher_is_better(metric) else "worse"


Paired = Mapping[str, Mapping[str, Comparison]]
"""Reference model to other model to their difference."""


def paired_rows(paired: Paired, *, every: bool) -> Iterator[tuple[str, ...]]:
    """Cells under `PAIRED_COLUMNS`: a row a pair of models, or one for each of its metrics."""
    for reference, others in paired.items():
        for other, c in others.items():
            yield _row(reference, other, c.metric, c.difference)
            for metric, difference in c.others.items() if every else ():
                yield _row(reference, other, metric, difference)


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


def _row(reference: str, other: str, metric: str, difference: PairedDifference) -> tuple[str, ...]:
    found = verdict(metric, difference)
    return (
        f"{reference} against {other}",
        heading(metric),
        f"{difference.mean:+.3f}",
        "[{:+.3f}, {:+.3f}]".format(*difference.ci95),
        "<0.001" if difference.p < 0.001 else f"{difference.p:.3f}",
        found if found == "undecided" else f"{reference} {found}",
    )
