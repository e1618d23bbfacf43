"""The conflict score: how likely it is that one modality of a sample contradicts the others.

For each modality m, the hypothesis that it contradicts the label while the others agree with it is
weighed against the one that all agree, over all candidate labels, since the label is unknown
(`affuse.incongruity.evidence`). The score is the probability that some modality contradicts,
calibrated on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from affuse.errors import InputError
from affuse.incongruity.evidence import candidates, contrary_prior
from affuse.incongruity.readings import Readers, Readings, Span, heard_spans
from affuse.metrics.calibration import Platt
from affuse.samples import Sample, targets_of
from affuse.tasks import Bools, Continuous, Floats, Ints

_TINY = 1e-9
# Share of what the label leaves open that a reading settles if it says anything.
_TOLD = 0.02


@dataclass(frozen=True)
class Conflict:
    """What is found in one sample.

    Attributes:
        score: in [0, 1], the probability that two modalities contradict each other.
        pair: the modality that contradicts, if any does, and the surest of those it contradicts;
            None for a sample with fewer than two modalities.
        spans: for both, the stretches of time that carry what they say.
        values: modality to its reader's raw outputs `(C,)`.
    """

    id: str
    score: float
    pair: tuple[str, str] | None
    spans: Mapping[str, tuple[Span, ...]]
    values: Mapping[str, tuple[float, ...]]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ConflictScorer:
    """Scores samples by what its readers read; calibrated on the validation part."""

    readers: Readers
    calibration: Platt

    def score(self, samples: Sequence[Sample]) -> list[Conflict]:
        """Score samples, prepared as those that the readers were fitted on."""
        readings = self.readers.read(samples)
        names = readings.modalities
        hypotheses = contradictions(readings)
        scores = self.calibration(_log_odds(hypotheses))
        pairs = _pairs(readings, hypotheses)
        enough = readings.present.sum(axis=1) > 1
        found = []
        for row, sample in enumerate(samples):
            pair = (names[pairs[row, 0]], names[pairs[row, 1]]) if enough[row] else None
            spans = {m: heard_spans(sample, m, readings.weights[m][row]) for m in pair or ()}
            values = {
                m: tuple(readings.outputs[row, column].tolist())
                for column, m in enumerate(names)
                if readings.present[row, column]
            }
            score = float(scores[row]) if pair else 0.0
            found.append(Conflict(sample.id, score, pair, spans, values))
        return found


def fit_conflict(readers: Readers, valid: Sequence[Sample]) -> ConflictScorer:
    """Calibrate on the validation part.

    Where its samples know whether they hold a conflict (`Sample.truth`), that is the truth; where
    they do not, it is what the same readers conclude once the label is told (`told_conflicts`).

    Raises:
        InputError: fewer than two modalities.
    """
    if len(readers.modalities) < 2:
        remedy = "read the corpus with two or more"
        raise InputError("a conflict takes two modalities", remedy=remedy)
    readings, truth = readers.read(valid), known_conflicts(valid)
    if truth is None:
        remedy = "leave it out: the score is calibrated on what is known"
        problem = "a validation sample has neither a target nor a known conflict"
        truth = told_conflicts(readings, targets_of(valid, remedy=remedy, problem=problem))
    enough = readings.present.sum(axis=1) > 1
    odds = _log_odds(contradictions(readings))
    return ConflictScorer(readers, Platt.of_log_odds(odds[enough], truth[enough]))


def known_conflicts(samples: Sequence[Sample]) -> Bools | None:
    """Planted conflicts `(N,)`; None unless every sample knows."""
    known = [sample.truth.get("conflict") for sample in samples]
    return None if any(k is None for k in known) else np.array(known, dtype=np.bool_)


def told_conflicts(readings: Readings, targets: Floats) -> Bools:
    """Where some modality contradicts rather than none, given the labels `(N, K)`: bool `(N,)`."""
    task = readings.task
    told = np.isfinite(targets)
    place = np.where(told, targets, 0).astype(np.int64)
    if isinstance(task, Continuous):
        place = np.abs(candidates(task) - np.where(told, targets, 0.0)[..., None]).argmin(axis=2)
    chosen = place[:, None, :, None, None]
    factors = np.take_along_axis(readings.factors, chosen, axis=3)
    even = np.zeros((place.shape[1], 1))
    return np.asarray(_shares(_joint(factors, even, even, readings.present), told)[:, 0] < 0.5)


def contradictions(readings: Readings) -> Floats:
    """Probabilities `(N, 1 + M)`: that no modality contradicts, and that this one alone does.

    The mean over the task's questions.
    """
    prior = readings.prior
    contrary = contrary_prior(readings.task, prior)
    return _shares(_joint(readings.factors, np.log(prior), np.log(contrary), readings.present))


def _joint(factors: Floats, prior: Floats, contrary: Floats, present: Bools) -> Floats:
    """log p(hypothesis, candidate), `(N, 1 + M, Q, G)`, from factors `(N, M, Q, G, 2)`."""
    agree, oppose = factors[..., 0], factors[..., 1]
    together = agree.sum(axis=1)
    one = together[:, None] - agree + oppose + contrary
    one = np.where(present[:, :, None, None], one, -np.inf)
    return np.concatenate([(together + prior)[:, None], one], axis=1)


def _shares(log: Floats, told: Bools | None = None) -> Floats:
    """`(N, H, Q, G)` to each hypothesis' share `(N, H)`: the mean over the questions `(N, Q)`."""
    p = np.exp(log - log.max(axis=(1, 3), keepdims=True)).sum(axis=3)
    share = p / p.sum(axis=1, keepdims=True)
    if told is None:
        return np.asarray(share.mean(axis=2))
    return np.asarray((share * told[:, None]).sum(axis=2) / told.sum(axis=1, keepdims=True))


def _log_odds(hypotheses: Floats) -> Floats:
    none = hypotheses[:, 0]
    return np.asarray(np.log(np.maximum(1 - none, _TINY)) - np.log(np.maximum(none, _TINY)))


def _pairs(readings: Readings, hypotheses: Floats) -> Ints:
    """The modality that contradicts most likely, and the surest of the others, `(N, 2)`.

    What leaves the label as open as it was says nothing: it is named last. Sure is what leaves
    little open.
    """
    before = _entropy(readings.prior[None, None])
    doubt = _entropy(softmax(readings.factors[..., 0] + np.log(readings.prior), axis=3))
    tells = doubt < (1 - _TOLD) * before
    ranked = np.where(tells, hypotheses[:, 1:], hypotheses[:, 1:] - 1)
    contrary = np.where(readings.present, ranked, -np.inf).argmax(axis=1)
    doubt = np.where(readings.present, doubt, np.inf)
    doubt[np.arange(len(doubt)), contrary] = np.inf
    return np.stack([contrary, doubt.argmin(axis=1)], axis=1)


def _entropy(p: Floats) -> Floats:
    """Of candidates `(N, M, Q, G)`: the mean over questions, `(N, M)`."""
    return np.asarray(-(p * np.log(np.maximum(p, _TINY))).sum(axis=3).mean(axis=2))
