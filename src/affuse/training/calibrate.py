"""How certain an exported model may be, fitted on validation samples by what is there of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from affuse.metrics.calibration import Platt
from affuse.metrics.scores import auroc
from affuse.runtime.bundle import ANY, Outputs, Session, named
from affuse.runtime.contradiction import contradicted, measured
from affuse.samples import FloatArray, Sample, labelled, targets_of
from affuse.tasks import Classification, Floats, Regression, Task

COVERED = 0.8
"""The share of values that an interval is to hold."""
# Of fewer samples, nothing is said.
_ENOUGH = 50
_BATCH = 64


def calibrated(session: Session, valid: Sequence[Sample]) -> dict[str, Any]:
    """What `BundleConfig` holds of certainty and conflict, for each subset of the modalities.

    A temperature makes the classes' mean logarithmic loss least (Guo et al. 2017, "On Calibration
    of Modern Neural Networks"). Half an interval's width is the split conformal quantile of
    distances (Vovk et al. 2005). How far modalities are apart becomes a probability by Platt's map:
    of two of three, that it is these two that contradict each other. Each is fitted for each subset
    by itself, and conflict once more for all samples, whatever is there of them. What one modality
    says is held against what people told of that modality alone, where they did.
    """
    temperature, interval = dict[str, float](), dict[str, float]()
    conflict = dict[str, dict[str, float]]()
    answers_alone = "unimodal" in session.config.outputs
    several = [s.keep(session.modalities) for s in labelled(valid)]
    several = [sample for sample in several if len(sample.sequences) > 1]
    if several and answers_alone:
        conflict[ANY] = _conflict(session, several, _outputs(session, several))
    for there, samples in _subsets(session, labelled(valid)):
        found, target = _outputs(session, samples), _told(samples)
        said = found.prediction.astype(np.float64)
        if isinstance(session.task, Classification):
            temperature[there] = _temperature(session.task, said, target)
        elif isinstance(session.task, Regression):
            apart = np.sort(np.abs(session.task.decode(said) - target).ravel())
            rank = int(np.ceil((len(apart) + 1) * COVERED))
            interval[there] = float(apart[min(rank, len(apart)) - 1])
        if answers_alone and len(samples[0].sequences) > 1:
            conflict[there] = _conflict(session, samples, found)
    return {"temperature": temperature, "interval": interval, "conflict": conflict}


def _told(samples: Sequence[Sample]) -> FloatArray:
    """The target `(N, K)` of what is there of each, which has the same modalities in all."""
    clips = targets_of(samples)
    modality, *more = samples[0].sequences
    if more:
        return clips
    own = [
        s.unimodal[modality] if modality in s.truth.get("told_alone", s.unimodal) else clip
        for s, clip in zip(samples, clips, strict=True)
    ]
    return np.where(np.isnan(own), clips, own)


def _conflict(session: Session, samples: Sequence[Sample], found: Outputs) -> dict[str, float]:
    """Platt's map for samples of several modalities.

    Where they know whether they hold a conflict (`Sample.truth`), that decides; elsewhere their
    labels do, by `contradicted`.
    """
    task, by = session.task, session.config.conflict_by
    assert found.unimodal is not None
    known = [_known_conflict(sample) for sample in samples]
    truth = np.array(known, dtype=bool)
    if None in known:
        truth = contradicted(task, found.unimodal, found.gate > 0, targets_of(samples))
    apart = measured(task, found.unimodal, found.gate, by)
    fitted = (Platt.of_log_odds if by == "opposition" else Platt.of_distance)(apart, truth)
    # Where all or none hold a conflict, none is told from another.
    area = 0.5 if truth.all() or not truth.any() else auroc(apart, truth)
    told = {"samples": len(apart), "share": float(truth.mean()), "auroc": area}
    return {**asdict(fitted), **told}


def _known_conflict(sample: Sample) -> bool | None:
    """Whether one of the modalities that are there contradicts the others, where that is known."""
    if "conflicting" in sample.truth:
        return sample.truth["conflicting"] in sample.sequences
    return sample.truth.get("conflict")


def _subsets(session: Session, samples: Sequence[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    for count in range(1, len(session.modalities) + 1):
        for there in combinations(session.modalities, count):
            having = [s.keep(there) for s in samples if set(there) <= s.sequences.keys()]
            if len(having) >= _ENOUGH:
                yield named(there), having


def _outputs(session: Session, samples: Sequence[Sample]) -> Outputs:
    starts = range(0, len(samples), _BATCH)
    parts = [session.run(samples[start : start + _BATCH]) for start in starts]
    own = [part.unimodal for part in parts if part.unimodal is not None]
    return Outputs(
        np.concatenate([part.prediction for part in parts]),
        np.concatenate([part.gate for part in parts]),
        np.concatenate([part.primary for part in parts]),
        np.concatenate(own) if own else None,
    )


def _temperature(task: Task, logits: Floats, target: Any) -> float:
    from scipy.optimize import minimize_scalar

    rows, true = np.arange(len(logits)), target[:, 0].astype(int)

    def loss(log_temperature: float) -> float:
        chances = task.decode(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(chances[rows, true], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))
