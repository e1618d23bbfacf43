"""Stress: a test part spoilt in four kinds, in steps from clean to hopeless.

How a sample is spoilt follows from its place in the test part and from the kind alone. Every model,
every seed and every single modality meets the same: draws are made for all modalities of the
corpus, whichever a model reads, and are the same at each level, so that a higher level spoils what
a lower one does, and more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from affuse.metrics.definitions import Array
from affuse.metrics.scores import score_outputs
from affuse.samples import FloatArray, Sample
from affuse.tasks import Task

SEED = 20_240_611
SWAPPED = "audio"
"""The modality that is swapped, where a corpus has it; else its last."""


class Kind(NamedTuple):
    """A way to spoil input.

    Attributes:
        levels: from 0, the clean input, to the worst.
        axis: what a level is, for a plot.
        meaning: what is done to a sample, in a line.
    """

    levels: tuple[float, ...]
    axis: str
    meaning: str


SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
KINDS = {
    "missing": Kind(
        tuple(tenth / 10 for tenth in range(10)),
        "share of steps dropped",
        "a share of the steps of every modality is dropped (of the values, where it has one step)",
    ),
    "noise": Kind(
        (0.0, 0.5, 1.0, 2.0, 4.0),
        "noise, in standard deviations",
        "one modality of each sample, drawn at random, gets noise of so many deviations",
    ),
    "swapped": Kind(
        SHARES,
        "share of samples",
        "in a share of the samples {swapped} is another test sample's",
    ),
    "lost": Kind(
        SHARES,
        "share of samples",
        "in a share of the samples that have several modalities, one, drawn at random, is absent",
    ),
}


def swapped_of(modalities: Sequence[str]) -> str:
    """Which of a corpus' modalities is swapped."""
    return SWAPPED if SWAPPED in modalities else modalities[-1]


def area_weights(levels: Sequence[float]) -> Array:
    """`(L,)`: what each level counts in the mean height under the curve (trapezoids over L)."""
    halves = np.diff(np.asarray(levels, dtype=np.float64)) / 2
    return (np.append(halves, 0.0) + np.insert(halves, 0, 0.0)) / (levels[-1] - levels[0])


def score_levels(
    task: Task, clean: Array, spoilt: Mapping[str, Array], target: Array
) -> dict[str, list[tuple[float, float]]]:
    """Each kind's levels with the headline metric there.

    Args:
        clean: raw outputs `(N, C)`.
        spoilt: kind to those at each further level, `(L - 1, N, C)`.
        target: `(N, K)`.
    """
    metric = task.metrics[0]
    return {
        kind: [
            (level, score_outputs(task, said.astype(float), target, (metric,))[metric])
            for level, said in zip(KINDS[kind].levels, (clean, *others), strict=True)
        ]
        for kind, others in spoilt.items()
    }


@dataclass(frozen=True)
class Stress:
    """How N test samples are spoilt.

    Attributes:
        present: of each sample, the modalities that it has, whichever a model reads.
        modalities: the corpus', in its order.
    """

    present: Sequence[Sequence[str]]
    modalities: Sequence[str]

    @classmethod
    def of(cls, samples: Sequence[Sample], modalities: Sequence[str]) -> Stress:
        """Of samples as the corpus has them."""
        return cls([[m for m in modalities if m in s.sequences] for s in samples], modalities)

    def spoil(self, kind: str, level: float, samples: Sequence[Sample]) -> list[Sample]:
        """The N samples at a level of a kind.

        Args:
            samples: normalised, with the modalities that a model reads.
        """
        return _SPOIL[kind](self, level, samples)

    def missing(self, rate: float, samples: Sequence[Sample]) -> list[Sample]:
        """Steps, or the values of a single one, become zero: the mean of the training part."""

        def dropped(place: int, modality: str, x: FloatArray) -> FloatArray:
            shape = (len(x), 1) if len(x) > 1 else x.shape
            return x * (self._rng("missing", place, modality).random(shape) >= rate)

        return [
            s.with_sequences({m: dropped(place, m, x) for m, x in s.sequences.items()})
            for place, s in enumerate(samples)
        ]

    def noise(self, deviations: float, samples: Sequence[Sample]) -> list[Sample]:
        """Normal noise in the chosen modality; features are normalised, so their own is one."""
        spoilt = list(samples)
        for place, modality in self._chosen("noise").items():
            if (x := samples[place].sequences.get(modality)) is not None:
                drawn = self._rng("noise", place, modality).standard_normal(x.shape, np.float32)
                spoilt[place] = _with(samples[place], modality, x + np.float32(deviations) * drawn)
        return spoilt

    def swapped(self, share: float, samples: Sequence[Sample]) -> list[Sample]:
        """One modality is that of the next sample in a circle of chance through all."""
        spoilt, modality = list(samples), swapped_of(self.modalities)
        circle = self._order("swapped", [modality in present for present in self.present])
        donors = dict(zip(circle, [*circle[1:], *circle[:1]], strict=True))
        # In an order of its own: neighbours in the circle are not neighbours in it.
        asked = self._order("swapped", [place in donors for place in range(len(samples))], 1)
        for place in asked[: round(share * len(asked))] if len(circle) > 1 else ():
            if (x := samples[donors[place]].sequences.get(modality)) is not None:
                spoilt[place] = _with(samples[place], modality, x)
        return spoilt

    def lost(self, share: float, samples: Sequence[Sample]) -> list[Sample]:
        """One modality of those that have several is absent."""
        spoilt, chosen = list(samples), self._chosen("lost")
        asked = self._order("lost", [len(present) > 1 for present in self.present], 1)
        for place in asked[: round(share * len(asked))]:
            kept = [m for m in samples[place].sequences if m != chosen[place]]
            spoilt[place] = samples[place].keep(kept)
        return spoilt

    def _chosen(self, kind: str) -> dict[int, str]:
        """A modality of each sample that has any."""
        return {
            place: present[int(self._rng(kind, place).integers(len(present)))]
            for place, present in enumerate(self.present)
            if present
        }

    def _order(self, kind: str, wanted: Sequence[bool], draw: int = 0) -> list[int]:
        """Places of the samples that are wanted, in an order of chance."""
        keys = {
            p: self._rng(kind, p).random(draw + 1)[draw] for p, some in enumerate(wanted) if some
        }
        return sorted(keys, key=keys.__getitem__)

    def _rng(self, kind: str, place: int, modality: str | None = None) -> np.random.Generator:
        """The generator of a sample, or of one of its modalities."""
        column = 0 if modality is None else 1 + self._columns[modality]
        return np.random.default_rng([SEED, [*KINDS].index(kind), place, column])

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {modality: column for column, modality in enumerate(self.modalities)}


_SPOIL: dict[str, Callable[[Stress, float, Sequence[Sample]], list[Sample]]] = {
    "missing": Stress.missing,
    "noise": Stress.noise,
    "swapped": Stress.swapped,
    "lost": Stress.lost,
}


def _with(sample: Sample, modality: str, x: FloatArray) -> Sample:
    return sample.with_sequences({**sample.sequences, modality: x})
