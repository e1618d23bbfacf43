"""Runs of steps, their seconds and their overlap."""

from __future__ import annotations

import numpy as np

from affuse.incongruity.readings import Span, heard_spans, overlap
from affuse.samples import Sample


def sample(steps: int, times: list[float] | None = None) -> Sample:
    known = {} if times is None else {"audio": np.array(times, dtype=np.float32)}
    return Sample("a", {"audio": np.zeros((steps, 2), dtype=np.float32)}, times=known)


def test_loud_steps_become_runs() -> None:
    weights = np.array([0.5, 0.4, 0.05, 0.0, 0.2, 0.0])
    assert heard_spans(sample(6), "audio", weights) == (Span(0, 2), Span(4, 5))


def test_padding_is_no_step() -> None:
    assert heard_spans(sample(2), "audio", np.array([1.0, 1.0, 0.0])) == (Span(0, 2),)


def test_seconds_run_from_a_step_to_the_next() -> None:
    weights = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    first, last = heard_spans(sample(5, [0.0, 0.5, 1.0, 2.0, 2.5]), "audio", weights)
    assert (first.start, first.end) == (0.5, 2.0)
    # Nothing follows the last step: it lasts as long as the others, by their median.
    assert (last.start, last.end) == (2.5, 3.0)


def test_overlap_counts_steps() -> None:
    assert overlap([Span(0, 4)], [(2, 6)], 10) == 2 / 6
    assert overlap([], [], 10) == 1
    assert overlap([Span(1, 2)], [], 10) == 0
