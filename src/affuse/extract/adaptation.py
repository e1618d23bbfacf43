"""Features taken to where training had them, by the other utterances of a speaker or a folder.

Voices, microphones and rooms shift a feature more than what is felt does. What a group's own
utterances have in common is taken out, without labels. While they are few, their statistics are
drawn to those of training: of n utterances they count n / (n + `strength`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.samples import FloatArray

STRENGTH = 4.0
# So that a feature that never changes in a group is not blown up.
_LEAST = 0.3


@dataclass
class Moments:
    """Of a group's utterances, each of which counts as its mean: kept while they come."""

    count: int = 0
    _sum: NDArray[np.float64] | float = 0.0
    _squares: NDArray[np.float64] | float = 0.0

    def add(self, steps: FloatArray) -> None:
        """One more utterance, `(T, D)`."""
        mean = steps.mean(axis=0).astype(np.float64)
        self.count += 1
        self._sum = self._sum + mean
        self._squares = self._squares + mean**2

    @property
    def mean(self) -> NDArray[np.float64]:
        return np.asarray(self._sum / self.count)

    @property
    def variance(self) -> NDArray[np.float64]:
        return np.maximum(self._squares / self.count - self.mean**2, 0.0)


@dataclass(frozen=True)
class Usual:
    """What training had: mean and deviation of each feature, float32 `(D,)`."""

    mean: FloatArray
    deviation: FloatArray
    strength: float = STRENGTH

    @classmethod
    def of(cls, utterances: Sequence[FloatArray]) -> Usual:
        """Of utterances `(T, D)`, each of which counts as its mean.

        Values have five digits, so that what a file keeps of them is what training used.
        """
        means = np.stack([steps.mean(axis=0) for steps in utterances])
        return cls(_short(means.mean(axis=0)), _short(np.maximum(means.std(axis=0), 1e-6)))

    def shift(self, utterances: Sequence[FloatArray]) -> Shift:
        """What takes a group of utterances `(T, D)` there; none changes nothing."""
        moments = Moments()
        for steps in utterances:
            moments.add(steps)
        return self.shift_of(moments)

    def shift_of(self, moments: Moments) -> Shift:
        """The same, of what is known of a group."""
        count = moments.count
        if not count:
            return Shift(np.zeros_like(self.mean), np.ones_like(self.mean), 0)
        share = count / (count + self.strength)
        middle = share * moments.mean + (1 - share) * self.mean
        # Of one utterance, or of few, the spread says little: it weighs as those beyond the first.
        spread = (count - 1) / (count - 1 + self.strength)
        variance = spread * moments.variance + (1 - spread) * self.deviation**2
        scale = self.deviation / np.maximum(np.sqrt(variance), _LEAST * self.deviation)
        return Shift(
            (self.mean - middle * scale).astype(np.float32), scale.astype(np.float32), count
        )

    def to_dict(self) -> dict[str, Any]:
        values = {"mean": self.mean, "deviation": self.deviation}
        kept = {key: [float(f"{v:.5g}") for v in value] for key, value in values.items()}
        return {**kept, "strength": self.strength}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Usual:
        mean, deviation = (np.array(content[k], np.float32) for k in ("mean", "deviation"))
        return cls(mean, deviation, float(content["strength"]))


def _short(values: FloatArray) -> FloatArray:
    return np.array([float(f"{v:.5g}") for v in values], np.float32)


@dataclass(frozen=True)
class Shift:
    """Features times `scale` plus `offset`, each float32 `(D,)`, by so many utterances."""

    offset: FloatArray
    scale: FloatArray
    utterances: int

    def apply(self, steps: FloatArray) -> FloatArray:
        """Steps `(T, D)`, taken there."""
        moved: FloatArray = steps * self.scale + self.offset
        return moved.astype(np.float32)
