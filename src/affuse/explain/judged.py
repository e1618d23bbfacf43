"""Conflict scores held against a corpus that knows its conflicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from affuse.evaluate.ranking import auroc
from affuse.explain.calibration import expected_calibration_error
from affuse.explain.conflict import Conflict, known_conflicts
from affuse.explain.spans import overlap
from affuse.samples import Sample


@dataclass(frozen=True)
class ConflictTruth:
    """How well the scores of samples with known conflicts do.

    Attributes:
        samples: how many.
        conflicts: how many of them hold one.
        auroc: of the score; nan without samples of both kinds.
        calibration_error: expected, of the score as a probability.
        pair_accuracy: share of the conflicts whose two modalities are named.
        span_overlap: mean intersection over union of found and planted steps, over both modalities
            of each conflict; 0 for one that is not named. nan where no spans are known.
    """

    samples: int
    conflicts: int
    auroc: float
    calibration_error: float
    pair_accuracy: float
    span_overlap: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(found: Sequence[Conflict], samples: Sequence[Sample]) -> ConflictTruth | None:
    """Compare with what was planted; None where the samples do not know.

    Args:
        found: one for each sample, in order.
        samples: with `conflict`, `primary`, `conflicting` and, where known, `spans` in their truth.
    """
    truth = known_conflicts(samples)
    if truth is None:
        return None
    score = np.array([f.score for f in found])
    named, overlaps = [], []
    for conflict, sample in zip(found, samples, strict=True):
        if sample.truth["conflict"]:
            pair = {sample.truth["primary"], sample.truth["conflicting"]}
            named.append(float(set(conflict.pair or ()) == pair))
            if "spans" in sample.truth:
                overlaps.append(_overlap(conflict, sample, sorted(pair)))
    return ConflictTruth(
        len(samples),
        int(truth.sum()),
        auroc(score, truth),
        expected_calibration_error(score, truth),
        _mean(named),
        _mean(overlaps),
    )


def _overlap(conflict: Conflict, sample: Sample, pair: Sequence[str]) -> float:
    each = [
        overlap(conflict.spans[m], sample.truth["spans"][m], len(sample.sequences[m]))
        if m in conflict.spans
        else 0.0
        for m in pair
    ]
    return float(np.mean(each))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
