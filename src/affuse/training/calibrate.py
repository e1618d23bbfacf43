"""How certain an exported model may be, fitted on validation samples by what is there of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from affuse.runtime.bundle import Session, named
from affuse.samples import Sample, labelled, targets_of
from affuse.tasks import Classification, Floats, Regression, Task

COVERED = 0.8
"""The share of values that an interval is to hold."""
# Of fewer samples, nothing is said.
_ENOUGH = 50
_BATCH = 64


def certainty(session: Session, valid: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """What `BundleConfig.temperature` and `interval` hold, for each subset of the modalities.

    A temperature makes the classes' mean logarithmic loss least (Guo et al. 2017, "On Calibration
    of Modern Neural Networks"). Half an interval's width is the split conformal quantile of
    distances (Vovk et al. 2005), for each subset by itself.
    """
    temperature, interval = dict[str, float](), dict[str, float]()
    for there, samples in _subsets(session, labelled(valid)):
        said, target = _outputs(session, samples), targets_of(samples)
        if isinstance(session.task, Classification):
            temperature[there] = _temperature(session.task, said, target)
        elif isinstance(session.task, Regression):
            apart = np.sort(np.abs(session.task.decode(said) - target).ravel())
            rank = int(np.ceil((len(apart) + 1) * COVERED))
            interval[there] = float(apart[min(rank, len(apart)) - 1])
    return {"temperature": temperature, "interval": interval}


def _subsets(session: Session, samples: Sequence[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    for count in range(1, len(session.modalities) + 1):
        for there in combinations(session.modalities, count):
            having = [s.keep(there) for s in samples if set(there) <= s.sequences.keys()]
            if len(having) >= _ENOUGH:
                yield named(there), having


def _outputs(session: Session, samples: Sequence[Sample]) -> Floats:
    starts = range(0, len(samples), _BATCH)
    parts = [session.run(samples[start : start + _BATCH]).prediction for start in starts]
    return np.concatenate(parts).astype(np.float64)


def _temperature(task: Task, logits: Floats, target: Any) -> float:
    from scipy.optimize import minimize_scalar

    rows, true = np.arange(len(logits)), target[:, 0].astype(int)

    def loss(log_temperature: float) -> float:
        chances = task.decode(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(chances[rows, true], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))
