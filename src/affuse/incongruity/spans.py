"""Stretches of time: which steps of a sequence carry what was read, in steps and in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from affuse.samples import Sample
from affuse.tasks import Bools, Floats

# Steps to which a reader listens at least so much as to the loudest, as a share.
LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Span:
    """Steps `first` up to, not including, `last`, and their seconds where these are known."""

    first: int
    last: int
    start: float | None = None
    end: float | None = None

    def __str__(self) -> str:
        if self.start is None or self.end is None:
            return f"steps {self.first} to {self.last - 1}"
        return f"{self.start:.2f} to {self.end:.2f} s"


def heard_spans(sample: Sample, modality: str, weights: Floats) -> tuple[Span, ...]:
    """Where a reader listens, as runs of steps.

    Args:
        sample: gives the length and the times.
        modality: whose.
        weights: `(T,)` or longer where padded.
    """
    steps = len(sample.sequences[modality])
    weights = weights[:steps]
    loud = weights >= LEAST_SHARE * weights.max()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    ends = _step_ends(sample, modality)
    return tuple(
        Span(int(first), int(last))
        if ends is None
        else Span(int(first), int(last), float(ends[first]), float(ends[last]))
        for first, last in edges.reshape(-1, 2)
    )


def overlap(found: Iterable[Span], planted: Iterable[Sequence[int]], steps: int) -> float:
    """Intersection over union of steps, in [0, 1]; 1 where there are none of either."""
    ours, theirs = (np.zeros(steps, dtype=np.bool_) for _ in range(2))
    for span in found:
        ours[span.first : span.last] = True
    for first, last in planted:
        theirs[first:last] = True
    return _share(ours & theirs, ours | theirs)


def _share(part: Bools, whole: Bools) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 1.0


def _step_ends(sample: Sample, modality: str) -> Floats | None:
    """Seconds `(T + 1,)` at which steps begin, and at which the last one ends."""
    times = sample.times.get(modality)
    if times is None or len(times) != len(sample.sequences[modality]) or len(times) < 2:
        return None
    # The last step has no successor to end it: it is as long as the others.
    return np.append(times, times[-1] + np.median(np.diff(times)))
