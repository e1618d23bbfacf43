"""The data that flows: a `Sample` from a corpus or an extractor, before any batching.

Nothing here imports torch, so that extraction and inference run without it; `affuse.batches`
turns samples into padded tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """One clip or utterance: a feature sequence for each modality that is present.

    Attributes:
        id: unique within its corpus.
        sequences: modality to float32 array `(T, D)`, T >= 1. A missing modality is absent.
        target: float32 `(K,)`: the value (regression), the class index (classification) or one
            0/1 flag a label (several binary labels). None where unknown.
        times: modality to float32 `(T,)`, the seconds at which each step starts.
        group: speaker or video, the unit that must not be shared between splits.
        text: the transcript, where there is one.
        truth: what a generator knows of the sample beyond its target (`affuse.corpora.controlled`).
    """

    id: str
    sequences: Mapping[str, FloatArray]
    target: FloatArray | None = None
    times: Mapping[str, FloatArray] = field(default_factory=dict)
    group: str | None = None
    text: str | None = None
    truth: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for modality, sequence in self.sequences.items():
            if sequence.ndim != 2 or sequence.shape[0] < 1 or sequence.dtype != np.float32:
                raise InputError(
                    f"sample '{self.id}' has {modality} of shape {sequence.shape} and type "
                    f"{sequence.dtype}",
                    remedy="give float32 of shape (time, features) with at least one step, "
                    "or leave the modality out",
                )

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.sequences)

    def keep(self, modalities: Iterable[str]) -> Sample:
        """The same sample with only these modalities (those it has)."""
        kept = {m: self.sequences[m] for m in modalities if m in self.sequences}
        return Sample(self.id, kept, self.target, self.times, self.group, self.text, self.truth)

    def with_sequences(self, sequences: Mapping[str, FloatArray]) -> Sample:
        """The same sample with other features."""
        return Sample(
            self.id, sequences, self.target, self.times, self.group, self.text, self.truth
        )

    def without_target(self) -> Sample:
        """The same sample with its target and planted truth removed."""
        return Sample(self.id, self.sequences, None, self.times, self.group, self.text)
