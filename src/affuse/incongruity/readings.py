"""Readers: what each modality of a sample says by itself, told from the data alone.

One probe a modality, fitted on features of the training part, and how its readings follow from
the label. No fusion model is involved, so that hard samples and conflict scores are the same
whichever models are compared on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from affuse.batches import Batch, collate
from affuse.errors import InputError
from affuse.incongruity.evidence import Evidence, candidates, fit_evidence, label_prior
from affuse.incongruity.probes import Probe, fit_probe
from affuse.samples import Sample
from affuse.tasks import Bools, Continuous, Floats, Ints, Task
from affuse.training.devices import AUTO, resolve_device

# More training samples than this teach a probe of this size nothing; they would fill the memory.
MOST_SAMPLES = 2000
# Steps to which a reader listens at least so much as to the loudest, as a share.
LEAST_SHARE = 0.2
T = TypeVar("T")


@dataclass(frozen=True)
class Readings:
    """What M modalities of N samples say, each by itself.

    Attributes:
        present: which samples have which, `(N, M)`.
        outputs: raw outputs of each modality's probe, `(N, M, C)`; nan where it is missing.
        factors: log evidence `(N, M, Q, G, 2)` for each candidate answer, if the modality agrees
            with it or contradicts it; zero where it is missing. See `Evidence`.
        prior: of the candidate answers, `(Q, G)`.
        weights: modality to how much its probe listens to each step, `(N, T)`.
    """

    task: Task
    modalities: tuple[str, ...]
    present: Bools
    outputs: Floats
    factors: Floats
    prior: Floats
    weights: Mapping[str, Floats]

    def probabilities(self) -> Floats:
        """Of each tendency by what each modality says alone, `(N, M, Q, answers)`."""
        log = np.logaddexp(self.factors[..., 0], self.factors[..., 1]) + np.log(self.prior)
        p: Floats = np.exp(log - log.max(axis=3, keepdims=True))
        p /= p.sum(axis=3, keepdims=True)
        if not isinstance(self.task, Continuous):
            return p
        above = candidates(self.task) > self.task.middle
        high = p[..., above].sum(axis=3)
        return np.stack([1 - high, high], axis=3)

    def tendencies(self) -> tuple[Ints, Floats]:
        """Each modality's tendencies `(N, M, Q)` and their probabilities, 0 where it is missing."""
        p = self.probabilities()
        said: Ints = p.argmax(axis=3)
        return said, p.max(axis=3) * self.present[..., None]


@dataclass(frozen=True)
class Readers:
    """Fitted readers: each modality's probe, what its readings say of the label, and the prior."""

    task: Task
    probes: Mapping[str, Probe]
    evidence: Mapping[str, Evidence]
    prior: Floats

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.probes)

    def read(self, samples: Sequence[Sample]) -> Readings:
        """Read samples that are prepared as those of `fit_readers`; `InputError` without any."""
        place = next(iter(self.probes.values())).bias.device
        batch = collate(samples, self.modalities).to(place)
        shape = len(samples), len(self.modalities)
        outputs = np.full((*shape, self.task.outputs), np.nan)
        present = np.zeros(shape, dtype=np.bool_)
        factors = np.zeros((*shape, *self.prior.shape, 2))
        weights: dict[str, Floats] = {m: np.zeros((len(samples), 0)) for m in self.modalities}
        for column, (modality, probe) in enumerate(self.probes.items()):
            if modality not in batch.sequences:
                continue
            mask = batch.masks[modality]
            reading = probe.read(batch.sequences[modality], mask)
            some = mask.any(dim=1).cpu().numpy()
            present[:, column] = some
            outputs[some, column] = reading.outputs[some]
            factors[some, column] = self.evidence[modality](reading.outputs[some])
            weights[modality] = reading.weights
        return Readings(self.task, self.modalities, present, outputs, factors, self.prior, weights)


def fit_readers(
    task: Task, train: Sequence[Sample], valid: Sequence[Sample], seed: int = 0, device: str = AUTO
) -> Readers:
    """Fit a reader of each modality that both parts have.

    Args:
        train, valid: samples with targets, prepared alike (standardised, say).
        device: on which probes are fitted and read, by name.

    Raises:
        InputError: a sample without a target, no modality, or no such device.
    """
    train, valid = spread(train, MOST_SAMPLES), spread(valid, MOST_SAMPLES)
    place = resolve_device(device)
    parts = collate(train).to(place), collate(valid).to(place)
    if any(batch.targets is None for batch in parts):
        raise InputError(
            "a sample without a target in the training or validation part",
            remedy="leave it out: readers are fitted on labels",
        )
    assert parts[0].targets is not None
    prior = label_prior(task, parts[0].targets.cpu().numpy())
    probes: dict[str, Probe] = {}
    evidence: dict[str, Evidence] = {}
    for modality in (m for m in parts[0].modalities if m in parts[1].sequences):
        train_part, valid_part = (_having(batch, modality) for batch in parts)
        probe = probes[modality] = fit_probe(task, *train_part, valid_part, seed)
        heard = [valid_part] if probe.overfits else [valid_part, train_part]
        outputs = np.concatenate([probe.read(x, mask).outputs for x, mask, _ in heard])
        labels = np.concatenate([y.cpu().numpy() for *_, y in heard])
        evidence[modality] = fit_evidence(task, prior, outputs, labels)
    if not probes:
        raise InputError(
            "the training and the validation part share no modality",
            remedy="give samples with the same modalities",
        )
    return Readers(task, probes, evidence, prior)


def spread(samples: Sequence[T], most: int) -> list[T]:
    """At most so many samples, evenly from first to last."""
    if len(samples) <= most:
        return list(samples)
    return [samples[i] for i in np.linspace(0, len(samples) - 1, most).astype(int)]


def _having(batch: Batch, modality: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sequences, mask and targets of the samples that have the modality."""
    assert batch.targets is not None
    some = batch.masks[modality].any(dim=1)
    return batch.sequences[modality][some], batch.masks[modality][some], batch.targets[some]


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
    """Where a reader listens, as runs of steps, from weights `(T,)`, or longer where padded."""
    steps = len(sample.sequences[modality])
    weights = weights[:steps]
    loud = weights >= LEAST_SHARE * weights.max()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    ends = _step_ends(sample, modality)
    runs = [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
    if ends is None:
        return tuple(Span(first, last) for first, last in runs)
    return tuple(Span(first, last, float(ends[first]), float(ends[last])) for first, last in runs)


def overlap(found: Iterable[Span], planted: Iterable[Sequence[int]], steps: int) -> float:
    """Intersection over union of steps, in [0, 1]; 1 where there are none of either."""
    ours, theirs = (np.zeros(steps, dtype=np.bool_) for _ in range(2))
    for span in found:
        ours[span.first : span.last] = True
    for first, last in planted:
        theirs[first:last] = True
    either = ours | theirs
    return float((ours & theirs).sum() / either.sum()) if either.any() else 1.0


def _step_ends(sample: Sample, modality: str) -> Floats | None:
    """Seconds `(T + 1,)` at which steps begin, and at which the last one ends."""
    times = sample.times.get(modality)
    if times is None or len(times) != len(sample.sequences[modality]) or len(times) < 2:
        return None
    # The last step has no successor to end it: it is as long as the others.
    return np.append(times, times[-1] + np.median(np.diff(times)))
